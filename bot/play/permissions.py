"""Who may do what in a story."""

from collections.abc import Sequence

from bot.core.caller import Caller
from bot.core.errors import NotAllowedError
from bot.storage.stories import Player, Story, Turn


def is_leader(caller: Caller, story: Story) -> bool:
    """Whether they started the story or are a moderator of its channel."""
    return caller.is_moderator or caller.user_id == story.starter_id


def may_move(caller: Caller, story: Story, turn: Turn | None) -> bool:
    """Whether they may take back or repeat `turn` without a vote: it is their own, or they lead the story."""
    return is_leader(caller, story) or (turn is not None and turn.player_id == caller.user_id)


def check_leader(caller: Caller, story: Story) -> None:
    """Raises `NotAllowedError` for anyone who does not lead the story."""
    if not is_leader(caller, story):
        raise NotAllowedError("Only the one who started this story, and moderators, may do that.")


def check_player(caller: Caller, story: Story, players: Sequence[Player]) -> None:
    """Raises `NotAllowedError` for a player who was removed, and for all but the leaders of a locked story."""
    if any(player.removed for player in players if player.user_id == caller.user_id):
        raise NotAllowedError("The moderators have removed you from this story.")
    if story.locked and not is_leader(caller, story):
        raise NotAllowedError("This story is locked: only the one who started it, and moderators, play on.")


def votes_needed(players: Sequence[Player]) -> int:
    """More than half of the current players, and at least two."""
    return max(2, sum(not player.removed for player in players) // 2 + 1)
