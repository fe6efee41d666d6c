"""Whom a message would ping: what its text mentions, within what `allowed_mentions` lets through."""

import re
from collections.abc import Iterator

from tests.wire.form import Json

USER = re.compile(r"<@!?(\d{15,20})>")
ROLE = re.compile(r"<@&(\d{15,20})>")
EVERYONE = re.compile(r"@(everyone|here)\b")


def texts(content: str, components: list[Json]) -> Iterator[str]:
    """The texts that can ping: the content, and the text displays of Components V2."""
    yield content
    for component in components:
        if component.get("type") == 10:
            yield component.get("content") or ""
        yield from texts("", component.get("components") or [])


def pings(content: str, components: list[Json], allowed: Json | None) -> list[str]:
    """Whom it would notify: user ids, role ids with `&` before them, and `everyone`.

    Without `allowed_mentions` everything pings. `parse` lets a kind through; `users` and `roles` single ids.
    """
    text = "\n".join(texts(content, components))
    found = [f"{user}" for user in USER.findall(text) if _passes("users", user, allowed)]
    found += [f"&{role}" for role in ROLE.findall(text) if _passes("roles", role, allowed)]
    if EVERYONE.search(text) and (allowed is None or "everyone" in (allowed.get("parse") or [])):
        found.append("everyone")
    return list(dict.fromkeys(found))


def _passes(kind: str, snowflake: str, allowed: Json | None) -> bool:
    if allowed is None or kind in (allowed.get("parse") or []):
        return True
    return snowflake in [str(item) for item in allowed.get(kind) or []]


def replied(allowed: Json | None) -> bool:
    """Whether a reply pings the author of the message it answers; the default is yes."""
    return bool((allowed or {}).get("replied_user", allowed is None))
