"""The tables, as the newest migration creates them; a test compares the two.

Discord ids are 64 bits. Money is an integer of billionths of a US dollar, so that sums are exact. Times are seconds
since 1970 (UTC); a day is an ISO date. Lists and values whose form may grow are JSON in a text column. In the tables
of tuning, an unknown text is empty and an unknown number is 0, or NULL where 0 would be a claim.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.ext.compiler import compiles


@compiles(String, "postgresql")
def _text(*_: object, **__: object) -> str:
    """PostgreSQL's type for a short text. Its VARCHAR would refuse a longer one, which SQLite stores."""
    return "TEXT"


# Names for constraints, so that later migrations can refer to them on every database.
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One row per model call: reserved before the call, settled after it. `slot` is that of the process; NULL on the command
# line.
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
    Column("settled", Boolean, nullable=False, index=True),
    Column("prompt_tokens", Integer, nullable=False, server_default="0"),
    Column("cached_tokens", Integer, nullable=False, server_default="0"),
    Column("completion_tokens", Integer, nullable=False, server_default="0"),
    Column("nanodollars", BigInteger, nullable=False, server_default="0"),
    Column("slot", Integer),
    Index(None, "day", "user_id"),
)

# What several processes have used together, reservations included: tokens of a day (`2026-11-28`) for a person (with
# guild_id 0), a server (user_id 0), a member (both) and the whole bot (0, 0), and the billionths of a US dollar of a
# month (`2026-11`, 0, 0).
USAGE_SUMS = Table(
    "usage_sums",
    METADATA,
    Column("period", String(10), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
)

# The slots of processes, each with the epoch of the process that took it last: an earlier one may not write any more.
# `shards` and `count` are the numbers of shards and of slots that this process was told; 0 shards are one connection
# without shards.
SLOTS = Table(
    "slots",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("shards", Integer, nullable=False),
    Column("count", Integer, nullable=False),
)

# The answers that are being written, so that the process after a killed one can end them. `id` is that of the
# interaction or message that is answered; `token` is the interaction's, which is valid for 15 minutes, and empty for a
# message. `locale` is the language of the bot's sentences in the answer.
UNFINISHED_ANSWERS = Table(
    "unfinished_answers",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("token", Text, nullable=False),
    Column("channel_id", BigInteger),
    Column("locale", String(10), nullable=False),
)

# Stored prompts. Where a prompt was made from another person's message, `source_id` is the message's id and `author_id`
# its author's. `parent_id` is the prompt of the answer that a follow-up continues; it may be deleted already.
PROMPTS = Table(
    "prompts",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("guild_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("message_id", BigInteger, index=True),
    Column("source_id", BigInteger, index=True),
    Column("author_id", BigInteger, index=True),
    Column("body", Text, nullable=False),
    Column("parent_id", String(32), index=True),
)

# The other people whose words are in the prompt of a follow-up, because they took part in the conversation before it.
PROMPT_AUTHORS = Table(
    "prompt_authors",
    METADATA,
    Column("prompt_id", String(32), ForeignKey("prompts.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, index=True),
)

# Which process does a piece of work, and until when.
LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(80), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("until", Float, nullable=False),
)

# Small named values that one process stores for the next, such as the hash of the commands synced last.
KEY_VALUES = Table(
    "key_values",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

# Adventures. `frame` is the scenario at the start as JSON, because the file may change. `head` is the newest turn of
# the path that is played, NULL at the opening. `message_id` is the message that shows it.
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
    Column("starter_id", BigInteger, nullable=False, index=True),
    Column("head", Integer),
    Column("message_id", BigInteger),
    Column("at", Float, nullable=False),
    Column("touched", Float, nullable=False),
    Index(None, "channel_id", "state"),
)

# Turns: the player's words and the model's reply. A turn in the queue has no parent and depth 0. `event_id` is the
# Discord event that brought it, so that none is stored twice; a retry has none.
TURNS = Table(
    "turns",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", Integer, ForeignKey("turns.id"), index=True),
    Column("depth", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("event_id", BigInteger, unique=True),
    Column("player_id", BigInteger, nullable=False, index=True),
    Column("player", String(100), nullable=False),
    Column("named", Boolean, nullable=False),
    Column("words", Text, nullable=False),
    Column("dice", Text, nullable=False),
    Column("reply", Text),
    Column("model", String(200), nullable=False),
    Column("finish", String(20), nullable=False),
    Column("prompt_id", String(32), nullable=False),
    Column("message_id", BigInteger, index=True),
    Column("at", Float, nullable=False),
    Index(None, "story_id", "state"),
)

# Who has played in a story, and who was removed by a moderator.
PLAYERS = Table(
    "players",
    METADATA,
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("name", String(100), nullable=False),
    Column("removed", Boolean, nullable=False),
)

# Summaries of the path to a turn, that turn included.
SUMMARIES = Table(
    "summaries",
    METADATA,
    Column("turn_id", Integer, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("at", Float, nullable=False),
)

# Names for turns, and their authors. `turn_id` NULL is the opening.
BRANCHES = Table(
    "branches",
    METADATA,
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(50), primary_key=True),
    Column("turn_id", Integer, ForeignKey("turns.id", ondelete="CASCADE")),
    Column("player_id", BigInteger, index=True),
)

# Notes that every prompt of a story contains.
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("story_id", String(16), ForeignKey("stories.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("player_id", BigInteger, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("at", Float, nullable=False),
)

# The settings of a server as a JSON object, without those that were never set.
GUILD_SETTINGS = Table(
    "guild_settings",
    METADATA,
    Column("guild_id", BigInteger, primary_key=True, autoincrement=False),
    Column("settings", Text, nullable=False),
)

# A server's own templates. `body` is the template as JSON, without its examples, and `user_id` is its author.
TRICKS = Table(
    "tricks",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("name", String(32), nullable=False),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    UniqueConstraint("guild_id", "name"),
)

# The versions of tricks: who made each, and who wrote its `body`.
TRICK_VERSIONS = Table(
    "trick_versions",
    METADATA,
    Column("trick_id", String(32), ForeignKey("tricks.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("author_id", BigInteger, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("note", Text, nullable=False),
    Column("body", Text, nullable=False),
)

# The examples of tricks, with the author of each. An example belongs to the versions from `since` to before `until`.
TRICK_EXAMPLES = Table(
    "trick_examples",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("trick_id", String(32), ForeignKey("tricks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("given", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("since", Integer, nullable=False, server_default="1"),
    Column("until", Integer),
    Column("given_by", BigInteger, index=True),
)

# The test sets of tricks, with the author of each test.
TRICK_TESTS = Table(
    "trick_tests",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("trick_id", String(32), ForeignKey("tricks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("input", Text, nullable=False),
    Column("expected", Text, nullable=False),
)

# Test runs. `tests` is the JSON of the tests as they were at the start, each with its author's id.
TRICK_RUNS = Table(
    "trick_runs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("trick_id", String(32), ForeignKey("tricks.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("at", Float, nullable=False, index=True),
    Column("kind", String(10), nullable=False),
    Column("version", Integer, nullable=False),
    Column("judge", String(12), nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("tests", Text, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("model", String(200), nullable=False),
    Column("message_id", BigInteger),
    Column("state", String(10), nullable=False),
    Column("problem", Text, nullable=False),
    Index(None, "trick_id", "state"),
)

# The answers of a run, each paid for once. `arm` names the prompt: its number of examples, or how they were chosen.
TRICK_CELLS = Table(
    "trick_cells",
    METADATA,
    Column("run_id", String(32), ForeignKey("trick_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("test_id", String(32), primary_key=True),
    Column("arm", String(16), primary_key=True),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("answer", Text, nullable=False),
    Column("score", Float),
    Column("problem", Text, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("nanodollars", BigInteger),
)

# Corrections that members suggest to the managers of their server. `body` is the corrected template.
TRICK_SUGGESTIONS = Table(
    "trick_suggestions",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("guild_id", BigInteger, nullable=False, index=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("template", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("given", Text, nullable=False),
    Column("wanted", Text, nullable=False),
)

# `state` is generating or ready. `fingerprint` is a hash of the texts that the dataset was made from.
DATASETS = Table(
    "datasets",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("corpus", String(32), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("origin", String(20), nullable=False),
    Column("state", String(12), nullable=False),
    Column("at", Float, nullable=False),
    Column("model", String(200), nullable=False),
    Column("refusal", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False),
)

# A chunk of a text, the model's reply about it, and the verdicts of the second call; each is paid for once. `start` and
# `end` are character offsets in the source.
CHUNKS = Table(
    "chunks",
    METADATA,
    Column("dataset_id", String(32), ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("source", String(255), nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reply", Text, nullable=False),
    Column("verdicts", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Index(None, "dataset_id", "state"),
)

# A dataset that a worker is asked to write for a person, until it is ready. `error` says why it could not be.
BUILDS = Table(
    "builds",
    METADATA,
    Column("dataset_id", String(32), ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
)

# A question and its answer. `role` says what it is used for, `decision` what the reviewer decided.
PAIRS = Table(
    "pairs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dataset_id", String(32), ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("fact", String(100), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("source", String(255), nullable=False),
    Column("quote", Text, nullable=False),
    Column("role", String(12), nullable=False),
    Column("flags", Text, nullable=False),
    Column("decision", String(10), nullable=False),
    UniqueConstraint("dataset_id", "line"),
)

# `id` is also the run key in the provider's metadata. `state` is our own step, `status` the provider's. `holder` has
# the lease of the job until `held_until`. `message_id` is the message with its card. `pinned` is a question that every
# checkpoint is asked.
TUNING_JOBS = Table(
    "tuning_jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("corpus", String(32), nullable=False, index=True),
    Column("dataset_id", String(32), ForeignKey("datasets.id"), nullable=False),
    Column("provider", String(20), nullable=False),
    Column("base", String(200), nullable=False),
    Column("parent", String(200), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("lesson", String(30), nullable=False),
    Column("hyperparameters", Text, nullable=False),
    Column("training_file", String(100), nullable=False),
    Column("validation_file", String(100), nullable=False),
    Column("remote_id", String(100), nullable=False),
    Column("status", String(40), nullable=False),
    Column("model", String(200), nullable=False),
    Column("error", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("estimated_tokens", Integer, nullable=False),
    Column("trained_tokens", Integer),
    Column("nanodollars", BigInteger),
    Column("step", Integer, nullable=False),
    Column("total_steps", Integer, nullable=False),
    Column("scored", Integer, nullable=False),
    Column("to_score", Integer, nullable=False),
    Column("touched", Float, nullable=False),
    Column("ended", Float),
    Column("holder", String(64), nullable=False),
    Column("held_until", Float, nullable=False),
    Column("guild_id", BigInteger),
    Column("channel_id", BigInteger),
    Column("message_id", BigInteger),
    Column("pinned", Text),
)

# A job's events from the provider, each once.
TUNING_EVENTS = Table(
    "tuning_events",
    METADATA,
    Column("job_id", String(32), ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("event_id", String(100), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("level", String(10), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("message", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index(None, "job_id", "number"),
)

# Tuned models by their name at the provider. `parent` is the tuned model that training started from.
TUNED_MODELS = Table(
    "tuned_models",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("corpus", String(32), nullable=False, index=True),
    Column("provider", String(20), nullable=False),
    Column("base", String(200), nullable=False),
    Column("parent", String(200), nullable=False),
    Column("dataset_id", String(32), ForeignKey("datasets.id"), nullable=False),
    Column("job_id", String(32), nullable=False),
    Column("lesson", String(30), nullable=False),
    Column("at", Float, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("scorecard", Text, nullable=False),
)

# A model's answers during scoring. `asked` is a hash of the prompt, so that no answer is paid for twice.
SCORE_ANSWERS = Table(
    "score_answers",
    METADATA,
    Column("model", String(200), primary_key=True),
    Column("asked", String(64), primary_key=True),
    Column("answer", Text, nullable=False),
)

# Promotions: the newest row of a corpus that is not undone names the model that answers for it.
PROMOTIONS = Table(
    "promotions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("corpus", String(32), nullable=False, index=True),
    Column("model", String(200), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("undone", Boolean, nullable=False),
)

# What people say is wrong with answers of tuned models. `answer` is the model's; an empty `correction` says that the
# texts do not tell. `state` is open, confirmed or rejected.
CORRECTIONS = Table(
    "corrections",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("prompt_id", String(32), nullable=False, unique=True),
    Column("corpus", String(32), nullable=False),
    Column("model", String(200), nullable=False),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("guild_id", BigInteger),
    Column("at", Float, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Index(None, "corpus", "state"),
)

# Blind comparisons that people vote on. `body` is the JSON of the answers in their order on the card. `counts` is the
# JSON of the votes for each, once the vote is closed.
ARENAS = Table(
    "arenas",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("guild_id", BigInteger, nullable=False),
    Column("channel_id", BigInteger, nullable=False),
    Column("message_id", BigInteger),
    Column("user_id", BigInteger, nullable=False),
    Column("closes", Float, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("counts", Text),
)

# The votes of an open comparison: one of each person. `choice` counts the answers from 0.
ARENA_VOTES = Table(
    "arena_votes",
    METADATA,
    Column("arena_id", String(32), ForeignKey("arenas.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("choice", Integer, nullable=False),
)
