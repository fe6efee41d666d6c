"""Keep what admins set for their servers, and the tricks that they teach by example.

Examples and suggestions have rows of their own, with the one who typed them, so that a person's words can be
found and dropped without touching anyone else's.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "guilds",
        sa.Column("guild_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("language", sa.String(20)),
        sa.Column("adventure_channels", sa.Text, nullable=False),
        sa.Column("report_channel", sa.BigInteger),
        sa.Column("user_tokens", sa.BigInteger),
        sa.Column("guild_tokens", sa.BigInteger),
        sa.Column("private", sa.Text, nullable=False),
        sa.Column("menus", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guilds"),
    )
    op.create_table(
        "tricks",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tricks"),
        sa.UniqueConstraint("guild_id", "name", name="uq_tricks_guild_id_name"),
    )
    op.create_index("ix_tricks_user_id", "tricks", ["user_id"])
    op.create_table(
        "trick_examples",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("trick_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("given", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trick_examples"),
        sa.ForeignKeyConstraint(["trick_id"], ["tricks.id"], name="fk_trick_examples_trick_id", ondelete="CASCADE"),
    )
    for column in ("trick_id", "user_id"):
        op.create_index(f"ix_trick_examples_{column}", "trick_examples", [column])
    op.create_table(
        "trick_suggestions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("guild_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("given", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trick_suggestions"),
    )
    for column in ("guild_id", "user_id"):
        op.create_index(f"ix_trick_suggestions_{column}", "trick_suggestions", [column])
