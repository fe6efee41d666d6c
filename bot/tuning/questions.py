"""Questions by a model: each chunk is asked for facts, wordings and quotes, and then whether the text supports them.

A reply is stored as soon as it arrives, so that no chunk is paid for twice: a crash costs at most the calls that were
being made. Several chunks are asked at one time.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.core.caller import Caller
from bot.core.concurrency import for_each
from bot.core.errors import LimitError, ModelError, NoModelError
from bot.core.i18n import N_
from bot.core.json_text import read_json, without_surrogates
from bot.llm.template import ChatTemplate
from bot.server.model_gateway import ModelGateway
from bot.storage import datasets as dataset_rows
from bot.storage.database import Database
from bot.storage.datasets import ChunkRow, DatasetRow, PairRow
from bot.tuning.localized_text import localize, serialize, serialize_error
from bot.tuning.rows import ANSWERABLE, UNANSWERABLE
from bot.tuning.words import bag_key, digest, sentence_key, squeezed

# Chunks asked at one time. Each reserves its longest answer against the day's limits, which bounds them.
CONCURRENT = 8
# The templates of the two calls.
QUESTIONS, SUPPORT = "questions", "support"
# Wordings of a fact, and facts of a chunk, that are taken: a model may repeat itself without end.
MAX_WORDINGS, MAX_FACTS = 8, 60
COPIED = N_("The check of this chunk repeated its example, so that nothing has checked this pair.")
# Takes how many parts of a long work are done, and how many there are.
Progress = Callable[[int, int], None]


def no_progress(_done: int, _total: int) -> None:
    """Report nothing."""


class Generator:
    """Asks a model about the chunks of a dataset."""

    def __init__(self, database: Database, templates: Mapping[str, ChatTemplate], gateway: ModelGateway) -> None:
        self._database, self._templates, self._gateway = database, templates, gateway

    async def run(self, dataset: DatasetRow, user_id: int, progress: Progress) -> tuple[str, ...]:
        """Ask about every chunk that is not done; returns why chunks could not be used, in their order.

        Raises `LimitError` or `NoModelError`, after which it can be run again. After a chunk whose answers cannot be
        used, the others are asked.
        """
        done, total = await dataset_rows.chunks_done(self._database, dataset.id)
        numbers = await dataset_rows.chunk_numbers(self._database, dataset.id, "waiting", "asked")

        async def ask(number: int) -> None:
            nonlocal done
            await self._chunk(dataset, number, Caller(user_id))
            done += 1
            progress(done, total)

        progress(done, total)
        await for_each(numbers, ask, at_once=CONCURRENT)
        return await self.problems(dataset)

    async def problems(self, dataset: DatasetRow) -> tuple[str, ...]:
        """Why chunks could not be used, in their order."""
        return tuple(map(localize, await dataset_rows.chunk_problems(self._database, dataset.id)))

    async def _chunk(self, dataset: DatasetRow, number: int, caller: Caller) -> None:
        """Ask what is still to be asked about one chunk."""
        chunk = await dataset_rows.chunk(self._database, dataset.id, number)
        try:
            if chunk.state == "waiting":
                values = {"corpus": dataset.corpus, "source": chunk.source, "text": chunk.text, "n": str(dataset.size)}
                reply = json.dumps(await self._asked(caller, QUESTIONS, values))
                await dataset_rows.set_chunk(self._database, chunk, state="asked", reply=reply)
                chunk = replace(chunk, state="asked", reply=reply)
            claims = await asyncio.to_thread(_claims, chunk)
            verdicts: dict[str, Any] = {"verdicts": []}
            if claims:
                verdicts = await self._asked(caller, SUPPORT, {"text": chunk.text, "claims": claims})
                if _is_copied(verdicts, self._templates[SUPPORT]):
                    verdicts = {**verdicts, "copied": True}
            await dataset_rows.set_chunk(self._database, chunk, state="checked", verdicts=json.dumps(verdicts))
        except (LimitError, NoModelError):
            raise
        except ModelError as error:
            problem = serialize(N_("{source}: {reason}"), source=chunk.source, reason=serialize_error(error))
            await dataset_rows.set_chunk(self._database, chunk, state="failed", problem=problem)

    async def _asked(self, caller: Caller, template: str, values: Mapping[str, str]) -> dict[str, Any]:
        """A reply in the template's form; a reply in another form gets one repair turn."""
        answer = await self._gateway.ask(caller, self._templates[template].fill(values), cache=False, background=True)
        assert isinstance(answer.reply, dict), "the template promises JSON"
        return answer.reply


