"""Keep adventures: a story as a tree of turns, who plays it, and what the memory of it needs.

A story is written turn by turn and read along one path, so turns point to their parents, and summaries belong to turns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the six tables, parents first."""
    _stories()
    _turns()
    _beside_the_turns()


def _stories() -> None:
    op.create_table(
        "stories",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger, nullable=False),
        sa.Column("scenario", sa.String(64), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("frame", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("starter_id", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Integer),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("touched", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stories"),
    )
    op.create_index("ix_stories_channel_id_state", "stories", ["channel_id", "state"])
    op.create_index("ix_stories_starter_id", "stories", ["starter_id"])


def _turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("story_id", sa.String(16), nullable=False),
        sa.Column("parent_id", sa.Integer),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("event_id", sa.BigInteger),
        sa.Column("player_id", sa.BigInteger, nullable=False),
        sa.Column("player", sa.String(100), nullable=False),
        sa.Column("named", sa.Boolean, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("dice", sa.Text, nullable=False),
        sa.Column("reply", sa.Text),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("finish", sa.String(20), nullable=False),
        sa.Column("prompt_id", sa.String(32), nullable=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("at", sa.Float, nullable=False),
        _of_a_story("turns"),
        sa.ForeignKeyConstraint(["parent_id"], ["turns.id"], name="fk_turns_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.UniqueConstraint("event_id", name="uq_turns_event_id"),
    )
    op.create_index("ix_turns_story_id_state", "turns", ["story_id", "state"])
    for column in ("parent_id", "player_id", "message_id"):
        op.create_index(f"ix_turns_{column}", "turns", [column])


def _beside_the_turns() -> None:
    op.create_table(
        "players",
        sa.Column("story_id", sa.String(16), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        _of_a_story("players"),
        sa.PrimaryKeyConstraint("story_id", "user_id", name="pk_players"),
    )
    op.create_index("ix_players_user_id", "players", ["user_id"])
    op.create_table(
        "summaries",
        sa.Column("turn_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("story_id", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        _of_a_turn("summaries"),
        _of_a_story("summaries"),
        sa.PrimaryKeyConstraint("turn_id", name="pk_summaries"),
    )
    op.create_index("ix_summaries_story_id", "summaries", ["story_id"])
    op.create_table(
        "branches",
        sa.Column("story_id", sa.String(16), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("turn_id", sa.Integer),
        _of_a_story("branches"),
        _of_a_turn("branches"),
        sa.PrimaryKeyConstraint("story_id", "name", name="pk_branches"),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("story_id", sa.String(16), nullable=False),
        sa.Column("player_id", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        _of_a_story("notes"),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_index("ix_notes_story_id", "notes", ["story_id"])
    op.create_index("ix_notes_player_id", "notes", ["player_id"])


def _of_a_story(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["story_id"], ["stories.id"], name=f"fk_{table}_story_id", ondelete="CASCADE")


def _of_a_turn(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=f"fk_{table}_turn_id", ondelete="CASCADE")
