"""Several processes of the bot on one PostgreSQL database and one loopback Discord, with a server for each shard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from bot.answers.interrupted import INTERRUPTED
from tests.bot.harness import ENTRY, is_final
from tests.fake_model import FakeModel
from tests.postgresql import PostgresServer
from tests.wire.driver import Wire
from tests.wire.exchange import Exchange, Message
from tests.wire.process import Process
from tests.wire.seeds import GUILD

# Seconds that processes have to be ready: they start at the same time, and their shards identify one after the other.
READY_SECONDS = 60.0
SPARE, READY = "waits as a spare", "Invite: "


@dataclass
class Cluster:
    """The processes by name; the channel of each shard's server."""

    wire: Wire
    model: FakeModel
    url: str
    folder: Path
    slots: int
    shards: int
    entry: str = ENTRY
    # Further settings of the processes.
    env: dict[str, str] = field(default_factory=dict)
    channels: dict[int, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    asked: list[Exchange] = field(default_factory=list)

    async def start(self, count: int, command: str = "run") -> list[Process]:
        """Start so many processes at once: bots, or with the command `worker` workers.

        The caller waits until they are ready.
        """
        settings = {"DATABASE_URL": self.url, "SLOTS": str(self.slots), "SHARDS": str(self.shards)}
        settings |= {"OPENAI_BASE_URL": self.model.url, "OPENAI_API_KEY": self.model.token, "CHAT_MODEL": "fake-model"}
        settings |= {"CALLS_PER_PERSON": "1000"} | self.env
        started: list[Process] = []
        for _ in range(count):
            data = {"DATA_DIR": str(self.folder / f"data{len(self.processes + self.workers + started)}")}
            started.append(await Process.start(self.entry, [command], self.wire.env() | settings | data, self.folder))
        (self.workers if command == "worker" else self.processes).extend(started)
        return started

    async def settled(self, ready: int) -> tuple[dict[int, Process], list[Process]]:
        """Wait until `ready` living processes have a slot: those by slot, and the spares."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                living = [process for process in self.processes if process.returncode is None]
                with_slot = [process for process in living if READY in process.output]
                spares = [process for process in living if process not in with_slot and SPARE in process.output]
                if len(with_slot) >= ready and len(with_slot) + len(spares) == len(living):
                    return {self._slot_of(process): process for process in with_slot}, spares
                await asyncio.sleep(0.05)

    async def ask(self, shard: int, text: str) -> Exchange:
        """Use a command in the server of a shard."""
        self.asked.append(await self.wire.slash("translate", text=text, to="Greek", channel=self.channels[shard]))
        return self.asked[-1]

    async def ask_all(self, text: str, times: int = 1) -> None:
        """Use a command in all servers at once, and see that each is answered."""
        asked = await asyncio.gather(*(self.ask(shard, f"{text} {n}") for n in range(times) for shard in self.channels))
        await asyncio.gather(*(one.answer(is_final) for one in asked))

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    async def open_calls(self, count: int) -> None:
        """Wait until `count` calls are reserved and not settled."""
        await self.count("calls WHERE NOT settled", count)

    async def count(self, what: str, count: int) -> None:
        """Wait until a table has so many rows."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                if await self.rows(f"SELECT count(*) FROM {what}") == [(count,)]:
                    return
                await asyncio.sleep(0.05)

    async def check(self) -> None:
        """Nothing is lost, doubled or passed: each acknowledged command has one answer, or one notice."""
        await self.open_calls(0)
        await self.count("unfinished_answers", 0)
        await self.check_messages()
        await self.check_sums()
        assert await self.rows("SELECT name FROM key_values WHERE name LIKE 'left:%'") == []
        refused = [one for one in await self.wire.requests("POST", "/callback") if one["status"] not in (200, 204)]
        assert refused == []
        assert len(await self.wire.requests("PUT", "/commands")) == 1
        assert all("Traceback" not in process.output for process in self.processes + self.workers)

    async def check_messages(self, *notices: str) -> None:
        """Each acknowledged command has one answer or one notice: that of an interruption, or one of `notices`."""
        for one in self.asked:
            state = await one.state()
            if state["callback"] is not None:
                (message,) = map(Message, state["messages"])
                assert is_final(message) != message.text.endswith((INTERRUPTED, *notices)), message

    async def check_sums(self) -> None:
        """The sum of the day is that of the settled and the open calls."""
        used = "sum(CASE WHEN settled THEN prompt_tokens + completion_tokens ELSE reserved END)"
        ((bot, calls),) = await self.rows(
            f"SELECT amount, (SELECT {used} FROM calls) FROM usage_sums "
            "WHERE user_id = 0 AND guild_id = 0 AND length(period) = 10"
        )
        assert bot == calls

    @staticmethod
    def _slot_of(process: Process) -> int:
        return int(process.output.partition("this process has slot ")[2].split()[0])


@asynccontextmanager
async def open_cluster(
    server: PostgresServer, folder: Path, *, slots: int, shards: int, concurrency: int, rate_limits: bool = True
) -> AsyncIterator[Cluster]:
    """A cluster without processes; those that were started end with the block."""
    async with AsyncExitStack() as stack:
        url = await server.migrated()
        discord = Wire.start(alone=True, shards=shards, max_concurrency=concurrency, rate_limits=rate_limits)
        wire = await stack.enter_async_context(discord)
        model = await stack.enter_async_context(FakeModel())
        cluster = Cluster(wire, model, url, folder, slots, shards)
        first = (GUILD >> 22) % shards
        for number in range(shards):
            guild = GUILD + (((number - first) % shards + shards) << 22)
            made = await wire.create_guild(f"Shard {number}", "room", again=str(guild))
            cluster.channels[number] = made["channels"]["room"]
        try:
            yield cluster
        finally:
            await asyncio.gather(*(process.close() for process in cluster.processes + cluster.workers))
