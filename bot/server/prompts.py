"""The prompt behind an answer: what the Prompt button shows.

Every answer's prompt is held in memory for a while. Public answers' prompts are kept in the database as well,
for the operator's number of days; private ones only when their asker presses Prompt, and none at all where the
operator keeps none.
"""

import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from decimal import Decimal
from math import inf
from time import time
from typing import Any

from bot.core.caller import Caller, SourceMessage
from bot.core.settings import STAND_IN
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.storage import prompts as rows
from bot.storage.database import Database

HOUR, DAY = 3_600, 86_400
# Prompts held in memory: at most 6,000 characters of text each and as much again, so some 24 MB at the worst.
HELD = 1_000
# Seconds after somebody was forgotten in which a request may still go out that was put together before.
SETTLING = 10
# The newest deleted messages that are remembered, for prompts that are on their way when their message goes.
DELETED = 10_000


@dataclass(frozen=True, slots=True)
class Prompt:
    """What was sent, what came back, what it took. `usd` is None where the model's price is not known.

    `source` and `values` are the template and what it was filled with, so that the same input can be run again
    with other examples; prompts that no template made have none. `finish` is "unasked" where no model is connected.
    `at` is when it was asked, in seconds since 1970.
    """

    id: str
    caller: Caller
    template: str
    technique: str
    examples: int
    messages: tuple[dict[str, str], ...]
    parameters: dict[str, Any]
    text: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    estimated: bool
    seconds: float
    usd: str | None
    finish: str
    at: float = field(default_factory=time)
    message_id: int | None = None
    source: ChatTemplate | None = None
    values: Mapping[str, str] = field(default_factory=dict)


def prompt_of(
    answer: Answer,
    caller: Caller,
    prompt_id: str,
    source: ChatTemplate | None = None,
    values: Mapping[str, str] | None = None,
) -> Prompt:
    """The prompt behind `answer`, which came of `source` filled with `values`."""
    request, usage = answer.request, answer.usage
    return Prompt(
        id=prompt_id,
        caller=caller,
        template=request.template,
        technique=request.technique,
        examples=request.examples,
        messages=answer.messages,
        parameters=dict(answer.parameters),
        text=answer.text,
        model=answer.model,
        prompt_tokens=usage.prompt,
        cached_tokens=usage.cached,
        completion_tokens=usage.completion,
        estimated=usage.estimated,
        seconds=round(answer.seconds, 2),
        usd=None if answer.price is None else str(Decimal(answer.price).normalize()),
        finish=answer.finish,
        source=source,
        values=dict(values or {}),
    )


def dry_run(request: Request, caller: Caller, source: ChatTemplate, values: Mapping[str, str]) -> Prompt:
    """The prompt that would have been sent, were a model connected."""
    return Prompt(
        id=new_id(),
        caller=caller,
        template=request.template,
        technique=request.technique,
        examples=request.examples,
        messages=request.messages,
        parameters=dict(request.parameters),
        text="",
        model=STAND_IN,
        prompt_tokens=0,
        cached_tokens=0,
        completion_tokens=0,
        estimated=False,
        seconds=0.0,
        usd=None,
        finish="unasked",
        source=source,
        values=dict(values),
    )


def new_id() -> str:
    """An id that nobody guesses; short, because it travels in a button."""
    return secrets.token_urlsafe(9)


@dataclass(slots=True)
class _Erasure:
    """Prompts that `match` and were asked before `until` are neither held nor kept."""

    match: Callable[[Prompt], bool]
    until: float = inf


