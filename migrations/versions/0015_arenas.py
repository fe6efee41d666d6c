"""Store blind comparisons while people vote, and their votes until the answers are revealed.

A person has one vote in each; afterwards only the counts are kept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "arenas",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("closes", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("counts", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_arenas"),
    )
    op.create_index("ix_arenas_closes", "arenas", ["closes"])
    op.create_table(
        "arena_votes",
        sa.Column("arena_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("choice", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["arena_id"], ["arenas.id"], name="fk_arena_votes_arena_id_arenas", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("arena_id", "user_id", name="pk_arena_votes"),
    )
