"""Privacy: export and erasure of a person's data, deletion by age, and erasure of servers that the bot has left.

`bot.storage.erasure` knows the tables. This module adds the periods, the ZIP files, and the prompts that are
in memory or being answered: a prompt that quotes an erased person is not stored when its answer arrives.
"""

import asyncio
import io
import json
import logging
import zipfile
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from bot.core.errors import FewshotError, StorageError
from bot.core.i18n import _
from bot.core.json_text import read_json
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.server.guilds import GuildSettingsStore
from bot.server.prompts import DAY, Prompts
from bot.server.trick_form import Trick, to_trick
from bot.storage import erasure
from bot.storage.database import Database
from bot.storage.erasure import Traces
from bot.storage.key_value import delete_value, get_value, names_with_prefix, set_value

_log = logging.getLogger(__name__)
# Days for which the ledger's calls are stored: the month's budget and /usage need them.
CALLS_DAYS = 31
# Days after which ended stories and undecided suggestions are deleted: Discord's terms allow 30 for data that is not
# needed (read 2026-11-22).
OLD_DAYS = 30
# Seconds between two attempts at deletions that a locked database refused, and how many of these are queued.
RETRY_PAUSE, MAX_QUEUED = 15.0, 10_000
# Seconds. If the clock is this far beyond the last stored time, it may be wrong: nothing is deleted for as long.
MAX_CLOCK_JUMP = DAY
CLOCK, CLOCK_JUMPED = "clock", "clock:jumped"
# Days until a server's data is deleted after the bot has left it, which may have been a mistake.
GRACE_DAYS = 7
LEFT_PREFIX = "left:"
# Replaces an erased person's instruction in a trick that has examples of others.
INSTRUCTION_PROMPT = "Answer as the examples show."
# Replaces the trick's purpose. In English, because the model reads it.
ABOUT_PROMPT = "taught by its examples alone"
Rows = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Export:
    """ZIP files, and the number of entries of each kind. There are several files where one would be too large."""

    files: tuple[bytes, ...]
    counts: Mapping[str, int]


