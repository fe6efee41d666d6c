"""Questions by a model: each chunk asked for facts, wordings and quotes, and a second time whether they are true.

A reply is stored as soon as it is there, before anything is made of it, so that no chunk is paid for twice: a
crash costs at most the calls that were in the air. Several chunks are asked at one time.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.core.errors import LimitError, ModelError, NoModelError
from bot.core.i18n import N_
from bot.llm.template import ChatTemplate
from bot.storage import datasets
from bot.storage.database import Database
from bot.storage.datasets import ChunkRow, DatasetRow, PairRow
from bot.tuning.billing import Purse
from bot.tuning.checks.grounding import squeezed
from bot.tuning.localized_text import kept, kept_error, told
from bot.tuning.rows import ANSWERABLE, UNANSWERABLE
from bot.tuning.words import bag_key, digest, sentence_key

# Chunks asked at one time. Each reserves its longest answer against the day's limits, so not as many as could be.
TOGETHER = 8
QUESTIONS, SUPPORT = "questions", "support"
# Wordings, and facts of a chunk, that are taken; a model that runs wild writes the same for ever.
MOST_WORDINGS, MOST_FACTS = 8, 60
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of a dataset's chunks: how many could be used, and why the others could not."""

    done: int
    failed: int
    problems: tuple[str, ...]


class Generator:
    """Asks a model about the chunks of a dataset."""

    def __init__(self, database: Database, templates: Mapping[str, ChatTemplate], purse: Purse) -> None:
        self._database, self._templates, self._purse = database, templates, purse

    async def run(self, dataset: DatasetRow, user_id: int, progress: Progress | None = None) -> Generated:
        """Ask about every chunk that is not done, from where the last run left off.

        Raises `LimitError` or `NoModelError`, after which it can be run again; a chunk whose answers cannot be
        used is counted as failed, and the others go on.
        """
        waiting = await datasets.chunk_states(self._database, dataset.id)
        total, left = sum(waiting.values()), waiting.get("waiting", 0) + waiting.get("asked", 0)
        numbers = asyncio.Queue[int]()
        for number in await datasets.chunk_numbers(self._database, dataset.id, "waiting", "asked"):
            numbers.put_nowait(number)

        async def work() -> None:
            nonlocal left
            while not numbers.empty():
                await self._chunk(dataset, numbers.get_nowait(), user_id)
                left -= 1
                if progress:
                    progress(total - left, total)

        if progress:
            progress(total - left, total)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(TOGETHER, left)):
                    group.create_task(work())
        except ExceptionGroup as errors:
            # The first is what stopped the others; each of them is a sentence of its own.
            raise errors.exceptions[0] from None
        states = await datasets.chunk_states(self._database, dataset.id)
        problems = await self.problems(dataset)
        return Generated(states.get("checked", 0), states.get("failed", 0), problems)

    async def problems(self, dataset: DatasetRow) -> tuple[str, ...]:
        """Why chunks could not be used, in their order."""
        return tuple(map(told, await datasets.chunk_problems(self._database, dataset.id)))

    async def _chunk(self, dataset: DatasetRow, number: int, user_id: int) -> None:
        """Take one chunk as far as it goes."""
        chunk = await datasets.chunk(self._database, dataset.id, number)
        try:
            if chunk.state == "waiting":
                values = {"corpus": dataset.corpus, "source": chunk.source, "text": chunk.text, "n": str(dataset.size)}
                reply = await self._asked(user_id, QUESTIONS, values)
                await datasets.set_chunk(self._database, chunk, state="asked", reply=json.dumps(reply))
                chunk = replace(chunk, state="asked", reply=json.dumps(reply))
            claims = claims_of(facts_of(chunk))
            verdicts = (
                {"verdicts": []}
                if not claims
                else await self._asked(user_id, SUPPORT, {"text": chunk.text, "claims": claims})
            )
            await datasets.set_chunk(self._database, chunk, state="checked", verdicts=json.dumps(verdicts))
        except (LimitError, NoModelError):
            raise
        except ModelError as error:
            problem = kept(N_("{source}: {reason}"), source=chunk.source, reason=kept_error(error))
            await datasets.set_chunk(self._database, chunk, state="failed", problem=problem)

    async def _asked(self, user_id: int, template: str, values: Mapping[str, str]) -> dict[str, Any]:
        """A checked reply; a reply of another form gets one repair turn."""
        answer = await self._purse.ask(user_id, self._templates[template], values)
        assert isinstance(answer.reply, dict), "the template promises JSON"
        return answer.reply


