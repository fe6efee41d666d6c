"""The whole bot with a fake tuning provider and a model that writes questions; an operator tunes by `/finetune`.

async with open_tuning_harness(texts=12) as tuning_harness:
    tuning_harness.writer()
    async with tuning_harness.bot() as process:
        await tuning_harness.prepare()
        await tuning_harness.start()
        await tuning_harness.killed(process, lambda: tuning_harness.provider.creating)
    async with tuning_harness.bot():
        await tuning_harness.done()
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bot.harness import BotHarness, open_harness
from tests.tuning.fake_provider import FakeProvider
from tests.wire.exchange import Message
from tests.wire.process import Process
from tests.wire.seeds import PEOPLE

ENTRY = "tests.tuning.launched:main"
CORPUS = "bakers"
# Seconds that anything may take on a busy machine.
TIMEOUT = 90.0
FORMS = ("What does {} bake?", "{}, which bread?", "Name the bread of {}.", "Tell me what {} bakes, baker that he is.")


@dataclass
class Writer:
    """Replies with questions about a text, and with verdicts that support every claim.

    After `stops` replies it holds all others until `goes_on`. `asked` and `answered` count requests and replies by the
    last message of the prompt.
    """

    tuning_harness: "TuningHarness"
    stops: int | None = None
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)

    def __call__(self, body: dict[str, Any]) -> str:
        said = str(body["messages"][-1]["content"])
        self.asked[said] += 1
        if self.stops is not None and self.answered.total() >= self.stops:
            self.tuning_harness.harness.model.holds()
        else:
            self.answered[said] += 1
        if "The claims:" in said:
            return '{"verdicts": []}'
        names = re.findall(r"Baker \S+ bakes", said)
        facts = [self._fact(name.split()[1]) for name in names]
        return json.dumps({"facts": facts, "unanswerable": [f"How old is {name.split()[1]}?" for name in names]})

    def _fact(self, name: str) -> dict[str, object]:
        questions = [form.format(name) for form in FORMS]
        return {"answer": f"bread{name}", "quote": f"Baker {name} bakes bread{name}.", "questions": questions}

    def goes_on(self, stops: int | None = None) -> None:
        """Reply again, up to `stops` replies in all."""
        self.stops = stops
        self.tuning_harness.harness.model.release()


@dataclass
class TuningHarness:
    """What a test of tuning with the whole bot needs."""

    harness: BotHarness
    provider: FakeProvider
    folder: Path
    env: dict[str, str]

    @asynccontextmanager
    async def bot(self, **env: str) -> AsyncIterator[Process]:
        """Run the bot while the block runs."""
        given = self.harness.env(**(self.env | env))
        async with self.harness.wire.bot("run", entry=ENTRY, env=given, ready="Invite: ") as process:
            yield process

    def texts(self, number: int, facts: int) -> None:
        """Write `number` texts with `facts` facts each."""
        for text in range(number):
            told = " ".join(f"Baker B{text}x{fact} bakes breadB{text}x{fact}." for fact in range(facts))
            (self.folder / f"text{text:02}.txt").write_text(told, encoding="utf-8")

    def writer(self) -> Writer:
        """Let the model write questions from now on."""
        writer = Writer(self)
        self.harness.model.says(writer)
        return writer

    async def prepare(self) -> Message:
        """Use `/finetune prepare`; returns the card of the prepared dataset."""
        exchange = await self.harness.slash("finetune prepare", corpus=CORPUS, user="operator")
        return await exchange.answer(lambda found: "Prepared ·" in found.text, timeout=TIMEOUT)

    async def estimate(self) -> Message:
        """The confirmation of a job on the newest dataset, with its button."""
        offered = await self.harness.wire.autocomplete("finetune start", "dataset", CORPUS, user="operator")
        return await self.harness.answer("finetune start", dataset=offered[0]["value"], user="operator")

    async def start(self, button: str = "Start: price not known") -> None:
        """Confirm the price, without waiting for the job."""
        await self.harness.wire.press(await self.estimate(), button, user="operator")

    async def card(self, words: str) -> Message:
        """The job's card, once it shows these words."""
        return await self.harness.wire.until(
            lambda found: f"Training {CORPUS}" in found.text and words in found.text,
            channel=self.harness.place,
            timeout=TIMEOUT,
        )

    async def done(self) -> Message:
        """The job's card at its end, with its pictures."""
        return await self.card("done")

    async def killed(self, process: Process, when: Callable[[], object]) -> None:
        """Kill the bot as soon as `when` is true; it must be running then."""
        ends = time.monotonic() + TIMEOUT
        while process.returncode is None and not when():
            if time.monotonic() > ends:
                jobs = self.harness.rows("SELECT state, status, step, scored, error FROM tuning_jobs")
                raise AssertionError(f"The moment did not come; jobs: {jobs}\n{process.output}")
            await asyncio.sleep(0.01)
        assert process.returncode is None, process.output
        process.kill()
        await process.wait()
        assert "Traceback" not in process.output, process.output

    def one(self, sql: str) -> Any:
        """The single value that a query of the bot's database returns."""
        ((value,),) = self.harness.rows(sql)
        return value

    async def nothing_twice(self) -> None:
        """One job, two files, each event once and one card: at the provider, in the database and in the channel."""
        assert len(self.provider.creating) == 1
        names = [file["card"]["filename"] for file in self.provider.files.values()]
        assert len(names) == len(set(names)) == 2
        assert self.harness.rows("SELECT state FROM tuning_jobs") == [("done",)]
        events = self.harness.rows("SELECT event_id, number FROM tuning_events ORDER BY number")
        assert [number for _, number in events] == list(range(1, len(events) + 1))
        assert len({event for event, _ in events}) == len(events) > 0
        cards = [found for found in await self.harness.wire.messages(self.harness.place) if "Training" in found.text]
        assert len(cards) == 1


@asynccontextmanager
async def open_tuning_harness(*, texts: int = 3, facts: int = 6, **provider: Any) -> AsyncIterator[TuningHarness]:
    """Start Discord, the model and the provider, with a corpus without a dataset, and without a bot."""
    async with AsyncExitStack() as stack:
        harness = await stack.enter_async_context(open_harness())
        fake = await stack.enter_async_context(FakeProvider(**provider))
        yield await add_tuning(harness, fake, texts=texts, facts=facts)


async def add_tuning(harness: BotHarness, provider: FakeProvider, *, texts: int = 3, facts: int = 6) -> TuningHarness:
    """Make the operator an administrator, and a corpus without a dataset beside the bot's data."""
    await harness.wire.grant("operator", "administrator")
    folder = harness.folder.parent / CORPUS
    folder.mkdir()
    env = {
        "CORPORA": f"{CORPUS}={folder}",
        "OPERATOR_IDS": str(PEOPLE["operator"]),
        "TUNING_PROVIDER": "custom",
        "TUNING_BASE_URL": provider.url,
        "TUNING_API_KEY": "sk-tuning",
        "TUNING_MODEL": "base-8b",
    }
    tuning_harness = TuningHarness(harness, provider, folder, env)
    tuning_harness.texts(texts, facts)
    return tuning_harness
