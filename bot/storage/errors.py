"""What an error of the database means: to the person who waits, to the operator, and to the writer."""

import sqlite3
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from bot.core.errors import StorageError
from bot.core.i18n import N_

FULL = N_(
    "The disk of the machine that I run on is full, so I could not store this. My operator has to free some space."
)
FAILED = N_("The database could not keep this. Try again in a moment.")
AWAY = N_("My database does not answer at the moment. Try again in a moment.")
IN_DOUBT = N_("The connection to my database ended while I stored this. Look whether it is there before you try again.")
# PostgreSQL's codes (https://www.postgresql.org/docs/current/errcodes-appendix.html).
DISK_FULL, LOCK_TIMEOUT = "53100", "55P03"
# Another transaction was chosen to go first: a repetition succeeds.
REPEATABLE = ("40001", "40P01")
# The server ends the connection, or refuses one: it stops, it starts, or it has too many.
ENDED = ("57P01", "57P02", "57P03", "57P05", "53300")
# The first two characters of errors in the values or the statement.
WRONG_STATEMENT = ("22", "23", "42")
# The first characters of errors of a connection.
CONNECTION = "08"
POOLED = (
    "a pooler gives each transaction another session of the server; set its pool_mode to session, or name the "
    "PostgreSQL server itself in DATABASE_URL"
)
# Why a server refuses a connection, for the operator.
REFUSALS = {
    "28P01": "it refuses the password of DATABASE_URL",
    "28000": "it does not let the user of DATABASE_URL in",
    "3D000": "it has no database of the name in DATABASE_URL; create it first",
    "53300": "it has too many connections",
    "57P03": "it is starting or stopping",
    # A prepared statement that another session has, or that this one has not.
    "26000": POOLED,
    "42P05": POOLED,
    "08P01": "PgBouncer does not pass the bot's settings on; name the PostgreSQL server itself in DATABASE_URL",
}


class UnreachableError(StorageError):
    """The server gave no connection. The sentence is for the person who waits; the cause is the driver's error."""

    def __init__(self) -> None:
        super().__init__(AWAY)


class InDoubtError(StorageError):
    """The connection ended during the commit, so the transaction may be stored or not."""

    def __init__(self) -> None:
        super().__init__(IN_DOUBT)


def sqlite_code(error: BaseException) -> int:
    """SQLite's primary result code in `error`; 0 where it has none."""
    return _extended_code(error) & 0xFF


def _extended_code(error: BaseException) -> int:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(cause, "sqlite_errorcode", 0))


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code in `error`; empty where it has none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def is_full(error: BaseException) -> bool:
    """Whether the disk of the database is full."""
    # The second is a full disk on which no space for the index of the write-ahead log was left.
    is_sqlite = sqlite_code(error) == sqlite3.SQLITE_FULL or _extended_code(error) == sqlite3.SQLITE_IOERR_SHMSIZE
    return is_sqlite or sqlstate(error) == DISK_FULL


def is_lost(error: BaseException) -> bool:
    """Whether the connection to the server ended, and with it the transaction that was not committed yet."""
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or sqlstate(error) in ENDED or sqlstate(error).startswith(CONNECTION)
    )


def is_locked(error: BaseException) -> bool:
    """Whether another program holds the lock."""
    return sqlite_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or sqlstate(error) == LOCK_TIMEOUT


def is_of_database(error: BaseException) -> bool:
    """Whether the database or its disk is the reason, and not the values that were to be written."""
    if isinstance(error, UnreachableError | InDoubtError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError | DataError | ProgrammingError):
        return False
    return sqlstate(error)[:2] not in WRONG_STATEMENT


def to_user_error(error: BaseException) -> StorageError:
    """An error of SQLAlchemy with a sentence for the person who waits."""
    made = StorageError(FULL if is_full(error) else AWAY if is_lost(error) else FAILED)
    made.__cause__ = error
    return made


def sentence(error: BaseException) -> str:
    """Why a database cannot be used, in a sentence for the operator."""
    cause: Any = error.__cause__ if isinstance(error, UnreachableError) else error
    if is_locked(cause):
        return "The database is locked by another program; stop that one first."
    if sqlite_code(cause) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return (
            "The database cannot be used: its file is damaged. Stop the bot, move the file away, and put the newest "
            "copy in its place (`fewshot db backup FILE` makes copies). Without a copy, the next start makes an empty "
            "database."
        )
    if is_full(cause):
        return "The database cannot be used: the disk is full. Free some space on it."
    if reason := REFUSALS.get(sqlstate(cause)):
        return f"The database cannot be used: {reason}."
    cause = cause.orig if isinstance(cause, DBAPIError) else cause
    if isinstance(cause, OSError):
        return f"The server in DATABASE_URL cannot be reached: {cause.strerror or str(cause) or 'it does not answer'}."
    return f"The database cannot be used: {cause}."
