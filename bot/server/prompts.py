"""Stored prompts and answers, for the Prompt button.

Every answer is cached in memory. Public answers are also stored in the database for RETENTION_DAYS; private
ones only after their asker pressed Prompt or shared them. With RETENTION_DAYS=0 nothing is stored in the database.
"""

import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from math import inf
from time import time
from typing import Any

from bot.core.caller import Caller, SourceMessage
from bot.core.errors import FewshotError
from bot.core.json_text import read_json
from bot.llm.completion import Answer, Display, parsed
from bot.llm.output_parsers import Reply
from bot.llm.request import Conversation, Request, message_from_dict, message_to_dict
from bot.llm.template import ChatTemplate
from bot.llm.usage import Usage
from bot.server.trick_form import check_schema
from bot.storage import prompts as rows
from bot.storage.database import Database

HOUR, DAY = 3_600, 86_400
# Prompts cached in memory: at most about 12,000 characters each, so at most some 24 MB.
MAX_CACHED = 1_000
# Characters of the pictures in them, as `data:` URLs. Above this the oldest pictures are dropped; their answers stay.
MAX_PICTURES = 32_000_000
# Seconds after an erasure in which an older request may still be answered.
ERASURE_GRACE = 10
# Ids of the newest deleted messages, for answers that arrive after their message was deleted.
MAX_DELETED_IDS = 10_000


def new_id() -> str:
    """A random id that cannot be guessed and is short enough for a button's custom id."""
    return secrets.token_urlsafe(9)


@dataclass(slots=True)
class _Erasure:
    """Answers that `match` and were asked before `until` are not stored."""

    match: Callable[[Answer], bool]
    until: float = inf


