"""Lists in OpenAI's form: `after` and `limit` in the query, `has_more` in the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.engine.errors import WireError, unknown_parameter


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list is wanted."""

    after: str | None
    limit: int


def page_of(request: web.Request, *, default: int, most: int, also: Sequence[str] = ()) -> Page:
    """The page that the query asks for. Parameters that the list does not know are refused by name."""
    query = request.query
    for name in query:
        if name not in ("after", "limit", *also) and name.partition("[")[0] not in also:
            raise unknown_parameter(name)
    try:
        limit = int(query.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise WireError(f"limit must be a whole number from 1 to {most:,}.", code="invalid_value", param="limit")
    return Page(query.get("after"), limit)


def cut(items: Sequence[Mapping[str, Any]], page: Page) -> dict[str, Any]:
    """The page of `items` as the wire's list; an `after` that is not in the list is a `WireError` 400."""
    start = 0
    if page.after is not None:
        ids = [item["id"] for item in items]
        if page.after not in ids:
            raise WireError("after names nothing in this list.", code="invalid_value", param="after")
        start = ids.index(page.after) + 1
    shown = items[start : start + page.limit]
    return {
        "object": "list",
        "data": list(shown),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": start + page.limit < len(items),
    }
