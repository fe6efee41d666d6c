"""Adventures: stories that several people play, turn by turn. A story is a tree of turns; its head is the newest turn.

`scenarios`      the stories that can be started, from the files in `templates/adventures`
`action_parser`  what a player typed, as an action; dice rolls
`adventures`     what people can do with a story; `permissions` says who may
`history`        undo, retry, the arrows and switch: moves of the head in the tree, and votes for them
`turn_queue`     one turn at a time, in order of arrival: stored before the model is asked, completed after
`memory`         the prompt of a turn within its token budget, and summaries of older turns

A turn is waiting, then open (it has its place below the head and no reply yet), then done. The database holds each
step, so that after a crash it says which turns were interrupted. This package does not import discord: people,
servers, channels and messages are ids here. It exports the storage records that cogs need.
"""

from bot.storage.stories import ENDED, OPEN, PAUSED, RUNNING, Branch, Player, Story, Turn

__all__ = ["ENDED", "OPEN", "PAUSED", "RUNNING", "Branch", "Player", "Story", "Turn"]