class Prompts:
    """Holds and keeps prompts; one for the process."""

    def __init__(self, database: Database, retention_days: int, now: Callable[[], float] = time) -> None:
        self._database, self._days, self._now = database, retention_days, now
        self._held: OrderedDict[str, Prompt] = OrderedDict()
        self._erasures: list[_Erasure] = []
        self._deleted: OrderedDict[int, None] = OrderedDict()

    def hold(self, prompt: Prompt) -> None:
        """Hold `prompt` in memory; the oldest goes when there are too many."""
        if self._is_erased(prompt):
            return
        self._held[prompt.id] = prompt
        while len(self._held) > HELD:
            self._held.popitem(last=False)

    async def keep(self, prompt: Prompt, *, new: bool = True, soon: bool = False) -> None:
        """Keep `prompt` over restarts, unless the operator keeps none; `new` says that it never was before.

        A new one joins the next group of writes, which `soon` begins at once: where no other answer is under way,
        that costs nothing, and leaves a `kill -9` no half second in which the prompt could be lost.
        """
        if not self._days or self._is_erased(prompt):
            return
        caller = prompt.caller
        row = rows.KeptPrompt(
            prompt.id,
            prompt.at,
            caller.user_id,
            caller.guild_id,
            caller.channel_id,
            prompt.message_id,
            caller.source.message_id if caller.source else None,
            caller.source.author_id if caller.source else None,
            _body(prompt),
        )
        if new:
            rows.keep(self._database, row)
            if soon:
                self._database.hurry()
        else:
            await rows.replace(self._database, row)

    async def find(self, prompt_id: str) -> Prompt | None:
        """The prompt with this id, while it is held or kept."""
        if prompt_id in self._held:
            return self._held[prompt_id]
        row = await rows.find(self._database, prompt_id) if self._days else None
        if row is None:
            return None
        data = json.loads(row.body)
        source = data.get("source")
        quoted = SourceMessage(row.source_id, row.author_id) if row.source_id and row.author_id else None
        return Prompt(
            **{
                **data,
                "id": row.id,
                "at": row.at,
                "caller": Caller(row.user_id, row.guild_id, row.channel_id, quoted),
                "messages": tuple(data["messages"]),
                "message_id": row.message_id,
                "source": ChatTemplate.from_dict(source, name=data["template"]) if source else None,
            }
        )

    async def forget_old(self) -> int:
        """Drop what is older than the operator's number of days; how many were kept so long.

        What is held in memory goes as well, after an hour where the operator keeps nothing.
        """
        now = self._now()
        oldest = now - max(self._days * DAY, HOUR)
        self._drop(lambda prompt: prompt.at < oldest)
        # Nothing asks for a whole day: what was on its way when something was erased has come to an end by then.
        self._erasures = [one for one in self._erasures if one.until > now - DAY]
        return await rows.drop_before(self._database, now - self._days * DAY)

    async def forget_message(self, *message_ids: int) -> None:
        """Messages were deleted: drop the prompts of the answers in them, and those that were made from them."""
        for message_id in message_ids:
            self._deleted[message_id] = None
        while len(self._deleted) > DELETED:
            self._deleted.popitem(last=False)
        self._drop(self._stood_in_deleted)
        await rows.drop_of_message(self._database, list(message_ids))

    @contextmanager
    def erasing(self, match: Callable[[Prompt], bool]) -> Iterator[None]:
        """Hold none of the prompts that `match`, while the block drops those that are kept.

        What is being asked meanwhile is held and kept no more when it comes back, however late.
        """
        erasure = _Erasure(match)
        self._erasures.append(erasure)
        self._drop(match)
        try:
            yield
        finally:
            erasure.until = self._now() + SETTLING

    def held_by(self, user_id: int) -> list[dict[str, Any]]:
        """What is held in memory of a person's own prompts, for their export."""
        mine = [prompt for prompt in self._held.values() if prompt.caller.user_id == user_id]
        return [{"id": prompt.id, "at": prompt.at, **json.loads(_body(prompt))} for prompt in mine]

    def _drop(self, match: Callable[[Prompt], bool]) -> None:
        for prompt in [prompt for prompt in self._held.values() if match(prompt)]:
            del self._held[prompt.id]

    def _is_erased(self, prompt: Prompt) -> bool:
        erased = any(prompt.at <= one.until and one.match(prompt) for one in self._erasures)
        return erased or self._stood_in_deleted(prompt)

    def _stood_in_deleted(self, prompt: Prompt) -> bool:
        quoted = prompt.caller.source
        return prompt.message_id in self._deleted or (quoted is not None and quoted.message_id in self._deleted)


def _body(prompt: Prompt) -> str:
    """The part of a prompt that has no column of its own, as JSON."""
    data = {item.name: getattr(prompt, item.name) for item in fields(prompt)}
    for name in ("id", "caller", "at", "message_id"):
        del data[name]
    data["source"] = prompt.source.to_dict() if prompt.source else None
    return json.dumps(data, ensure_ascii=False)
