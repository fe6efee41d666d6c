"""Give tricks test sets, and keep their runs answer by answer.

A run that is killed goes on from the answers that are stored, so that none is paid for twice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "trick_tests",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("trick_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("expected", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trick_tests"),
        sa.ForeignKeyConstraint(["trick_id"], ["tricks.id"], name="fk_trick_tests_trick_id", ondelete="CASCADE"),
    )
    op.create_table(
        "trick_runs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("trick_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("judge", sa.String(12), nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("tests", sa.Text, nullable=False),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trick_runs"),
        sa.ForeignKeyConstraint(["trick_id"], ["tricks.id"], name="fk_trick_runs_trick_id", ondelete="CASCADE"),
    )
    op.create_table(
        "trick_cells",
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("test_id", sa.String(32), nullable=False),
        sa.Column("arm", sa.String(16), nullable=False),
        sa.Column("round", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("nanodollars", sa.BigInteger),
        sa.PrimaryKeyConstraint("run_id", "test_id", "arm", "round", name="pk_trick_cells"),
        sa.ForeignKeyConstraint(["run_id"], ["trick_runs.id"], name="fk_trick_cells_run_id", ondelete="CASCADE"),
    )
    op.create_index("ix_trick_tests_trick_id", "trick_tests", ["trick_id"])
    op.create_index("ix_trick_tests_user_id", "trick_tests", ["user_id"])
    op.create_index("ix_trick_runs_trick_id_state", "trick_runs", ["trick_id", "state"])
    op.create_index("ix_trick_runs_user_id", "trick_runs", ["user_id"])
    op.create_index("ix_trick_runs_at", "trick_runs", ["at"])
