"""The whole bot as a process, with a loopback Discord and a scripted model. People act through `BotHarness.wire`."""

import asyncio
import socket
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
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
# Streamed in this way an answer takes about two seconds, long enough for two edits.
SLOW_STREAM = {"pieces": 14, "delay": 0.15}
LONG_ANSWER = "The pods line up at the start and wait for the green light to come on at last today"


def is_final(message: Message) -> bool:
    """Whether an answer is complete: the last edit adds the buttons. While it is written it has Stop."""
    return bool(message.buttons) and "Stop" not in message.buttons


def is_sentence(message: Message) -> bool:
    """Whether the message has its text; "…" is a placeholder that a private error replaces."""
    return message.text not in ("", "…")


@dataclass
class BotHarness:
    """What a test of the whole bot needs. `place`: the test's own channel; `port`: HEALTH_PORT of the bot.

    `entry`: the function that starts the bot.
    """

    wire: Wire
    model: FakeModel
    folder: Path
    place: str = "general"
    port: int = 0
    entry: str = ENTRY

    def env(self, **more: str) -> dict[str, str]:
        """The bot's environment: the scripted model, overridden by `more`."""
        known = {"OPENAI_BASE_URL": self.model.url, "OPENAI_API_KEY": self.model.token, "CHAT_MODEL": "fake-model"}
        return known | {"DATA_DIR": str(self.folder)} | more

    @asynccontextmanager
    async def bot(
        self, env: Mapping[str, str] | None = None, /, *, ready: str = "Invite: ", fresh: bool = False, **more: str
    ) -> AsyncIterator[Process]:
        """Run the bot while the block runs, with `env` and `more` in its environment; `fresh`: in a new interpreter."""
        changed = self.env(**(env or {}), **more)
        async with self.wire.bot("run", entry=self.entry, env=changed, ready=ready, fresh=fresh) as process:
            yield process

    async def started(self, **env: str) -> Process:
        """Start the bot without waiting until it is ready, for starts that must fail. The caller closes it."""
        return await Process.start(ENTRY, ["run"], self.wire.env() | self.env(**env), self.wire.folder)

    async def for_test(self) -> "BotHarness":
        """A copy for one test: a new channel, no faults, and no replies queued at the model."""
        await self.wire.clear_faults()
        self.model.release()
        # A failed test may leave queued replies.
        self.model._next.clear()
        self.model.says("All is well.")
        self.model.calls.clear()
        return replace(self, place=(await self.wire.create_channel("a-test"))["id"])

    async def slash(self, command: str, /, **options: Any) -> Exchange:
        """Use a command in this test's channel."""
        return await self.wire.slash(command, **({"channel": self.place} | options))

    async def answer(self, command: str, until: Callable[[Message], bool] = is_final, /, **options: Any) -> Message:
        """Use a command and return the complete answer."""
        return await (await self.slash(command, **options)).answer(until)

    async def notice(self, command: str, /, **options: Any) -> Message:
        """Use a command and return the message that comes instead of an answer."""
        return await self.answer(command, is_sentence, **options)

    async def press(self, message: Message, button: str, *, user: str = "member") -> Message:
        """Press a button and return the card or sentence that follows."""
        return await (await self.wire.press(message, button, user=user)).answer(is_sentence)

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Rows of the bot's database."""
        with closing(sqlite3.connect(f"file:{self.folder / 'fewshot.sqlite3'}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    async def wait_for_count(self, sql: str, *values: object, wanted: int = 1) -> int:
        """The number that a query returns, once it is `wanted`, or after 4 s. Some writes take half a second."""
        for _ in range(200):
            if self.rows(sql, *values)[0][0] == wanted:
                break
            await asyncio.sleep(0.02)
        return int(self.rows(sql, *values)[0][0])

    async def fault_on(self, exchange: Exchange, method: str = "PATCH", **rule: Any) -> None:
        """Inject a fault into requests about one answer."""
        token = (await exchange.state())["token"]
        await self.wire.fault(method, f"/webhooks/.*{token}", **rule)


def free_port() -> int:
    """A free port on loopback."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def open_harness(*, blank: bool = False, **settings: Any) -> AsyncIterator[BotHarness]:
    """Start Discord and the model, without a bot. `blank`: the first start of the bot creates the database."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fewshot-")))
        if not blank:
            await migrated_in(folder / "data")
        model = await stack.enter_async_context(FakeModel())
        yield BotHarness(await stack.enter_async_context(Wire.start(**settings)), model, folder / "data")