def chunk_facts(chunk: ChunkRow) -> list[dict[str, Any]]:
    """The facts of a chunk's reply that have an answer and a question, each with different wordings.

    Takes 50 ms for 60 facts: call it in a thread.
    """
    found = []
    for fact in read_json(chunk.reply).get("facts", [])[:MAX_FACTS]:
        answer, quote = _clean(fact["answer"]), exact(chunk.text, without_surrogates(fact["quote"]))
        asked = {sentence_key(text): _clean(text) for text in fact["questions"] if sentence_key(text)}
        if answer and asked:
            name = _clean(str(fact.get("fact") or answer))
            wordings = list(asked.values())[:MAX_WORDINGS]
            found.append({"fact": name, "answer": answer, "quote": quote, "questions": wordings})
    return found


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


def pairs_of(chunks: Sequence[ChunkRow], refusal: str) -> tuple[list[PairRow], dict[int, list[str]]]:
    """The pairs of all checked chunks, each once, and by line the doubts of the second call, serialized."""
    pairs: list[PairRow] = []
    doubts: dict[int, list[str]] = {}
    asked: dict[tuple[str, ...], str] = {}
    facts: dict[tuple[Any, ...], str] = {}
    for chunk in chunks:
        if chunk.state != "checked":
            continue
        found = chunk_facts(chunk)
        doubted = _doubts(chunk, len(found))
        for number, fact in enumerate(found, 1):
            key = (sentence_key(fact["answer"]), sentence_key(fact["quote"]))
            name = facts.setdefault(key, f"{digest(chunk.source, fact['fact'], *key[0])[:6]}-{fact['fact'][:80]}")
            for question in fact["questions"]:
                bag = bag_key(question)
                if asked.get(bag) == digest(*key[0]):
                    continue
                asked[bag] = digest(*key[0])
                line, answer, quote = len(pairs) + 1, fact["answer"], fact["quote"]
                pairs.append(PairRow(line, name, ANSWERABLE, question, answer, chunk.source, quote))
                if number in doubted:
                    doubts[len(pairs)] = [doubted[number]]
        for question in _unanswerable(chunk):
            if sentence_key(question) and bag_key(question) not in asked:
                asked[bag_key(question)] = ""
                name = f"unanswerable-{digest(question)[:8]}"
                pairs.append(PairRow(len(pairs) + 1, name, UNANSWERABLE, question, refusal))
    return pairs, doubts


def _claims(chunk: ChunkRow) -> str:
    """The claims of a chunk, numbered, for the second call."""
    facts = chunk_facts(chunk)
    return "\n".join(f"{number}. {fact['questions'][0]} {fact['answer']}" for number, fact in enumerate(facts, 1))


def _is_copied(reply: Mapping[str, Any], template: ChatTemplate) -> bool:
    """Whether a reply repeats every verdict of the template's example, with its reasons."""
    given = _reasons(reply.get("verdicts", []))
    for message in template.messages:
        if message["role"] == "assistant":
            try:
                example = _reasons(read_json(message["content"]).get("verdicts", []))
            except ValueError:
                continue
            if example and example <= given:
                return True
    return False


def _reasons(verdicts: Iterable[Mapping[str, Any]]) -> set[tuple[int, str]]:
    """The reasons of verdicts, with their numbers; a verdict without a reason tells nothing about copying."""
    return {(verdict["number"], why) for verdict in verdicts if (why := squeezed(str(verdict.get("why") or "")))}


def _doubts(chunk: ChunkRow, facts: int) -> dict[int, str]:
    """By number, the facts that the second call did not find supported, with its reason, serialized."""
    reply = read_json(chunk.verdicts or "{}")
    if reply.get("copied"):
        return dict.fromkeys(range(1, facts + 1), serialize(COPIED))
    reasons: dict[int, str] = {}
    for verdict in reply.get("verdicts", []):
        if not verdict["supported"]:
            why = without_surrogates(str(verdict.get("why") or ""))[:200]
            doubt = serialize(N_("A second check found that the source does not support it: {reason}"), reason=why)
            reasons[verdict["number"]] = (
                doubt if why else serialize(N_("A second check found that the source does not support it."))
            )
    return reasons


def _unanswerable(chunk: ChunkRow) -> list[str]:
    """The questions of a chunk's reply that its text does not answer, each once."""
    return list(dict.fromkeys(map(_clean, read_json(chunk.reply).get("unanswerable", []))))


def _clean(text: str) -> str:
    """A text of a stored reply with single spaces, and without half characters, which no database takes."""
    return squeezed(without_surrogates(text))
