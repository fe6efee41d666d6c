"""What a test can look at: messages, channels, the journal of requests, the gateway's log."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.wire.exchange import PATIENCE
from tests.wire.process import POLL_SECONDS
from tests.wire.views import Json, Message


class WireError(Exception):
    """A person cannot do that, or the bot did not start; the text says why."""


class Observer:
    """Asks the server's control half what there is and what happened."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self.address = address

    async def call(self, action: str, **body: Any) -> Any:
        """Asks the server's control half for something; the methods below are its callers."""
        async with self._session.post(f"{self.address}/control/{action}", json=body) as response:
            answer = await response.json(content_type=None) if response.status in (200, 409) else {}
            if response.status != 200:
                raise WireError(answer.get("error", f"The control half failed at {action!r}: {response.status}"))
            return answer

    async def messages(self, channel: str = "general", *, as_user: str = "member") -> list[Message]:
        """A channel's messages as a person sees them, oldest first."""
        found = await self.call("messages", channel=channel, user=as_user, after=-1, timeout=0)
        return [Message(raw) for raw in found["messages"]]

    async def until(
        self,
        where: Callable[[Message], bool],
        channel: str = "general",
        *,
        as_user: str = "member",
        timeout: float = PATIENCE,
    ) -> Message:
        """The newest message for which `where` holds, as soon as there is one; `AssertionError` when none comes."""
        ends, version = time.monotonic() + timeout, -1
        seen: list[Message] = []
        while (left := ends - time.monotonic()) > 0:
            body = await self.call("messages", channel=channel, user=as_user, after=version, timeout=left)
            version = body["version"]
            seen = [Message(raw) for raw in body["messages"]]
            fitting = [message for message in seen if where(message)]
            if fitting:
                return fitting[-1]
        raise AssertionError(f"No such message came within {timeout} s; there are {seen}")

    async def download(self, attachment: Json) -> bytes:
        """A file's bytes."""
        async with self._session.get(attachment["url"]) as response:
            return await response.read()

    async def commands(self) -> dict[str, list[Json]]:
        """The registered commands by server id; the global ones under "0"."""
        found: dict[str, list[Json]] = await self.call("registered")
        return found

    async def channels(self) -> list[Json]:
        """All channels and threads, each with the times at which the bot showed that it was typing."""
        found: list[Json] = await self.call("channels")
        return found

    async def status(self) -> Json:
        """Sessions, numbers of commands, of requests, and of requests that count towards a ban."""
        found: Json = await self.call("status")
        return found

    async def requests(self, method: str | None = None, path: str = "") -> list[Json]:
        """The journal: `at`, `method`, `path`, `body`, `status`, `seconds`; those whose path holds `path`."""
        found: list[Json] = await self.call("requests")
        return [one for one in found if path in one["path"] and method in (None, one["method"])]

    async def answered(self, method: str, path: str, *, times: int = 1, timeout: float = PATIENCE) -> list[Json]:
        """The requests that fit, as soon as so many of them have got their answer."""
        ends = time.monotonic() + timeout
        while time.monotonic() < ends:
            found = [one for one in await self.requests(method, path) if one["status"] is not None]
            if len(found) >= times:
                return found
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"{method} {path} was not answered {times} times within {timeout} s")

    async def timelines(self, after: int = 0) -> list[Json]:
        """All interactions since that id: `dispatched` and `events`, in monotonic seconds."""
        found: list[Json] = await self.call("timelines", after=str(after))
        return found

    async def gateway_log(self) -> list[Json]:
        """connect, identify, resume, heartbeat, disconnect: what happened on the gateway, and when."""
        found: list[Json] = await self.call("gateway_log")
        return found
