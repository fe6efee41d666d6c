"""Let several processes share a database: each has a slot, and all of them the sums that limits are about.

A call notes the slot of its process, so that a start settles only what its own predecessor left open. Calls that are
open now are those of the only process there was. The sums of a day are counted again from the calls when they are first
needed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column and make the two tables."""
    op.add_column("calls", sa.Column("slot", sa.Integer))
    op.execute("UPDATE calls SET slot = 0 WHERE NOT settled")
    op.create_table(
        "slots",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("shards", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_slots"),
    )
    op.create_table(
        "usage_sums",
        sa.Column("period", sa.String(10), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("period", "user_id", "guild_id", name="pk_usage_sums"),
    )
    op.create_index("ix_usage_sums_user_id", "usage_sums", ["user_id"])
