"""The local engine: OpenAI's API on a laptop.

A small HTTP server on loopback for any OpenAI client; the bot uses the stock client too. It knows nothing of Discord
and keeps its data in files, not in the bot's database.

`launch`       one engine per data folder, started by the first process that needs it; its address in `engine.json`
`server`       the HTTP server, and one engine over a data folder
`chat`         chat completions, whole and streamed; the interface of a model
`files`        uploaded files and results; `dataset` checks training data line by line
`fine_tuning`  jobs, each trained in a process of its own
`rule_based`   the stand-in: rules for when no language model is connected
`pocket`       the pocket GPT
`llama`        chat models on this machine, run by llama.cpp
`requests`     JSON bodies and pages of lists; `errors` has the error responses
`disk`         files that are written whole or not at all; `child_processes` end when their parent does
"""
