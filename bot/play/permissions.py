"""Who may do what in a story."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.errors import NotAllowedError
from bot.storage.stories import Player, Story, Turn


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts; `moderator` where they may manage the channel's messages."""

    id: int
    name: str
    moderator: bool = False


def leads(person: Person, story: Story) -> bool:
    """Whether the story is theirs to lead: they started it, or they keep order here."""
    return person.moderator or person.id == story.starter_id


def may_move(person: Person, story: Story, turn: Turn | None) -> bool:
    """Whether they may take back or retell `turn` without asking the others: it is their own, or they lead."""
    return leads(person, story) or (turn is not None and turn.player_id == person.id)


def refuse_unless_leading(person: Person, story: Story) -> None:
    """Raises `NotAllowedError` for anyone else."""
    if not leads(person, story):
        raise NotAllowedError("Only the one who started this story, and moderators, may do that.")


def refuse_unless_player(person: Person, story: Story, players: Sequence[Player]) -> None:
    """Raises `NotAllowedError` for somebody who was removed, and for everyone while the story is locked."""
    if any(player.removed for player in players if player.user_id == person.id):
        raise NotAllowedError("You were taken out of this story by its moderators.")
    if story.locked and not leads(person, story):
        raise NotAllowedError("This story is locked: only the one who started it, and moderators, play on.")


def votes_needed(players: Sequence[Player]) -> int:
    """More than half of those who play, and never fewer than two."""
    return max(2, sum(not player.removed for player in players) // 2 + 1)
