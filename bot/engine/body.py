"""Reading JSON bodies: bounded, and an error of our own for each way that a body can be broken."""

import json
from typing import Any

from aiohttp import web

from bot.engine.errors import WireError


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body. The server's bound on its size holds (413); else a `WireError` 400."""
    raw = await request.read()
    try:
        body = json.loads(raw.decode("utf-8")) if raw else {}
    except UnicodeDecodeError:
        raise WireError("The request's body is not UTF-8.", code="invalid_json") from None
    except (ValueError, RecursionError):
        raise WireError("The request's body is not JSON.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise WireError("The request's body must be a JSON object.", code="invalid_json")
    return body
