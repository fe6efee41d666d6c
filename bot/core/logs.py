"""Logging as text or JSON, without secrets.

The formatter belongs to the root handler, so it formats the records of all libraries. It removes secrets from the
finished text, so also from the messages of exceptions.

A line of JSON that is written while an interaction is handled also has that interaction's id and shard.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

HIDDEN = "•••"
# What API keys and Discord tokens look like, for secrets that are not settings.
SECRET_PATTERN = re.compile(r"\bsk-[\w-]{16,}|\b[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,}|(?i:bearer|bot) [\w.~+/-]{20,}=*")


@dataclass(slots=True)
class Handling:
    """An interaction that is being handled: its id, its shard, when it arrived (`perf_counter`), and how it ended."""

    interaction_id: int
    shard_id: int
    began: float
    result: str = "ok"
    acknowledged: bool = False


# The interaction that the current task handles.
HANDLING: ContextVar[Handling | None] = ContextVar("handling", default=None)


class SecretFormatter(logging.Formatter):
    """Replaces secrets in log records."""

    def __init__(self, secrets: Iterable[str], *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True)
        self._json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record without secrets: one line as JSON, or a line of text followed by its traceback."""
        return self._as_json(record) if self._json else self.hide(super().format(record))

    def hide(self, text: str) -> str:
        """`text` with secrets replaced."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return SECRET_PATTERN.sub(HIDDEN, text)

    def _as_json(self, record: logging.LogRecord) -> str:
        data: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            # Before JSON escapes quotes, which a secret may contain.
            "message": self.hide(record.getMessage()),
        }
        if (handling := HANDLING.get()) is not None:
            data |= {"interaction": str(handling.interaction_id), "shard": handling.shard_id}
        if record.exc_info:
            data["exception"] = self.hide(self.formatException(record.exc_info))
        return json.dumps(data, ensure_ascii=False)


def configure(level: str, *, as_json: bool, secrets: Iterable[str]) -> None:
    """Send all logs to standard error. Libraries that log every request log only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SecretFormatter(secrets, as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("discord", "httpx2", "httpcore2", "openai", "alembic", "aiosqlite", "matplotlib", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
