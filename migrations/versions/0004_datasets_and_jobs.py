"""Keep what tuning makes: datasets step by step, jobs and their events, models, their scores, promotions.

Everything that was paid for has a row of its own as soon as it is there, so that a crash costs none of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the eight tables."""
    _datasets()
    _jobs()
    _models()


def _datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("corpus", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("origin", sa.String(20), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("refusal", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
    )
    op.create_index("ix_datasets_corpus", "datasets", ["corpus"])
    op.create_table(
        "chunks",
        sa.Column("dataset_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reply", sa.Text, nullable=False),
        sa.Column("verdicts", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "number", name="pk_chunks"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_chunks_dataset_id", ondelete="CASCADE"),
    )
    op.create_index("ix_chunks_dataset_id_state", "chunks", ["dataset_id", "state"])
    op.create_table(
        "pairs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("dataset_id", sa.String(32), nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("fact", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("quote", sa.Text, nullable=False),
        sa.Column("role", sa.String(12), nullable=False),
        sa.Column("flags", sa.Text, nullable=False),
        sa.Column("decision", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pairs"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_pairs_dataset_id", ondelete="CASCADE"),
        sa.UniqueConstraint("dataset_id", "line", name="uq_pairs_dataset_id_line"),
    )


def _jobs() -> None:
    op.create_table(
        "tuning_jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("corpus", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(32), nullable=False),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("base", sa.String(200), nullable=False),
        sa.Column("parent", sa.String(200), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("lesson", sa.String(30), nullable=False),
        sa.Column("hyperparameters", sa.Text, nullable=False),
        sa.Column("training_file", sa.String(100), nullable=False),
        sa.Column("validation_file", sa.String(100), nullable=False),
        sa.Column("remote_id", sa.String(100), nullable=False),
        sa.Column("status", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("estimated_tokens", sa.Integer, nullable=False),
        sa.Column("trained_tokens", sa.Integer),
        sa.Column("nanodollars", sa.BigInteger),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("total_steps", sa.Integer, nullable=False),
        sa.Column("scored", sa.Integer, nullable=False),
        sa.Column("to_score", sa.Integer, nullable=False),
        sa.Column("touched", sa.Float, nullable=False),
        sa.Column("ended", sa.Float),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("held_until", sa.Float, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("message_id", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_tuning_jobs"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_tuning_jobs_dataset_id"),
    )
    op.create_index("ix_tuning_jobs_corpus", "tuning_jobs", ["corpus"])
    op.create_index("ix_tuning_jobs_state", "tuning_jobs", ["state"])
    op.create_table(
        "tuning_events",
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("event_id", sa.String(100), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "event_id", name="pk_tuning_events"),
        sa.ForeignKeyConstraint(["job_id"], ["tuning_jobs.id"], name="fk_tuning_events_job_id", ondelete="CASCADE"),
    )
    op.create_index("ix_tuning_events_job_id_number", "tuning_events", ["job_id", "number"])


def _models() -> None:
    op.create_table(
        "tuned_models",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("corpus", sa.String(32), nullable=False),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("base", sa.String(200), nullable=False),
        sa.Column("parent", sa.String(200), nullable=False),
        sa.Column("dataset_id", sa.String(32), nullable=False),
        sa.Column("job_id", sa.String(32), nullable=False),
        sa.Column("lesson", sa.String(30), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.Column("scorecard", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tuned_models"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_tuned_models_dataset_id"),
    )
    op.create_index("ix_tuned_models_corpus", "tuned_models", ["corpus"])
    op.create_table(
        "score_answers",
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("asked", sa.String(64), nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model", "asked", name="pk_score_answers"),
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("corpus", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("undone", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
    )
    op.create_index("ix_promotions_corpus", "promotions", ["corpus"])
