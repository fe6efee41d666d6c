"""The tables as the newest migration makes them; a test holds the two against each other.

Ids of Discord are 64 bits. Money is whole billionths of a US dollar, so that sums are exact everywhere. Times
are UTC, as seconds since 1970; a day is its ISO date.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

import bot.storage.tuning_tables  # noqa: F401 - its tables fill a file of their own, and belong to the schema too
from bot.storage.metadata import METADATA

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

# The prompt behind an answer, for as long as it is kept. Where it was made from another message, `source_id` is
# that message and `author_id` who wrote it.
PROMPTS = Table(
    "prompts",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("at", Float, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("guild_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("message_id", BigInteger),
    Column("source_id", BigInteger),
    Column("author_id", BigInteger),
    Column("body", Text, nullable=False),
    Index(None, "at"),
    Index(None, "user_id"),
    Index(None, "message_id"),
    Index(None, "source_id"),
    Index(None, "author_id"),
)

# Small things that one process notes for the next: the hash of the commands last synced, say.
MARKS = Table(
    "marks",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

# An adventure. `frame` is the scenario as it was at the start, in JSON: the story outlives the file. `head` is the
# newest turn of the path that is played, NULL at the opening; `message_id` the message that shows it.
STORIES = Table(
    "stories",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("guild_id", BigInteger),
    Column("channel_id", BigInteger, nullable=False),
    Column("scenario", String(64), nullable=False),
    Column("title", String(100), nullable=False),
    Column("frame", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("starter_id", BigInteger, nullable=False),
    Column("head", Integer),
    Column("message_id", BigInteger),
    Column("at", Float, nullable=False),
    Column("touched", Float, nullable=False),
    Index(None, "channel_id", "state"),
    Index(None, "starter_id"),
)

# What players said and what they were told. A turn that waits has no place in the tree yet: no parent, depth 0.
# `event_id` is the event of Discord's that brought it, so that none is stored twice; a retry has none.
TURNS = Table(
    "turns",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", Integer, ForeignKey("turns.id")),
    Column("depth", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("event_id", BigInteger),
    Column("player_id", BigInteger, nullable=False),
    Column("player", String(100), nullable=False),
    Column("named", Boolean, nullable=False),
    Column("words", Text, nullable=False),
    Column("dice", Text, nullable=False),
    Column("reply", Text),
    Column("model", String(200), nullable=False),
    Column("finish", String(20), nullable=False),
    Column("prompt_id", String(32), nullable=False),
    Column("message_id", BigInteger),
    Column("at", Float, nullable=False),
    UniqueConstraint("event_id"),
    Index(None, "story_id", "state"),
    Index(None, "parent_id"),
    Index(None, "player_id"),
    Index(None, "message_id"),
)

# Who has played in a story, and who may not any more.
PLAYERS = Table(
    "players",
    METADATA,
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(100), nullable=False),
    Column("removed", Boolean, nullable=False),
    Index(None, "user_id"),
)

# What happened on the path down to a turn, that turn included.
SUMMARIES = Table(
    "summaries",
    METADATA,
    Column("turn_id", Integer, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index(None, "story_id"),
)

# Names for turns, and who gave them; the turn NULL is the opening.
BRANCHES = Table(
    "branches",
    METADATA,
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(50), primary_key=True),
    Column("turn_id", Integer, ForeignKey("turns.id", ondelete="CASCADE")),
    Column("player_id", BigInteger),
    Index(None, "player_id"),
)

# Notes that are in every prompt of a story.
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), nullable=False),
    Column("player_id", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index(None, "story_id"),
    Index(None, "player_id"),
)

# What the admins of a server set; lists and switches are JSON.
GUILDS = Table(
    "guilds",
    METADATA,
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("language", String(20)),
    Column("adventure_channels", Text, nullable=False),
    Column("report_channel", BigInteger),
    Column("user_tokens", BigInteger),
    Column("guild_tokens", BigInteger),
    Column("private", Text, nullable=False),
    Column("menus", Boolean, nullable=False),
    Column("adult", Boolean, nullable=False, server_default=false()),
)

# A server's own templates; `body` is the template as JSON, without its examples.
TRICKS = Table(
    "tricks",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("name", String(32), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("guild_id", "name"),
    Index(None, "user_id"),
)

# The examples of tricks, with the one who typed each.
TRICK_EXAMPLES = Table(
    "trick_examples",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("trick_id", String(32), ForeignKey("tricks.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("given", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Index(None, "trick_id"),
    Index(None, "user_id"),
)

# Corrections that members suggest to the managers of their server; `body` is the template that was corrected.
TRICK_SUGGESTIONS = Table(
    "trick_suggestions",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("template", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("given", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Index(None, "guild_id"),
    Index(None, "user_id"),
)