class Prompts:
    """Prompts in memory and in the database. One for the process."""

    def __init__(self, database: Database, retention_days: int, now: Callable[[], float] = time) -> None:
        self._database, self._days, self._now = database, retention_days, now
        self._cached: OrderedDict[str, Answer] = OrderedDict()
        self._erasures: list[_Erasure] = []
        self._deleted: OrderedDict[int, None] = OrderedDict()

    def cache(self, answer: Answer) -> None:
        """Cache `answer` in memory; above `MAX_CACHED` answers, the oldest is dropped."""
        if self._is_erased(answer):
            return
        self._cached[answer.id] = answer
        while len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)
        if _picture_size(answer):
            self._bound_pictures()

    def _bound_pictures(self) -> None:
        """Drop the oldest pictures above `MAX_PICTURES`."""
        size = 0
        for prompt_id, answer in reversed(list(self._cached.items())):
            size += _picture_size(answer)
            if size > MAX_PICTURES and _picture_size(answer):
                self._cached[prompt_id] = _without_pictures(answer)

    async def persist(self, answer: Answer, *, new: bool = True, soon: bool = False) -> None:
        """Store `answer` in the database, unless RETENTION_DAYS is 0; `new` says that it was not stored before.

        A new answer is written within half a second, or before this returns if `soon`. That protects it from a
        `kill -9` in that half second, and costs little where no other answer is in progress.
        """
        if not self._days or self._is_erased(answer):
            return
        caller, conversation = answer.caller, answer.request.conversation
        row = rows.StoredPrompt(
            answer.id,
            answer.at,
            caller.user_id,
            caller.guild_id,
            caller.channel_id,
            answer.message_id,
            caller.source.message_id if caller.source else None,
            caller.source.author_id if caller.source else None,
            _body(answer),
            conversation.parent if conversation else None,
        )
        if conversation and await self.find(conversation.parent) is None:
            return  # The message that it follows was deleted, or a person whose words it holds was erased.
        authors = conversation.authors if conversation else ()
        if new:
            rows.add(self._database, row, authors)
            if soon:
                await self._database.flush()
        else:
            await rows.replace(self._database, row, authors)

    def set_message(self, answer: Answer, message_id: int | None) -> None:
        """Store which message shows the stored `answer`. With None, discard the answer: it could not be shown."""
        shown = replace(answer, message_id=message_id)
        is_lost = message_id is None or self._is_erased(shown)
        if is_lost:
            self._cached.pop(answer.id, None)
        else:
            self.cache(shown)
        if self._days and is_lost:
            rows.discard(self._database, answer.id)
        elif self._days and message_id is not None:
            rows.set_message(self._database, answer.id, message_id)

    async def find(self, prompt_id: str) -> Answer | None:
        """The answer with this id; None if it is not stored any more."""
        if prompt_id in self._cached:
            return self._cached[prompt_id]
        row = await rows.find(self._database, prompt_id) if self._days else None
        return None if row is None else _from_row(row)

    async def versions(self, answer: Answer, message_id: int) -> list[Answer]:
        """All stored versions of `answer` in the message that shows it, oldest first; `answer` is among them."""
        there = await self._in_message(message_id)
        versions = {one.id: one for one in there if one.request.name == answer.request.name}
        return sorted((versions | {answer.id: answer}).values(), key=lambda one: one.at)

    async def newest_versions(self, message_id: int) -> list[Answer]:
        """All stored versions of the answer that a message shows, oldest first; none where nothing is stored."""
        there = await self._in_message(message_id)
        return await self.versions(max(there, key=lambda one: one.at), message_id) if there else []

    async def _in_message(self, message_id: int) -> list[Answer]:
        """The answers in a message: an answer to /ask shares it with the prompt that chose the trick."""
        stored = await rows.of_message(self._database, message_id) if self._days else ()
        found = {row.id: _from_row(row) for row in stored}
        found |= {one.id: one for one in self._cached.values() if one.message_id == message_id}
        return list(found.values())

    async def forget_old(self) -> int:
        """Delete answers older than RETENTION_DAYS; returns how many of them were in the database."""
        self.forget_old_in_memory()
        return await rows.drop_before(self._database, self._now() - self._days * DAY)

    def forget_old_in_memory(self) -> None:
        """Drop answers older than RETENTION_DAYS from memory; with RETENTION_DAYS=0, those older than an hour."""
        now = self._now()
        oldest = now - max(self._days * DAY, HOUR)
        self._drop(lambda answer: answer.at < oldest)
        # No call takes a day, so no answer that was in progress at the erasure can still arrive.
        self._erasures = [one for one in self._erasures if one.until > now - DAY]

    async def forget_message(self, *message_ids: int) -> None:
        """Messages were deleted: drop the answers that were shown in them or made from them."""
        for message_id in message_ids:
            self._deleted[message_id] = None
        while len(self._deleted) > MAX_DELETED_IDS:
            self._deleted.popitem(last=False)
        self._drop(self._is_of_deleted)
        await rows.drop_of_message(self._database, list(message_ids))

    @contextmanager
    def erasing(self, match: Callable[[Answer], bool]) -> Iterator[None]:
        """Drop the answers that `match` from memory, while the block drops those in the database.

        Answers that are in progress meanwhile are not stored when they arrive.
        """
        erasure = _Erasure(match)
        self._erasures.append(erasure)
        self._drop(match)
        try:
            yield
        finally:
            erasure.until = self._now() + ERASURE_GRACE

    def erased_elsewhere(self, match: Callable[[Answer], bool]) -> None:
        """Another process has erased what `match` finds: drop it here, also what was stored meanwhile."""
        for answer in filter(match, self._cached.values()):
            rows.discard(self._database, answer.id)
        with self.erasing(match):
            pass

    def in_memory_of(self, user_id: int) -> list[dict[str, Any]]:
        """A person's own answers in memory, for their export."""
        mine = [answer for answer in self._cached.values() if answer.caller.user_id == user_id]
        return [{"id": answer.id, "at": answer.at, **json.loads(_body(answer))} for answer in mine]

    def _drop(self, match: Callable[[Answer], bool]) -> None:
        """Drop the answers that `match` from memory, and the follow-ups to them."""
        doomed = {answer.id for answer in self._cached.values() if match(answer)}
        while doomed:
            for prompt_id in doomed:
                self._cached.pop(prompt_id, None)
            doomed = {answer.id for answer in self._cached.values() if _parent(answer) in doomed}

    def _is_erased(self, answer: Answer) -> bool:
        erased = any(answer.at <= one.until and one.match(answer) for one in self._erasures)
        return erased or self._is_of_deleted(answer)

    def _is_of_deleted(self, answer: Answer) -> bool:
        source = answer.caller.source
        return answer.message_id in self._deleted or (source is not None and source.message_id in self._deleted)


