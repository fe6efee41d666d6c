"""Name the table of small values for what it is.

It was called `marks`; its rows are values by name, and nothing about them changes.
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Rename the table."""
    op.rename_table("marks", "key_values")
