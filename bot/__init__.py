"""Fewshot: a Discord bot that shows its prompts and trains its own model.

The way in is always the same: Discord, a cog, a service in one of the rooms below, the model or the
database, and back through one reply path (`bot.ui`). This package itself is the frame: the composition
root, the Discord client, the command line and the demo. It knows no feature by name.

`core`     a leaf: settings, errors, languages, text, logs
`storage`  the only room that speaks SQL
`llm`      templates, filling, the model client, replies, prices
`play`     the adventure: stories as trees, taking turns, memory, dice
`tuning`   from texts to a tuned model: questions, checks, jobs, scores
`server`   what a community needs: the ledger, kept prompts, tricks, settings, privacy, moderation, health
`ui`       the one reply path, cards, safe views and modals, pictures
`engine`   the local engine: OpenAI's wire on a laptop
"""
