"""Keep whose words stand where, so that they can be found and dropped.

A prompt that was made from another person's message knows that message and its author; a branch knows who named
it. And a server can say whether its age-restricted channels may hold what is for adults.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add four columns; what is there already belongs to nobody, and allows nothing."""
    op.add_column("prompts", sa.Column("source_id", sa.BigInteger))
    op.add_column("prompts", sa.Column("author_id", sa.BigInteger))
    for column in ("source_id", "author_id"):
        op.create_index(f"ix_prompts_{column}", "prompts", [column])
    op.add_column("branches", sa.Column("player_id", sa.BigInteger))
    op.create_index("ix_branches_player_id", "branches", ["player_id"])
    op.add_column("guilds", sa.Column("adult", sa.Boolean, nullable=False, server_default=sa.false()))
