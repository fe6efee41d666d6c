"""Rate limits as Discord announces them: buckets with headers, a global limit, and 429 when a limit is exceeded.

Discord publishes no numbers and changes them. These match its headers of 2026; a bot must read the headers.
"""

import hashlib
import time
from dataclasses import dataclass

from tests.wire.errors import Json

# Requests and seconds, by method and end of the route; the first match counts.
LIMITS = (
    ("*", "/callback", None),
    ("*", "/reactions/", (1, 0.25)),
    ("*", "/webhooks/", (5, 2.0)),
    ("POST", "/messages", (5, 5.0)),
    ("PATCH", "/messages/{message_id}", (5, 5.0)),
    ("DELETE", "/messages/{message_id}", (5, 1.0)),
    ("POST", "/typing", (5, 5.0)),
    ("PATCH", "/channels/{channel_id}", (5, 15.0)),
    ("*", "/channels/", (10, 10.0)),
)
GLOBAL = (50, 1.0)
# Parameters that separate buckets.
MAJOR = ("channel_id", "guild_id", "webhook_id", "webhook_token")


@dataclass(slots=True)
class Window:
    """One bucket: the requests left until it resets."""

    limit: int
    seconds: float
    left: int
    ends: float

    def take(self, now: float) -> bool:
        """Count one request; False when none is left."""
        if now >= self.ends:
            self.left, self.ends = self.limit, now + self.seconds
        if self.left <= 0:
            return False
        self.left -= 1
        return True


class Rates:
    """All buckets. `take` returns the headers, and a 429 body when the limit is exceeded."""

    def __init__(self) -> None:
        self.enabled = True
        # Factor on the length of every window; below 1 it shortens the waits of a test.
        self.scale = 1.0
        self._windows: dict[str, Window] = {}

    def take(self, method: str, route: str, major: dict[str, str]) -> tuple[dict[str, str], Json | None]:
        """Count one request against its bucket and, except for webhooks, the global limit."""
        limits = limit_of(method, route)
        if limits is None or not self.enabled:
            return {}, None
        now = time.monotonic()
        if "/webhooks/" not in route:
            everything = self._windows.setdefault("global", Window(*GLOBAL, left=GLOBAL[0], ends=now + GLOBAL[1]))
            if not everything.take(now):
                return self._full(everything, now, "global", "global")
        bucket = hashlib.sha256(f"{method} {route}".encode()).hexdigest()[:32]
        key = ":".join((bucket, *(major.get(name, "") for name in MAJOR)))
        window = self._windows.get(key)
        if window is None:
            self._forget_old(now)
            size, seconds = limits[0], limits[1] * self.scale
            window = self._windows[key] = Window(size, seconds, left=size, ends=now + seconds)
        if not window.take(now):
            return self._full(window, now, bucket, "user")
        return headers(window, now, bucket), None

    def _full(self, window: Window, now: float, bucket: str, scope: str) -> tuple[dict[str, str], Json]:
        body = too_many(window.ends - now, everywhere=scope == "global")
        return headers(window, now, bucket) | retry_headers(window.ends - now, scope), body

    def _forget_old(self, now: float) -> None:
        if len(self._windows) > 2000:
            self._windows = {key: window for key, window in self._windows.items() if window.ends > now}


def limit_of(method: str, route: str) -> tuple[int, float] | None:
    """The bucket's size and length in seconds for a route such as `/channels/{channel_id}/messages`."""
    for known, part, limit in LIMITS:
        fits = part in route if part.endswith("/") else route.endswith(part)
        if known in ("*", method) and fits:
            return limit
    return None


def headers(window: Window, now: float, bucket: str) -> dict[str, str]:
    """The rate limit headers of every response."""
    after = max(0.0, window.ends - now)
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.left),
        "X-RateLimit-Reset": f"{time.time() + after:.3f}",
        "X-RateLimit-Reset-After": f"{after:.3f}",
        "X-RateLimit-Bucket": bucket,
    }


def retry_headers(seconds: float, scope: str) -> dict[str, str]:
    """The further headers of a 429. Without `Via`, discord.py takes it for a block by Cloudflare."""
    return {"Retry-After": str(int(seconds) + 1), "X-RateLimit-Scope": scope, "Via": "1.1 wire"}


def too_many(seconds: float, *, everywhere: bool = False) -> Json:
    """The body of a 429."""
    return {"message": "You are being rate limited.", "retry_after": round(seconds, 3), "global": everywhere}
