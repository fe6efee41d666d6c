"""Store whose message became the input of an example.

So their words go when they ask for it, and not only when the one who taught the example does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column; the examples that exist were typed by their authors."""
    op.add_column("trick_examples", sa.Column("given_by", sa.BigInteger))
    op.create_index("ix_trick_examples_given_by", "trick_examples", ["given_by"])
