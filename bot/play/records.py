"""The records that the play hands out, for those who may not look into the storage."""

from bot.storage.branches import Branch
from bot.storage.players import Player
from bot.storage.stories import ENDED, PAUSED, RUNNING, Story
from bot.storage.turns import OPEN, Turn

__all__ = ["ENDED", "OPEN", "PAUSED", "RUNNING", "Branch", "Player", "Story", "Turn"]