def _picture_size(answer: Answer) -> int:
    """The characters of the pictures in the prompt of `answer`."""
    return sum(len(picture.url) for message in answer.messages for picture in message.get("pictures", ()))


def _without_pictures(answer: Answer) -> Answer:
    """`answer` with the descriptions of its pictures alone."""
    messages = tuple(message_from_dict(message_to_dict(message)) for message in answer.messages)
    return replace(answer, request=replace(answer.request, messages=messages))


def _parent(answer: Answer) -> str:
    """The id of the answer that `answer` follows; empty for the first one."""
    return answer.request.conversation.parent if answer.request.conversation else ""


def _from_row(row: rows.StoredPrompt) -> Answer:
    source = SourceMessage(row.source_id, row.author_id) if row.source_id and row.author_id else None
    caller = Caller(row.user_id, row.guild_id, row.channel_id, source)
    return replace(_from_body(row.body), id=row.id, at=row.at, caller=caller, message_id=row.message_id)


def _body(answer: Answer) -> str:
    """The part of an answer that has no column of its own, as JSON."""
    request, usage = answer.request, answer.usage
    data = {
        "template": request.name,
        "technique": request.technique,
        "examples": request.examples,
        "messages": [message_to_dict(message) for message in request.messages],
        "parameters": dict(answer.parameters),
        "text": answer.text,
        "model": answer.model,
        "asked": request.parameters.get("model"),
        "label": answer.label,
        "prompt_tokens": usage.prompt,
        "cached_tokens": usage.cached,
        "completion_tokens": usage.completion,
        "estimated": usage.estimated,
        "seconds": round(answer.seconds, 2),
        "usd": None if answer.price is None else str(answer.price.normalize()),
        "finish": answer.finish,
        "repaired": answer.repaired,
        "display": None if answer.display == Display() else asdict(answer.display),
        "conversation": _conversation_data(request.conversation),
        "source": answer.template.to_dict() if answer.template else None,
        "values": dict(answer.values),
        "version": answer.template.version if answer.template else 0,
    }
    return json.dumps(data, ensure_ascii=False)


def _from_body(body: str) -> Answer:
    """The answer in a body that `_body` made, now or in an earlier version."""
    data = read_json(body)
    template = _template(data["source"], data["template"], data.get("version", 0)) if data.get("source") else None
    request = Request(
        tuple(message_from_dict(message) for message in data["messages"]),
        _parameters(data, template),
        data["template"],
        data["examples"],
        template,
        data.get("values") or {},
    )
    if conversation := data.get("conversation"):
        authors = frozenset(conversation["authors"])
        request = request.continuing(Conversation(**{**conversation, "authors": authors}))
    usage = Usage(data["prompt_tokens"], data["cached_tokens"], data["completion_tokens"], data["estimated"])
    return Answer(
        text=data["text"],
        reply=_reply(data["text"], request),
        model=data["model"],
        request=request,
        parameters=data["parameters"],
        usage=usage,
        seconds=data["seconds"],
        finish=data["finish"],
        repaired=data.get("repaired", False),
        display=Display(**data.get("display") or {}),
        price=None if data["usd"] is None else Decimal(data["usd"]),
        label=data.get("label", ""),
    )


def _parameters(data: Mapping[str, Any], template: ChatTemplate | None) -> Mapping[str, Any]:
    """The parameters of a stored request, with the model that it was sent to where that was chosen."""
    parameters = template.parameters if template else data["parameters"]
    return {**parameters, "model": data["asked"]} if data.get("asked") else parameters


def _conversation_data(conversation: Conversation | None) -> dict[str, Any] | None:
    return None if conversation is None else {**asdict(conversation), "authors": sorted(conversation.authors)}


def _template(source: dict[str, Any], name: str, version: int) -> ChatTemplate | None:
    """The stored template, made from that `version` of a server's trick.

    None where a trick that an earlier version of the bot stored has a schema that may take long.
    """
    try:
        template = ChatTemplate.from_dict(source, name=name)
        if template.schema is not None:
            check_schema(template.schema)
    except FewshotError:
        return None
    return replace(template, version=version)


def _reply(text: str, request: Request) -> Reply:
    """The parsed reply; the plain text where it cannot be parsed any more."""
    try:
        return parsed(text, request)
    except FewshotError:
        return text
