"""Privacy: what is kept of a person, handed out and forgotten; what has grown old, and servers that were left.

What the tables hold, and what becomes of it, is `bot.storage.privacy`'s. Here are the times, the ZIP, and what is in
memory or on its way: a prompt that quotes a person and comes back after they were forgotten is kept no more.
"""

import asyncio
import io
import json
import logging
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

from bot.core.i18n import _
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.server.guilds import Guilds
from bot.server.prompts import DAY, Prompts
from bot.server.trick import trick_of
from bot.storage import privacy as tables
from bot.storage.database import Database
from bot.storage.erasure import Traces
from bot.storage.key_value import drop_mark, mark, marks, set_mark

_log = logging.getLogger(__name__)
# Days that the ledger's calls are kept: what a month's budget and the picture of /usage look back on.
CALLS_DAYS = 31
# Days after which a story that has ended, and a suggestion that nobody has decided on, is gone: Discord's terms
# allow 30 for what is not needed (read 2026-11-22).
OLD_DAYS = 30
# Days that a server's things are kept after the bot has left it, for one that was left by mistake.
GRACE_DAYS = 7
LEFT = "left:"
# What stands in place of a forgotten person's instruction, in a trick that lives on by others' examples.
INSTRUCTION_PROMPT = "Answer as the examples show."
# And in place of what it was for. It is kept in English, as the model reads it too.
ABOUT_PROMPT = "taught by its examples alone"
Rows = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Export:
    """ZIP files, one unless they would be too large, and how many entries of each kind are in them."""

    files: tuple[bytes, ...]
    counts: Mapping[str, int]


class Privacy:
    """One for the process."""

    def __init__(self, database: Database, prompts: Prompts, guilds: Guilds, now: Callable[[], float] = time) -> None:
        self._database, self._prompts, self._guilds, self._now = database, prompts, guilds, now
        # Whether Discord has told where the bot is: it may be back in a server that is noted as left.
        self._placed = False

    async def export(self, user_id: int, *, most: int) -> Export:
        """Everything that is kept of a person, as JSON in ZIP files of up to `most` bytes each."""
        rows = await tables.rows_of(self._database, user_id)
        kept = {row["id"] for row in rows.get("prompts", ())}
        held = [prompt for prompt in self._prompts.held_by(user_id) if prompt["id"] not in kept]
        if held:
            rows["prompts_in_memory"] = held
        for row in rows.get("prompts", ()):
            if "body" in row:
                row["body"] = json.loads(row["body"])
        files = await asyncio.to_thread(_zips, rows, most)
        return Export(tuple(files), {name: len(found) for name, found in rows.items()})

    async def delete(self, user_id: int) -> int:
        """Forget a person; in how many entries they stood. What is on its way quotes them no more."""
        before = await tables.quoted(self._database, user_id)
        held = len(self._prompts.held_by(user_id))
        with self._prompts.erasing(_quoting(before)):
            count, found = await tables.forget(self._database, user_id, _without_words)
            with self._prompts.erasing(_quoting(found)):
                await self._database.scrub()
        return count + held

    async def left(self, guild_id: int) -> None:
        """The bot has left a server: note when, if that is not known yet."""
        if await mark(self._database, f"{LEFT}{guild_id}") is None:
            await set_mark(self._database, f"{LEFT}{guild_id}", str(self._now()))

    async def joined(self, guild_id: int) -> None:
        """The bot is in a server, again or still: nothing of it is to go."""
        if await mark(self._database, f"{LEFT}{guild_id}") is not None:
            await drop_mark(self._database, f"{LEFT}{guild_id}")

    async def here(self, present: Callable[[], Collection[int]]) -> None:
        """The bot is in the `present` servers and in no others; some may have been left while it did not run.

        They are asked for last: one that the bot comes to meanwhile may have rows before this has read them.
        """
        noted = {int(name.removeprefix(LEFT)) for name in await marks(self._database, LEFT)}
        known = await tables.servers(self._database)
        now = set(present())
        for guild in noted & now:
            await self.joined(guild)
        for guild in known - now - noted:
            await self.left(guild)
        self._placed = True

    async def sweep(self) -> None:
        """Forget what is older than its time, and the servers that were left long enough ago."""
        now = self._now()
        today = datetime.fromtimestamp(now, UTC).date()
        dropped = {"prompts": await self._prompts.forget_old()}
        dropped |= await tables.drop_old(
            self._database, day=(today - timedelta(days=CALLS_DAYS)).isoformat(), at=now - OLD_DAYS * DAY
        )
        for name in await marks(self._database, LEFT) if self._placed else ():
            since = await mark(self._database, name)
            if since is not None and float(since) <= now - GRACE_DAYS * DAY:
                await self._forget_server(int(name.removeprefix(LEFT)))
        for name, count in dropped.items():
            if count:
                _log.info("%d %s were older than they are kept and are gone", count, name)

    async def _forget_server(self, guild_id: int) -> None:
        with self._prompts.erasing(lambda prompt: prompt.caller.guild_id == guild_id):
            count = await tables.forget_server(self._database, guild_id)
        self._guilds.forget(guild_id)
        await drop_mark(self._database, f"{LEFT}{guild_id}")
        _log.info("a server was left %d days ago: %d entries about it are gone", GRACE_DAYS, count)


def _quoting(found: Traces) -> Callable[[Answer], bool]:
    """Whether a prompt is the person's, was made from their message, or may hold their words."""

    def match(answer: Answer) -> bool:
        caller = answer.caller
        theirs = caller.user_id == found.user_id or (
            caller.source is not None and caller.source.author_id == found.user_id
        )
        used = caller.guild_id is not None and (caller.guild_id, answer.request.name) in found.tricks
        return theirs or used or caller.channel_id in found.channels

    return match


def _without_words(body: str) -> str:
    """A trick's JSON with a plain instruction in place of what a person wrote."""
    template = ChatTemplate.from_dict(json.loads(body), name="trick")
    trick = replace(trick_of(template), about=ABOUT_PROMPT, system=({"role": "system", "content": INSTRUCTION_PROMPT},))
    return json.dumps(trick.template(()).to_dict(), ensure_ascii=False)


def _zips(rows: Rows, most: int) -> list[bytes]:
    """`rows` as ZIP files of up to `most` bytes, halved until they fit; one entry alone may be larger."""
    data = _zip(rows)
    entries = [(name, row) for name, found in rows.items() for row in found]
    if len(data) <= most or len(entries) < 2:
        return [data]
    files = []
    for half in (entries[: len(entries) // 2], entries[len(entries) // 2 :]):
        part: dict[str, list[dict[str, Any]]] = {}
        for name, row in half:
            part.setdefault(name, []).append(row)
        files += _zips(part, most)
    return files


def _zip(rows: Rows) -> bytes:
    """A file for each kind, and one that says how many entries there are of it."""
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
