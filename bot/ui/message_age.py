"""Whether a message of the bot's can still be edited."""

from datetime import timedelta

import discord

# Discord's codes: there is no such message, and one that was edited too often since it is older than an hour.
UNKNOWN_MESSAGE, TOO_OLD = 10008, 30046
# Edits of messages older than an hour have a cap of their own, so that what is older than this is posted afresh.
FRESH = timedelta(minutes=50)


def is_fresh(message_id: int) -> bool:
    """Whether a message, by its id, is young enough to be edited as often as need be."""
    return discord.utils.utcnow() - discord.utils.snowflake_time(message_id) < FRESH
