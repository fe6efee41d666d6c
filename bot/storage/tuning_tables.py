"""The tables of tuning: datasets, their chunks and pairs, jobs and their events, models, scores, promotions.

Lists and figures whose form may grow are JSON in a text. Where nothing is known yet, a text is empty and a
number 0, save where that would be a claim.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

from bot.storage.metadata import METADATA

# `state` is generating or ready; `fingerprint` is of the texts that the dataset was made from.
DATASETS = Table(
    "datasets",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("corpus", String(32), nullable=False),
    Column("name", String(100), nullable=False),
    Column("origin", String(20), nullable=False),
    Column("state", String(12), nullable=False),
    Column("at", Float, nullable=False),
    Column("model", String(200), nullable=False),
    Column("refusal", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Index(None, "corpus"),
)

# A piece of a text, what the model wrote about it, and what its second look at that said: each paid for once.
# `start` and `end` are characters of the source.
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

# A question and its answer; `role` says what it is used for, `decision` what the person who looked at it said.
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
    Unique("dataset_id", "line"),
)

# `id` is also the run key that the provider is given. `state` is our own step, `status` the provider's word.
# `holder` follows the job until `held_until`; the message ids are those of its card.
TUNING_JOBS = Table(
    "tuning_jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("corpus", String(32), nullable=False),
    Column("dataset_id", String(32), ForeignKey("datasets.id"), nullable=False),
    Column("provider", String(20), nullable=False),
    Column("base", String(200), nullable=False),
    Column("parent", String(200), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("state", String(12), nullable=False),
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
    Index(None, "corpus"),
    Index(None, "state"),
)

# What the provider told of a job, each event once.
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

# Models that jobs have made, under the name that they are asked by; `parent` is the tuned model gone on from.
TUNED_MODELS = Table(
    "tuned_models",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("corpus", String(32), nullable=False),
    Column("provider", String(20), nullable=False),
    Column("base", String(200), nullable=False),
    Column("parent", String(200), nullable=False),
    Column("dataset_id", String(32), ForeignKey("datasets.id"), nullable=False),
    Column("job_id", String(32), nullable=False),
    Column("lesson", String(30), nullable=False),
    Column("at", Float, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("scorecard", Text, nullable=False),
    Index(None, "corpus"),
)

# What a model answered when it was scored; `asked` is a digest of the prompt, so that none is paid for twice.
SCORE_ANSWERS = Table(
    "score_answers",
    METADATA,
    Column("model", String(200), primary_key=True),
    Column("asked", String(64), primary_key=True),
    Column("answer", Text, nullable=False),
)

# Which model answers for a corpus: the newest row that is not undone.
PROMOTIONS = Table(
    "promotions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("corpus", String(32), nullable=False),
    Column("model", String(200), nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("undone", Boolean, nullable=False),
    Index(None, "corpus"),
)
