"""The local engine: OpenAI's wire on a laptop.

A small HTTP server on loopback that any OpenAI client can talk to; the bot itself uses the stock client
too. It knows nothing of Discord and keeps its data in files, not in the bot's database.

`server`    routes, token, error shapes
`requests`  what may stand in a chat request
`chat`      a model's pieces as an answer or as a stream; `limits` keeps stop strings and token limits
`models`    what a model must offer, and the shelf that models stand on
`standin`   the stand-in: rules for when no language model is connected
`launch`    one engine for a data folder, started by whoever needs it first
"""
