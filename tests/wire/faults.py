"""Faults on request: the next requests that fit a pattern fail, are refused, wait, or lose their connection."""

import asyncio
import json
import re
from dataclasses import dataclass

from aiohttp import web

from tests.wire.rates import retry_headers, too_many


@dataclass(slots=True)
class Fault:
    """One rule. `path` is a regular expression searched in the path below `/api/v10`.

    `status` answers with that (429 with `retry_after` seconds), `drop` breaks the connection off, `delay` waits
    that many seconds first and goes on where nothing else is set. `after` lets the request have its effect, and
    loses only the answer. `skip` lets so many through first.
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
    after: bool = False
    hits: int = 0

    def fits(self, method: str, path: str) -> bool:
        """Whether the rule applies to this request, which is counted if so."""
        if self.times <= 0 or self.method not in ("*", method) or not re.search(self.path, path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True

    def answer(self) -> web.Response | None:
        """The answer that takes the true one's place, or none."""
        if self.status is None:
            return None
        if self.status == 429:
            scope = "global" if self.everywhere else "shared"
            body = too_many(self.retry_after, everywhere=self.everywhere)
            return json_response(body, 429, retry_headers(self.retry_after, scope))
        return json_response({"message": self.message, "code": self.code}, self.status)


class Faults:
    """The rules, in the order in which they were given."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def pick(self, method: str, path: str) -> Fault | None:
        """The first rule that fits."""
        return next((rule for rule in self.rules if rule.fits(method, path)), None)


async def before(fault: Fault, request: web.Request) -> web.Response | None:
    """What the fault does before the request has an effect: a response that ends it, or none."""
    if fault.delay:
        await asyncio.sleep(fault.delay)
    return None if fault.after else finish(fault, request)


def finish(fault: Fault, request: web.Request) -> web.Response | None:
    """Breaks the connection off or answers in the true answer's place."""
    if fault.drop:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    return fault.answer()


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON with the bare content type that Discord sends; clients compare it as a whole."""
    return web.Response(body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json")
