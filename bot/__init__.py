"""Fewshot: a Discord bot that shows its prompts and trains its own model.

Every command takes the same path: Discord, a cog or a template's command, a service in one of these packages, the model
or the database, and back through `bot.answers` and `bot.ui`. The modules here contain no feature: `app` opens
everything, `bot` connects to Discord, `discord_api` chooses its address, and `services` is what cogs get.

`core`     settings, errors and their messages, translation, text, logs
`storage`  all SQL
`llm`      templates, the model client, output parsers, routing, prices
`server`   limits, stored prompts, tricks, settings of servers, privacy, moderation, health
`answers`  the path from an interaction to an answer
`play`     adventures: the story tree, the turn queue, memory, dice
`tuning`   from texts to a tuned model: questions, checks, jobs, scorecards
`ui`       replies and streaming edits, cards, views, modals, pictures
`engine`   the local model server with OpenAI's API
`cli`      the command line
`demo`     the bot on a local web page
`locales`  translations and the tool that collects them
"""
