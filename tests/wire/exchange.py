"""What a test gets back: messages and modals as a person sees them, and the exchange that led to them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.wire.limits import BUTTON, MENUS, walk
from tests.wire.messages import visible_texts
from tests.wire.world import EPHEMERAL, LOADING

Json = dict[str, Any]


class Message:
    """One message. `raw` is Discord's own JSON, with `pings`, `audience` and `edits` beside it."""

    def __init__(self, raw: Json) -> None:
        self.raw = raw
        self.id = int(raw["id"])
        self.channel_id = int(raw["channel_id"])

    @property
    def content(self) -> str:
        """The plain content, empty for Components V2."""
        return str(self.raw["content"])

    @property
    def text(self) -> str:
        """Every word a reader sees: content, text displays, and embeds with their fields, line by line."""
        parts = list(visible_texts(self.content, self.raw["components"]))
        for embed in self.raw["embeds"]:
            parts += [embed.get("title") or "", embed.get("description") or ""]
            parts += [f"{field['name']}: {field['value']}" for field in embed.get("fields") or []]
            parts.append((embed.get("footer") or {}).get("text") or "")
        return "\n".join(part for part in parts if part)

    @property
    def components(self) -> list[Json]:
        """Every component, flattened, from the outside in."""
        return [component for _, component in walk(self.raw["components"])]

    @property
    def buttons(self) -> list[str]:
        """The buttons' labels, or their emoji where they have none."""
        found = [one for one in self.components if one["type"] == BUTTON]
        return [one.get("label") or (one.get("emoji") or {}).get("name", "") for one in found]

    @property
    def menus(self) -> list[Json]:
        """The select menus."""
        return [one for one in self.components if one["type"] in MENUS]

    @property
    def attachments(self) -> list[Json]:
        """The files: `filename`, `size`, `url` and more."""
        return list(self.raw["attachments"])

    @property
    def author_id(self) -> int:
        """Who wrote it."""
        return int(self.raw["author"]["id"])

    @property
    def ephemeral(self) -> bool:
        """Whether only one person sees it."""
        return bool(self.raw["flags"] & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether it still says that the bot is thinking."""
        return bool(self.raw["flags"] & LOADING)

    @property
    def pings(self) -> list[str]:
        """Whom it notified: user ids, role ids with `&` before them, `everyone`."""
        return list(self.raw["pings"])

    def __repr__(self) -> str:
        """The message in a line, for a failing test's report."""
        return f"<Message {self.id} {self.text[:80]!r} buttons={self.buttons}>"


class Modal:
    """A modal that opened: fill it in with `Wire.submit`."""

    def __init__(self, interaction_id: int, raw: Json) -> None:
        self.interaction_id = interaction_id
        self.raw = raw

    @property
    def title(self) -> str:
        """Its heading."""
        return str(self.raw["title"])

    @property
    def fields(self) -> dict[str, Json]:
        """The fields by custom id."""
        return {one["custom_id"]: one for _, one in walk(self.raw["components"]) if "custom_id" in one}


Call = Callable[..., Awaitable[Any]]
Predicate = Callable[[Message], bool]

# An answer counts as finished when it has stood still for so many seconds; a bot that streams needs a predicate.
QUIET = 0.3
# Longer than any answer in a test may take, in seconds.
TIMEOUT = 20.0


class NoAnswerError(AssertionError):
    """The bot did not answer as it must: Discord shows "The application did not respond", or thinks for ever."""


class Exchange:
    """What came of a command, a press, a choice or a modal. `dispatched` is in monotonic seconds."""

    def __init__(self, call: Call, interaction_id: str, dispatched: float, finished: Predicate | None) -> None:
        self._call = call
        self.id = int(interaction_id)
        self.dispatched = dispatched
        self._finished = finished

    async def state(self, after: int = -1, timeout: float = 0.0) -> Json:
        """How it stands: version, callback, events, original, messages, modal and choices, as JSON."""
        found: Json = await self._call("interaction", id=str(self.id), after=after, timeout=timeout)
        return found

    async def answer(
        self,
        until: Predicate | None = None,
        *,
        quiet: float = QUIET,
        timeout: float = TIMEOUT,
    ) -> Message:
        """The first response, once `until` holds for it, or once nothing happened for `quiet` seconds.

        Where the bot removed the first response, the newest follow-up stands for it.
        Raises `NoAnswerError` when there was none within three seconds, or `until` did not come true in time.
        """
        done = until or self._finished
        state = await self._settle(done, quiet, timeout)
        message = _current(state)
        if message is None:
            raise NoAnswerError(f"There is no response to see: {state['events']}")
        return message

    async def _settle(self, done: Predicate | None, quiet: float, timeout: float) -> Json:
        ends = time.monotonic() + timeout
        state = await self.state()
        while time.monotonic() < ends:
            if state["failed"]:
                raise NoAnswerError(f"The application did not respond to {state['name']!r}.")
            message = _current(state)
            if done and message and not message.loading and done(message):
                return state
            left = max(0.0, ends - time.monotonic())
            waiting = done is not None or state["callback"] is None or (message is not None and message.loading)
            newer = await self.state(state["version"], left if waiting else min(quiet, left))
            if newer["version"] == state["version"] and not waiting:
                return newer
            state = newer
        raise NoAnswerError(f"No final answer within {timeout} s: {state['original']} {state['events']}")

    async def messages(self, *, quiet: float = QUIET, timeout: float = TIMEOUT) -> list[Message]:
        """All responses once nothing happens any more: the original, where it still stands, and the follow-ups."""
        state = await self._settle(None, quiet, timeout)
        return [Message(raw) for raw in state["messages"]]

    async def modal(self, *, timeout: float = TIMEOUT) -> Modal:
        """The modal that the bot opened."""
        state = await self._first(timeout)
        if state["modal"] is None:
            raise NoAnswerError(f"No modal opened: {state['events']}")
        return Modal(self.id, state["modal"])

    async def choices(self, *, timeout: float = TIMEOUT) -> list[Json]:
        """The choices that the bot offered: `name` and `value` each."""
        state = await self._first(timeout)
        return list(state["choices"] or [])

    async def _first(self, timeout: float) -> Json:
        ends = time.monotonic() + timeout
        state = await self.state()
        while state["callback"] is None and not state["failed"] and time.monotonic() < ends:
            state = await self.state(state["version"], max(0.0, ends - time.monotonic()))
        if state["callback"] is None:
            raise NoAnswerError(f"The application did not respond to {state['name']!r}.")
        return state

    async def failed(self, *, timeout: float = TIMEOUT) -> bool:
        """Whether Discord gave up on the bot, once that or a first response is there."""
        try:
            await self._first(timeout)
        except NoAnswerError:
            return True
        return False

    async def events(self) -> list[Json]:
        """What the bot did and when: callback, edits with their lengths, follow-ups, deletions."""
        return list((await self.state())["events"])

    def __await__(self) -> Any:
        """Awaiting an exchange waits for its answer."""
        return self.answer().__await__()


def _current(state: Json) -> Message | None:
    """The original where it stands, else the newest follow-up."""
    raw = state["original"] or next(iter(reversed(state["messages"])), None)
    return Message(raw) if raw else None


async def gather(exchanges: list[Exchange], **more: Any) -> list[Message]:
    """The answers to many at once."""
    return list(await asyncio.gather(*(one.answer(**more) for one in exchanges)))