class Privacy:
    """Exports, erases and expires data. The process has one instance."""

    def __init__(
        self,
        database: Database,
        prompts: Prompts,
        guilds: GuildSettingsStore,
        now: Callable[[], float] = time,
        *,
        deletes: bool = True,
    ) -> None:
        self._database, self._prompts, self._guilds, self._now = database, prompts, guilds, now
        # Whether this process deletes expired rows; one of several does.
        self._deletes = deletes
        # Whether Discord has sent the list of servers. Until then, the bot may be in a server that is marked as left.
        self._servers_known = False
        self._refused: deque[Callable[[], Awaitable[object]]] = deque(maxlen=MAX_QUEUED)
        self._retrying: asyncio.Task[None] | None = None

    async def export(self, user_id: int, *, max_bytes: int) -> Export:
        """Everything that is stored about a person, as JSON in ZIP files of up to `max_bytes` bytes each."""
        rows = await erasure.export_rows(self._database, user_id)
        kept = {row["id"] for row in rows.get("prompts", ())}
        held = [prompt for prompt in self._prompts.in_memory_of(user_id) if prompt["id"] not in kept]
        if held:
            rows["prompts_in_memory"] = held
        for row in rows.get("prompts", ()):
            if "body" in row:
                row["body"] = read_json(row["body"])
        files = await asyncio.to_thread(_zips, rows, max_bytes)
        return Export(tuple(files), {name: len(found) for name, found in rows.items()})

    async def erase(self, user_id: int) -> int:
        """Erase a person; returns the number of changed entries. Answers that are being written store no prompt."""
        before = await erasure.find_traces(self._database, user_id)
        held = len(self._prompts.in_memory_of(user_id))
        with self._prompts.erasing(_quoting(before)):
            count, found = await erasure.erase_person(self._database, user_id, _without_words)
            with self._prompts.erasing(_quoting(found)):
                await self._database.scrub()
        return count + held

    async def erased_elsewhere(self, notice: str) -> None:
        """Another process has erased a person; `notice` says where they may be quoted (`Traces.to_notices`)."""
        if notice:
            self._prompts.erased_elsewhere(_quoting(Traces.from_notice(notice)))

    async def messages_deleted(self, *message_ids: int) -> None:
        """Delete the prompts of the answers in deleted messages, and those that were made from them.

        Retries while the database is locked.
        """
        await self._retried(lambda: self._prompts.forget_message(*message_ids))

    async def server_left(self, guild_id: int) -> None:
        """Run `mark_left`; retry while the database is locked."""
        await self._retried(lambda: self.mark_left(guild_id))

    async def server_joined(self, guild_id: int) -> None:
        """Run `mark_joined`; retry while the database is locked."""
        await self._retried(lambda: self.mark_joined(guild_id))

    async def close(self) -> None:
        """Run the queued changes once more, then stop."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.wait({self._retrying})
            await self._try_refused()

    async def _retried(self, change: Callable[[], Awaitable[object]]) -> None:
        """Run `change`. If the database refuses it, queue it and try again later, in order of arrival."""
        if not self._refused:
            try:
                await change()
            except StorageError as error:
                _log.warning("a deletion waits for the database: %s", error)
            else:
                return
        self._refused.append(change)
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry())

    async def _retry(self) -> None:
        while self._refused:
            await asyncio.sleep(RETRY_PAUSE)
            await self._try_refused()

    async def _try_refused(self) -> None:
        while self._refused:
            try:
                await self._refused[0]()
            except StorageError as error:
                _log.warning("%d deletions wait for the database: %s", len(self._refused), error)
                return
            self._refused.popleft()

    async def mark_left(self, guild_id: int) -> None:
        """Store when the bot left a server, unless that is stored already."""
        if await get_value(self._database, f"{LEFT_PREFIX}{guild_id}") is None:
            await set_value(self._database, f"{LEFT_PREFIX}{guild_id}", str(self._now()))

    async def mark_joined(self, guild_id: int) -> None:
        """The bot is in a server: its data is not to be erased."""
        if await get_value(self._database, f"{LEFT_PREFIX}{guild_id}") is not None:
            await delete_value(self._database, f"{LEFT_PREFIX}{guild_id}")

    async def reconcile_servers(
        self, present: Callable[[], Collection[int]], is_member: Callable[[int], Awaitable[bool]]
    ) -> None:
        """Mark the stored servers as left that the bot is not in. It may have left them while it did not run.

        `present` are servers in which the bot is for certain. It is called last, so that a server that the bot joins
        meanwhile is among them. `is_member` asks Discord about each other stored server: another process may serve it.
        """
        noted = {int(name.removeprefix(LEFT_PREFIX)) for name in await names_with_prefix(self._database, LEFT_PREFIX)}
        known = await erasure.known_servers(self._database)
        now = set(present())
        for guild in noted & now:
            await self.mark_joined(guild)
        for guild in known - now - noted:
            if not await is_member(guild):
                await self.mark_left(guild)
        self._servers_known = True

    async def delete_expired(self) -> None:
        """Delete what is older than its period, and the data of servers that the bot left `GRACE_DAYS` ago.

        One process deletes rows; the others drop what is in their memory.
        """
        if not self._deletes:
            self._prompts.forget_old_in_memory()
            return
        now = self._now()
        if not await self._is_clock_trusted(now):
            return
        today = datetime.fromtimestamp(now, UTC).date()
        dropped = {"prompts": await self._prompts.forget_old()}
        dropped |= await erasure.delete_expired(
            self._database, day=(today - timedelta(days=CALLS_DAYS)).isoformat(), at=now - OLD_DAYS * DAY
        )
        for name in await names_with_prefix(self._database, LEFT_PREFIX) if self._servers_known else ():
            since = await get_value(self._database, name)
            if since is not None and float(since) <= now - GRACE_DAYS * DAY:
                await self._erase_server(int(name.removeprefix(LEFT_PREFIX)))
        for name, count in dropped.items():
            if count:
                _log.info("deleted %d expired rows of %s", count, name)

    async def _is_clock_trusted(self, now: float) -> bool:
        """Whether the clock is near the last stored time, or has agreed with itself since a jump for `MAX_CLOCK_JUMP`.

        After a longer pause of the bot, deletions start a day later.
        """
        stored = await get_value(self._database, CLOCK)
        last = await erasure.newest_time(self._database) if stored is None else float(stored)
        if last is not None and now - last > MAX_CLOCK_JUMP:
            jumped = await get_value(self._database, CLOCK_JUMPED)
            since = now - float(jumped) if jumped is not None else -1.0
            if not 0 <= since <= 2 * MAX_CLOCK_JUMP:
                _log.warning(
                    "the clock is %.1f days beyond the last stored time: is it right? Nothing is deleted for a day",
                    (now - last) / DAY,
                )
                await set_value(self._database, CLOCK_JUMPED, str(now))
                return False
            if since < MAX_CLOCK_JUMP:
                return False
            await delete_value(self._database, CLOCK_JUMPED)
        await set_value(self._database, CLOCK, str(now))
        return True

    async def _erase_server(self, guild_id: int) -> None:
        with self._prompts.erasing(lambda prompt: prompt.caller.guild_id == guild_id):
            count = await erasure.erase_server(self._database, guild_id)
        self._guilds.forget(guild_id)
        await delete_value(self._database, f"{LEFT_PREFIX}{guild_id}")
        _log.info("erased a server that was left %d days ago: %d rows", GRACE_DAYS, count)


def _quoting(found: Traces) -> Callable[[Answer], bool]:
    """A function that says whether an answer is the person's, was made from their message, or quotes them."""

    def match(answer: Answer) -> bool:
        caller = answer.caller
        conversation = answer.request.conversation
        theirs = caller.user_id == found.user_id or (
            caller.source is not None and caller.source.author_id == found.user_id
        )
        theirs = theirs or (conversation is not None and found.user_id in conversation.authors)
        used = caller.guild_id is not None and (caller.guild_id, answer.request.name) in found.tricks
        texts = [*(message["content"] for message in answer.messages), answer.text, *answer.values.values()]
        return theirs or used or found.quoted_in_story(caller.channel_id, answer.request.name, answer.at, texts)

    return match


