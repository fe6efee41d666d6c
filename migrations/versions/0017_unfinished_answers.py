"""Store which answers are being written.

When a process is killed, the next one ends its answers with a notice. Otherwise people wait for words that never come.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "unfinished_answers",
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("locale", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_unfinished_answers"),
    )
