"""Fault injection: the next requests that match a rule fail, are delayed or held, or lose their connection."""

import asyncio
import json
import re
from dataclasses import dataclass

from aiohttp import web

from tests.wire.rates import retry_headers, too_many


@dataclass(slots=True)
class Fault:
    """One rule. `path` is a regular expression searched in the path below `/api/v10`.

    `status`: respond with it (429 with `retry_after` seconds). `drop`: abort the connection. `delay`: wait that many
    seconds first. `hold`: wait until `Faults.release`. With neither `status` nor `drop` the request goes on normally.
    `after`: process the request first, so that only the response is replaced, lost or held. `skip`: let that many
    matching requests pass first. `times`: apply to that many requests. `hits`: how many it applied to.
    """

    method: str = "*"
    path: str = ""
    times: int = 1
    skip: int = 0
    status: int | None = None
    code: int = 0
    message: str = "Injected by the test"
    retry_after: float = 1.0
    everywhere: bool = False
    delay: float = 0.0
    drop: bool = False
    hold: bool = False
    after: bool = False
    hits: int = 0

    def fits(self, method: str, path: str) -> bool:
        """Whether the rule applies to this request; counts it if so."""
        if self.times <= 0 or self.method not in ("*", method) or not re.search(self.path, path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True

    def answer(self) -> web.Response | None:
        """The response to send in place of the real one, or None."""
        if self.status is None:
            return None
        if self.status == 429:
            scope = "global" if self.everywhere else "shared"
            body = too_many(self.retry_after, everywhere=self.everywhere)
            return json_response(body, 429, retry_headers(self.retry_after, scope))
        return json_response({"message": self.message, "code": self.code}, self.status)


class Faults:
    """The rules, in the order in which they were added."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let all held requests and responses go on; `hold` rules apply to later requests no more."""
        self.rules = [rule for rule in self.rules if not rule.hold]
        self._released.set()
        self._released = asyncio.Event()

    async def wait(self, fault: Fault) -> None:
        """Wait as `fault` says: `delay` seconds, and until `release` when it holds."""
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.hold:
            await self._released.wait()

    def pick(self, method: str, path: str) -> Fault | None:
        """The first rule that matches."""
        return next((rule for rule in self.rules if rule.fits(method, path)), None)


async def before_request(faults: Faults, fault: Fault, request: web.Request) -> web.Response | None:
    """Apply a fault before the request is processed; returns a response that ends it, or None."""
    if fault.after:
        return None
    await faults.wait(fault)
    # A request of a client that was killed while it was held has no effect.
    gone = fault.hold and (request.transport is None or request.transport.is_closing())
    return web.Response(status=499) if gone else _replacement(fault, request)


async def after_request(faults: Faults, fault: Fault, request: web.Request) -> web.Response | None:
    """Apply a fault of the kind `after`, once the request is processed; returns the response to send, or None."""
    await faults.wait(fault)
    return _replacement(fault, request)


def _replacement(fault: Fault, request: web.Request) -> web.Response | None:
    """Abort the connection, or return the response to send in place of the real one."""
    if fault.drop:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    return fault.answer()


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON response with the content type `application/json` and no charset, which discord.py compares exactly."""
    return web.Response(body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json")
