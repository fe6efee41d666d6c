"""What the play needs from outside: somebody who tells the story, and somewhere to show it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.llm.request import Request
from bot.storage.stories import OPEN, Story, Turn


@dataclass(frozen=True, slots=True)
class Payer:
    """Who a call is charged to: a person, or with `user_id` 0 the server alone."""

    user_id: int
    guild_id: int | None
    channel_id: int


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of the model's; `prompt_id` finds the prompt behind it, while that is kept."""

    text: str
    model: str
    finish: str
    prompt_id: str


class Teller(Protocol):
    """Asks the model."""

    async def tell(
        self,
        request: Request,
        payer: Payer,
        show: Callable[[str], None] | None = None,
        message_id: int | None = None,
    ) -> Told:
        """The answer; `show` gets the text as it comes, and `message_id` is where it will stand.

        Raises `ModelError` or `LimitError`.
        """


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn in its story, as it is shown; `turn` is None at the opening.

    `number` of `count` says which of the turns at this place it is; `problem` why an open turn has no answer;
    `waiting` are those in line behind it, where the story has come to a stop.
    """

    story: Story
    turn: Turn | None
    number: int = 1
    count: int = 1
    problem: str = ""
    waiting: tuple[Turn, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether the story wants a push: its newest turn is open, or others wait behind it."""
        return bool(self.waiting) or (self.turn is not None and self.turn.state == OPEN)


class Shown(Protocol):
    """One turn being shown while it is told."""

    @property
    def message_id(self) -> int:
        """The message it stands in."""

    def show(self, text: str) -> None:
        """Show all of the answer there is so far."""

    async def finish(self, scene: TurnView) -> int:
        """Show the turn as it stands in the end, with its buttons; the message it stands in."""


class Screen(Protocol):
    """Where stories are shown."""

    async def open(self, story: Story, turn: Turn, place: int | None) -> Shown:
        """Begin to show a turn, in the message `place` or in a new one; the story's last message loses its buttons.

        Raises a `FewshotError` where the channel cannot be written to.
        """

    async def show(self, scene: TurnView) -> int:
        """Show a turn anew in a message of its own, with its buttons; the message."""
