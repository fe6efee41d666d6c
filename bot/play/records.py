"""The records that the play hands out, for those who may not look into the storage."""

from bot.storage.stories import ENDED, OPEN, PAUSED, RUNNING, Branch, Player, Story, Turn

__all__ = ["ENDED", "OPEN", "PAUSED", "RUNNING", "Branch", "Player", "Story", "Turn"]