def facts_of(chunk: ChunkRow) -> list[dict[str, Any]]:
    """The facts of a chunk's reply that say anything, each with different wordings."""
    found = []
    for fact in json.loads(chunk.reply).get("facts", [])[:MOST_FACTS]:
        answer, quote = squeezed(fact["answer"]), exact(chunk.text, fact["quote"])
        asked = {sentence_key(text): squeezed(text) for text in fact["questions"] if sentence_key(text)}
        if answer and asked:
            name = str(fact.get("fact") or answer)
            found.append(
                {"fact": name, "answer": answer, "quote": quote, "questions": list(asked.values())[:MOST_WORDINGS]}
            )
    return found


def claims_of(facts: Sequence[Mapping[str, Any]]) -> str:
    """The claims of a chunk, numbered, for the second look."""
    return "\n".join(f"{number}. {fact['questions'][0]} {fact['answer']}" for number, fact in enumerate(facts, 1))


def exact(text: str, quote: str) -> str:
    """The part of `text` that differs from `quote` only in white space; without one, the quote with single spaces."""
    if quote in text:
        return quote
    wanted = "".join(quote.split())
    # Compare without white space, and map the place found back to `text`: this takes linear time.
    positions = [position for position, char in enumerate(text) if not char.isspace()]
    found = "".join(text.split()).find(wanted) if wanted else -1
    if found < 0:
        return squeezed(quote)
    return text[positions[found] : positions[found + len(wanted) - 1] + 1]


def pairs_of(chunks: Sequence[ChunkRow], dataset_id: str, refusal: str) -> tuple[list[PairRow], dict[int, list[str]]]:
    """The pairs of all chunks with the doubts of the second look by line; what chunks repeat stands once."""
    pairs: list[PairRow] = []
    doubts: dict[int, list[str]] = {}
    asked: dict[tuple[str, ...], str] = {}
    facts: dict[tuple[Any, ...], str] = {}
    for chunk in chunks:
        if chunk.state != "checked":
            continue
        refused = _refused(chunk)
        for number, fact in enumerate(facts_of(chunk), 1):
            key = (sentence_key(fact["answer"]), sentence_key(fact["quote"]))
            name = facts.setdefault(key, f"{digest(chunk.source, fact['fact'], *key[0])[:6]}-{fact['fact'][:80]}")
            for question in fact["questions"]:
                bag = bag_key(question)
                if asked.get(bag) == digest(*key[0]):
                    continue
                asked[bag] = digest(*key[0])
                pairs.append(
                    PairRow(
                        *(0, dataset_id, len(pairs) + 1, name, ANSWERABLE),
                        *(question, fact["answer"], chunk.source, fact["quote"]),
                    )
                )
                if number in refused:
                    doubts[len(pairs)] = [refused[number]]
        for question in dict.fromkeys(map(squeezed, json.loads(chunk.reply).get("unanswerable", []))):
            if sentence_key(question) and bag_key(question) not in asked:
                asked[bag_key(question)] = ""
                name = f"unanswerable-{digest(question)[:8]}"
                pairs.append(PairRow(0, dataset_id, len(pairs) + 1, name, UNANSWERABLE, question, refusal))
    return pairs, doubts


def _refused(chunk: ChunkRow) -> dict[int, str]:
    """The numbers of the facts that the second look did not find supported, with its reason as it is kept."""
    said: dict[int, str] = {}
    for verdict in json.loads(chunk.verdicts or "{}").get("verdicts", []):
        if not verdict["supported"]:
            why = str(verdict.get("why") or "")[:200]
            doubt = kept(N_("A second check found that the source does not support it: {reason}"), reason=why)
            said[verdict["number"]] = (
                doubt if why else kept(N_("A second check found that the source does not support it."))
            )
    return said
