"""The tables as the newest migration makes them; a test holds the two against each other.

Ids of Discord are 64 bits. Money is whole billionths of a US dollar, so that sums are exact everywhere. Times
are UTC, as seconds since 1970; a day is its ISO date.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

# Names for constraints, so that later migrations can speak of them on every database.
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One row for each use of a model: reserved before the call, settled after it.
CALLS = Table(
    "calls",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("day", String(10), nullable=False),
    Column("at", Float, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("guild_id", BigInteger),
    Column("purpose", String(64), nullable=False),
    Column("model", String(200), nullable=False),
    Column("reserved", Integer, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("prompt_tokens", Integer, nullable=False, server_default="0"),
    Column("cached_tokens", Integer, nullable=False, server_default="0"),
    Column("completion_tokens", Integer, nullable=False, server_default="0"),
    Column("nanodollars", BigInteger, nullable=False, server_default="0"),
    Index(None, "day", "user_id"),
    Index(None, "settled"),
)

# The prompt behind an answer, for as long as it is kept.
PROMPTS = Table(
    "prompts",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("at", Float, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("guild_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("message_id", BigInteger),
    Column("body", Text, nullable=False),
    Index(None, "at"),
    Index(None, "user_id"),
    Index(None, "message_id"),
)

# Small things that one process notes for the next: the hash of the commands last synced, say.
MARKS = Table(
    "marks",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)
