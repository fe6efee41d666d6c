"""Store what people say is wrong with answers of tuned models.

An operator confirms or rejects each one. Confirmed ones are questions of the next scorecards.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("prompt_id", sa.String(32), nullable=False),
        sa.Column("corpus", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("correction", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.UniqueConstraint("prompt_id", name="uq_corrections_prompt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
    )
    op.create_index("ix_corrections_corpus_state", "corrections", ["corpus", "state"])
    op.create_index("ix_corrections_user_id", "corrections", ["user_id"])
