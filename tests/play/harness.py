"""Stories without Discord: a real database, a gateway that answers what a test says, a view that records."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.app import TEMPLATES
from bot.core.caller import Caller
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.play import Story, Turn
from bot.play.adventures import Adventures
from bot.play.history import History
from bot.play.scenarios import open_scenarios
from bot.play.turn_queue import TurnView
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts, new_id
from bot.storage.database import Database, open_database

ANN = Caller(1, name="Ann", is_moderator=True)


class ScriptedGateway(ModelGateway):
    """Answers with what `reply` makes of a request."""

    def __init__(self, reply: Callable[[Request], str]) -> None:
        self.reply = reply
        self.requests: list[tuple[Request, Caller]] = []

    async def ask(self, caller: Caller, request: Request, *arguments: object, **options: object) -> Answer:
        self.requests.append((request, caller))
        text = self.reply(request)
        return Answer(text, text, "scripted", request, {}, id=new_id(), caller=caller)


@dataclass
class RecordedMessage:
    """The message of one turn."""

    view: "RecordingView"
    message_id: int

    def update(self, reply: str) -> None:
        """Streaming edits are not recorded."""

    async def finish(self, view: TurnView) -> int:
        self.view.shown.append(view)
        return self.message_id


@dataclass
class RecordingView:
    """Records what would be shown."""

    shown: list[TurnView] = field(default_factory=list)
    messages: int = 0

    async def open_turn(self, story: Story, turn: Turn, message_id: int | None) -> RecordedMessage:
        self.messages += 1
        return RecordedMessage(self, message_id or self.messages)

    async def post(self, view: TurnView) -> int:
        self.shown.append(view)
        self.messages += 1
        return self.messages


@dataclass
class Harness:
    """Everything that a test needs."""

    adventures: Adventures
    history: History
    gateway: ScriptedGateway
    view: RecordingView
    database: Database

    async def story(self, channel: int = 1) -> Story:
        return await self.adventures.start(7, channel, ANN, "room")

    async def act(self, story: Story, text: str, caller: Caller = ANN) -> None:
        """Add a turn and wait for its reply."""
        await self.adventures.act(story, caller, text, None, self.view)
        await self.wait(story)

    async def move(self, story: Story, verb: str, to: int | None = None, caller: Caller = ANN) -> None:
        """Move the head and wait for the replies that follow."""
        await self.history.move(story.id, await self.head(story), caller, verb, self.view, to=to)
        await self.wait(story)

    async def wait(self, story: Story) -> None:
        """Wait until no reply is being written in the story."""
        worker = self.adventures.queue.state(story.id).worker
        if worker is not None:
            await worker

    async def head(self, story: Story) -> int | None:
        return (await self.adventures.require_running(story.id)).head

    async def path(self, story: Story) -> list[Turn]:
        return await self.adventures.path(await self.adventures.require_running(story.id))


@asynccontextmanager
async def harness(
    url: str, reply: Callable[[Request], str] = lambda _: "All is well.", budget: int = 6_000
) -> AsyncIterator[Harness]:
    """Adventures with the database at `url`, which is empty and of the newest version."""
    async with open_database(url) as database:
        gateway, view = ScriptedGateway(reply), RecordingView()
        scenarios = open_scenarios(TEMPLATES / "adventures")
        adventures = Adventures(database, gateway, Prompts(database, 0), scenarios, budget)
        try:
            yield Harness(adventures, History(database, adventures), gateway, view, database)
        finally:
            await adventures.close()
