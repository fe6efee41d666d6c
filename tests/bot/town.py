"""A loopback Discord, a scripted model and the bot between them; the hands of the people are `Town.wire`."""

import asyncio
import socket
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.fake_model import FakeModel
from tests.migrated import migrated_in
from tests.wire.driver import Wire
from tests.wire.exchange import Exchange, Message
from tests.wire.process import Process

ENTRY = "tests.bot.launched:main"
# A text in so many pieces and seconds between them takes some two seconds: long enough for two frames.
SLOWLY = {"pieces": 14, "delay": 0.15}
WORDS = "The pods line up at the start and wait for the green light to come on at last today"


def final(message: Message) -> bool:
    """Whether an answer is whole: its buttons come with the last edit."""
    return bool(message.buttons)


def a_sentence(message: Message) -> bool:
    """Whether it says something for good; an ellipsis stands for a moment where a private error takes its place."""
    return message.text not in ("", "…")


@dataclass
class Town:
    """Everything that a test of the whole bot holds. `place` is a channel of this test's own; `port` is for health."""

    wire: Wire
    model: FakeModel
    folder: Path
    place: str = "general"
    port: int = 0

    def env(self, **more: str) -> dict[str, str]:
        """The bot's environment: the scripted model, unless `more` says otherwise."""
        known = {"OPENAI_BASE_URL": self.model.url, "OPENAI_API_KEY": self.model.token, "CHAT_MODEL": "fake-model"}
        return known | {"DATA_DIR": str(self.folder)} | more

    @asynccontextmanager
    async def bot(self, *, ready: str = "Invite: ", **env: str) -> AsyncIterator[Process]:
        """The bot, running for as long as the block lasts."""
        async with self.wire.bot("run", entry=ENTRY, env=self.env(**env), ready=ready) as process:
            yield process

    async def started(self, **env: str) -> Process:
        """The bot, started and not waited for: for starts that must fail. The caller closes it."""
        return await Process.start(ENTRY, ["run"], self.wire.env() | self.env(**env), self.wire.folder)

    async def anew(self) -> "Town":
        """The same for one more test: its own channel, no fault, and a model that has forgotten all it was told."""
        await self.wire.clear_faults()
        self.model.release()
        # What a test that failed has left unsaid would be said in the next one.
        self.model._next.clear()
        self.model.says("All is well.")
        self.model.calls.clear()
        return replace(self, place=(await self.wire.create_channel("a-test"))["id"])

    async def does(self, command: str, /, **options: Any) -> Exchange:
        """A person uses a command in this test's channel."""
        return await self.wire.slash(command, **({"channel": self.place} | options))

    async def answer(self, command: str, /, until: Callable[[Message], bool] = final, **options: Any) -> Message:
        """The whole answer to a command."""
        return await (await self.does(command, **options)).answer(until)

    async def told(self, command: str, /, **options: Any) -> Message:
        """What a person is told in place of an answer."""
        return await self.answer(command, a_sentence, **options)

    async def presses(self, message: Message, button: str, *, user: str = "member") -> Message:
        """What comes of a press: a card or a sentence."""
        return await (await self.wire.press(message, button, user=user)).answer(a_sentence)

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Rows of the bot's database."""
        with closing(sqlite3.connect(f"file:{self.folder / 'fewshot.sqlite3'}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    async def number(self, sql: str, *values: object, wanted: int = 1) -> int:
        """The number that a query comes to; what nobody waits for is written up to half a second later."""
        for _ in range(200):
            if self.rows(sql, *values)[0][0] == wanted:
                break
            await asyncio.sleep(0.02)
        return int(self.rows(sql, *values)[0][0])

    async def fault_on(self, exchange: Exchange, method: str = "PATCH", **rule: Any) -> None:
        """Let requests about one answer fail."""
        token = (await exchange.state())["token"]
        await self.wire.fault(method, f"/webhooks/.*{token}", **rule)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def open_town(*, blank: bool = False, **settings: Any) -> AsyncIterator[Town]:
    """A Discord and a model, and no bot yet; `blank`: its first start finds no database and makes one."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="town-")))
        if not blank:
            await migrated_in(folder / "data")
        model = await stack.enter_async_context(FakeModel())
        yield Town(await stack.enter_async_context(Wire.start(**settings)), model, folder / "data")
