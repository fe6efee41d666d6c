"""Reading and checking JSON bodies: bounded, and an error that names each way that one can be wrong."""

import json
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.engine.errors import WireError, unknown_parameter


class Strict(BaseModel):
    """Unknown keys are refused; values are frozen once checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


def first_problem(error: ValidationError) -> WireError:
    """The first thing that is wrong, as OpenAI names it: `messages[0].role`, and a sentence."""
    issue = error.errors(include_url=False)[0]
    param = ""
    for part in issue["loc"]:
        param += f"[{part}]" if isinstance(part, int) else f".{part}" if param else part
    if issue["type"] == "missing":
        return WireError(f"Missing required parameter: {param}.", code="missing_required_parameter", param=param)
    if issue["type"] == "extra_forbidden":
        return unknown_parameter(param)
    reason = issue["msg"].removeprefix("Value error, ")
    return WireError(f"Invalid value for {param}: {reason}.", code="invalid_value", param=param)
