"""Local chat models: GGUF files that llama.cpp serves in a process of its own.

`gguf`       the header of a GGUF file: architecture, context length, chat template; whether the file is whole
`catalog`    the recommended models as data, and what this machine has
`store`      the models that are installed in a data folder, and which of them is in use
`download`   fetching a model from the hub or from a file, resumed, checked and written whole or not at all
`process`    one llama.cpp server as a child process: start, requests, restart, idle stop
`child`      what runs inside that process
`models`     the installed models as models of the engine
`service`    what the bot and the command line do with local models: list, fetch, use

Only `child` imports xllamacpp, and only `download` imports huggingface_hub: both come with `fewshot[local]`.
"""
