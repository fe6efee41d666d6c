"""A table to play at without Discord: a real database, a teller that says what it is told, a screen that notes."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.app import TEMPLATES
from bot.llm.request import Request
from bot.play.adventures import Adventures
from bot.play.history import Moving
from bot.play.interfaces import Payer, Told, TurnView
from bot.play.permissions import Person
from bot.play.records import Story, Turn
from bot.play.scenarios import open_scenarios
from bot.storage.database import Database, open_database
from tests.migrated import migrated

ANN = Person(1, "Ann", moderator=True)


@dataclass
class SaidTeller:
    """Answers what `say` makes of a request."""

    say: Callable[[Request], str]
    requests: list[tuple[Request, Payer]] = field(default_factory=list)

    async def tell(
        self,
        request: Request,
        payer: Payer,
        show: Callable[[str], None] | None = None,
        message_id: int | None = None,
    ) -> Told:
        self.requests.append((request, payer))
        return Told(self.say(request), "said", "stop", "")


@dataclass
class Noted:
    """One turn shown."""

    screen: "NotingScreen"
    message_id: int

    def show(self, text: str) -> None:
        """Frames are of no interest here."""

    async def finish(self, scene: TurnView) -> int:
        self.screen.scenes.append(scene)
        return self.message_id


@dataclass
class NotingScreen:
    """Notes what would be shown."""

    scenes: list[TurnView] = field(default_factory=list)
    messages: int = 0

    async def open(self, story: Story, turn: Turn, place: int | None) -> Noted:
        self.messages += 1
        return Noted(self, place or self.messages)

    async def show(self, scene: TurnView) -> int:
        self.scenes.append(scene)
        self.messages += 1
        return self.messages


@dataclass
class Table:
    """Everything at hand."""

    adventures: Adventures
    moving: Moving
    teller: SaidTeller
    screen: NotingScreen
    database: Database

    async def story(self, channel: int = 1) -> Story:
        return await self.adventures.start(7, channel, ANN, "room")

    async def act(self, story: Story, text: str, person: Person = ANN) -> None:
        """A turn, told to its end."""
        await self.adventures.act(story, person, text, None, self.screen)
        await self.told(story)

    async def move(self, story: Story, verb: str, to: int | None = None, person: Person = ANN) -> None:
        """A move of the head, and what is told because of it."""
        await self.moving.move(story.id, await self.head(story), person, verb, self.screen, to=to)
        await self.told(story)

    async def told(self, story: Story) -> None:
        """Wait until nothing of the story is being told."""
        worker = self.adventures.taking.seat(story.id).worker
        if worker is not None:
            await worker

    async def head(self, story: Story) -> int | None:
        return (await self.adventures.running(story.id)).head

    async def path(self, story: Story) -> list[Turn]:
        return await self.adventures.path(await self.adventures.running(story.id))


@asynccontextmanager
async def table(say: Callable[[Request], str] = lambda _: "All is well.", budget: int = 6_000) -> AsyncIterator[Table]:
    """A table with a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'play.sqlite3'}"
        await migrated(url)
        async with open_database(url) as database:
            teller, screen = SaidTeller(say), NotingScreen()
            adventures = Adventures(database, teller, open_scenarios(TEMPLATES / "adventures"), budget)
            try:
                yield Table(adventures, Moving(database, adventures), teller, screen, database)
            finally:
                await adventures.close()
