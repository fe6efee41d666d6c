"""Store the question that an operator pins to a tuning job.

Every checkpoint is asked it, and the job's card shows the answers.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column."""
    op.add_column("tuning_jobs", sa.Column("pinned", sa.Text))
