"""Keep every version of a trick, with its author, time and note.

An example gets the first and the last version that it belongs to, so that its author can still be erased everywhere.
The tricks that exist get their first version, as they are.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table, and a first version of every trick."""
    op.add_column("tricks", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("trick_examples", sa.Column("since", sa.Integer, nullable=False, server_default="1"))
    op.add_column("trick_examples", sa.Column("until", sa.Integer))
    op.create_table(
        "trick_versions",
        sa.Column("trick_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("author_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("trick_id", "number", name="pk_trick_versions"),
        sa.ForeignKeyConstraint(["trick_id"], ["tricks.id"], name="fk_trick_versions_trick_id", ondelete="CASCADE"),
    )
    for column in ("user_id", "author_id"):
        op.create_index(f"ix_trick_versions_{column}", "trick_versions", [column])
    op.execute(
        "INSERT INTO trick_versions (trick_id, number, user_id, author_id, at, kind, note, body) "
        "SELECT id, 1, user_id, user_id, at, 'stored', '', body FROM tricks"
    )
