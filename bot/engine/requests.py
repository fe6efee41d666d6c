"""Reading requests: JSON bodies, checked against a model of their fields, and pages of lists."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.core.json_text import without_surrogates
from bot.engine.errors import APIError, invalid_value, missing_parameter, unknown_parameter


class StrictModel(BaseModel):
    """Unknown keys are refused, and values do not change once they are checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Body = TypeVar("Body", bound=StrictModel)


async def read_json_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body. Raises an `APIError` 400 for anything else; the server bounds its size (413)."""
    try:
        raw = await request.read()
        body = json.loads(raw.decode("utf-8")) if raw else {}
    except web.RequestPayloadError:
        raise APIError("The request's body cannot be decompressed, or was cut off.", code="invalid_json") from None
    except UnicodeDecodeError:
        raise APIError("The request's body is not UTF-8.", code="invalid_json") from None
    except (ValueError, RecursionError):
        raise APIError("The request's body is not JSON.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise APIError("The request's body must be a JSON object.", code="invalid_json")
    if b"\\u" in raw:
        body = json.loads(without_surrogates(json.dumps(body, ensure_ascii=False)))
    return body


def validate(kind: type[Body], fields: Mapping[str, Any]) -> Body:
    """The checked body, or an `APIError` 400 about the first field that is wrong, named as `messages[0].role`."""
    try:
        return kind(**fields)
    except ValidationError as error:
        raise _first_problem(error) from None


def _first_problem(error: ValidationError) -> APIError:
    issue = error.errors(include_url=False)[0]
    param = ""
    for part in issue["loc"]:
        param += f"[{part}]" if isinstance(part, int) else f".{part}" if param else part
    if issue["type"] == "missing":
        return missing_parameter(param)
    if issue["type"] == "extra_forbidden":
        return unknown_parameter(param)
    return invalid_value(f"Invalid value for {param}: {issue['msg'].removeprefix('Value error, ')}.", param)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list to return: at most `limit` items behind the one with the id `after`."""

    after: str | None
    limit: int


def page_of(request: web.Request, *, default: int, maximum: int, also: Sequence[str] = ()) -> Page:
    """The page that the query asks for. Query parameters other than the page's and `also` are refused by name."""
    query = request.query
    for name in query:
        if name not in ("after", "limit", *also) and name.partition("[")[0] not in also:
            raise unknown_parameter(name)
    try:
        limit = int(query.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= maximum:
        raise invalid_value(f"limit must be a whole number from 1 to {maximum:,}.", "limit")
    return Page(query.get("after"), limit)


def list_page(items: Sequence[Mapping[str, Any]], page: Page) -> dict[str, Any]:
    """The page of `items` as OpenAI's list object. Raises an `APIError` 400 if `after` is not among them."""
    start = 0
    if page.after is not None:
        ids = [item["id"] for item in items]
        if page.after not in ids:
            raise invalid_value("after names nothing in this list.", "after")
        start = ids.index(page.after) + 1
    shown = items[start : start + page.limit]
    return {
        "object": "list",
        "data": list(shown),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + page.limit < len(items),
    }
