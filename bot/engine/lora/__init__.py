"""LoRA: adapters on open weights, trained by TRL in the training process and served by llama.cpp or vLLM.

`bases`     what can be tuned: an installed model, a folder, a name on the hub; its licence, its size, an estimate
`config`    the settings of a run; imports no torch, so that the server may import it
`train`     the training, from rows to an adapter
`adapter`   an adapter as a GGUF file for llama.cpp
`convert`   a base as one
`serving`   a tuned model as a model of the engine

`train` needs `fewshot[train]`; nothing else here imports torch.
"""
