"""Store leases of work that several processes could do, and the datasets that workers are asked to write.

Before, every process that asked for a dataset wrote it itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("holder", sa.String(40), nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "builds",
        sa.Column("dataset_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", name="pk_builds"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_builds_dataset_id", ondelete="CASCADE"),
    )
