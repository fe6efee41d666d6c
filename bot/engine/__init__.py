"""The local engine: OpenAI's wire on a laptop.

A small HTTP server on loopback that any OpenAI client can talk to; the bot itself uses the stock client
too. It knows nothing of Discord and keeps its data in files, not in the bot's database.

`launch`    one engine for a data folder, started by whoever needs it first; `address` is its `engine.json`
`serve`     the engine in this process: everything that a folder holds, behind one port
`server`    routes, token, error shapes; `errors` lists the errors, `body` and `paging` check what comes in
`chat`      a model's pieces as an answer or as a stream; `requests` checks, `limits` stops
`models`    what a model must offer
`standin`   the stand-in: rules for when no language model is connected
`files`     uploads and results; `dataset` checks training data line by line, `disk` writes whole or not at all
`jobs`      fine-tuning, each job trained in a process of its own
`pocket`    the pocket GPT itself
"""