def _without_words(body: str) -> str:
    """A trick's JSON with a neutral instruction in place of the person's."""
    system = ({"role": "system", "content": INSTRUCTION_PROMPT},)
    try:
        trick = replace(
            to_trick(ChatTemplate.from_dict(read_json(body), name="trick")), about=ABOUT_PROMPT, system=system
        )
    except FewshotError:  # Stored by an earlier version, which allowed more.
        trick = Trick("trick", ABOUT_PROMPT, system)
    return json.dumps(trick.template(()).to_dict(), ensure_ascii=False)


def _zips(rows: Rows, max_bytes: int) -> list[bytes]:
    """`rows` as ZIP files of up to `max_bytes` bytes, halved until they fit. One entry alone may be larger."""
    data = _zip(rows)
    entries = [(name, row) for name, found in rows.items() for row in found]
    if len(data) <= max_bytes or len(entries) < 2:
        return [data]
    files = []
    for half in (entries[: len(entries) // 2], entries[len(entries) // 2 :]):
        part: dict[str, list[dict[str, Any]]] = {}
        for name, row in half:
            part.setdefault(name, []).append(row)
        files += _zips(part, max_bytes)
    return files


def _zip(rows: Rows) -> bytes:
    """A file for each kind, and a summary with the number of entries of each."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        counts = {name: len(found) for name, found in rows.items()}
        summary = {"entries": counts, "note": _("Nothing is kept about you.")} if not counts else {"entries": counts}
        archive.writestr("summary.json", _json(summary))
        for name, found in rows.items():
            archive.writestr(f"{name}.json", _json(found))
    return packed.getvalue()


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n"
