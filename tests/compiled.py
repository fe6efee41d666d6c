"""SQL statements that are compiled once for a test process.

SQLAlchemy keeps compiled statements in each engine. Every test opens engines of its own, and compiling the same
statements again took a tenth of the CPU time of a test with the `sim` fixture.
"""

from functools import partial
from typing import Any

from sqlalchemy.engine.default import DefaultDialect

from bot.storage import database


def _equal(dialect: object, other: object) -> bool:
    return type(dialect) is type(other)


def _hash(dialect: object) -> int:
    return hash(type(dialect))


def share_compiled_statements() -> None:
    """From now on, all engines of one dialect use the same compiled statements."""
    # SQLAlchemy's key for a statement contains the dialect, of which each engine has one of its own.
    for name, method in (("__eq__", _equal), ("__hash__", _hash)):
        setattr(DefaultDialect, name, method)
    compiled: dict[Any, Any] = {}
    for name in ("create_engine", "create_async_engine"):
        create = getattr(database, name)
        setattr(database, name, partial(create, execution_options={"compiled_cache": compiled}))
