"""Logs as lines for people or as JSON for machines, with every secret taken out.

The filter stands on the handler, so it sees the records of every library, and it works on the finished text:
a key inside an exception's message is caught as well.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

HIDDEN = "•••"
# Keys and tokens by their looks, for those that are not settings of ours.
LOOKS = re.compile(r"\bsk-[\w-]{16,}|\b[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,}|(?i:bearer|bot) [\w.~+/-]{20,}=*")


class SecretFormatter(logging.Formatter):
    """Formats a record and hides the secrets in it."""

    def __init__(self, secrets: Iterable[str], *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._secrets = sorted((secret for secret in secrets if len(secret) >= 4), key=len, reverse=True)
        self._json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line (and its traceback below, as text), without secrets."""
        return self._as_json(record) if self._json else self.hide(super().format(record))

    def hide(self, text: str) -> str:
        """`text` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return LOOKS.sub(HIDDEN, text)

    def _as_json(self, record: logging.LogRecord) -> str:
        data = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            # Hidden before they are escaped: a quote in a secret looks different in JSON.
            "message": self.hide(record.getMessage()),
        }
        if record.exc_info:
            data["exception"] = self.hide(self.formatException(record.exc_info))
        return json.dumps(data, ensure_ascii=False)


def configure(level: str, *, as_json: bool, secrets: Iterable[str]) -> None:
    """Send all logs to standard error. Libraries that log every request are turned down to warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SecretFormatter(secrets, as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("discord", "httpx2", "httpcore2", "openai", "alembic", "aiosqlite", "matplotlib", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
