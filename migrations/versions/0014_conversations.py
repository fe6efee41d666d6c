"""Link follow-ups to the answers that they continue.

A follow-up holds the words of all people in the conversation before it: it is deleted with their messages, and when one
of them is erased.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the link, and the people."""
    op.add_column("prompts", sa.Column("parent_id", sa.String(32)))
    op.create_index("ix_prompts_parent_id", "prompts", ["parent_id"])
    op.create_table(
        "prompt_authors",
        sa.Column("prompt_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("prompt_id", "user_id", name="pk_prompt_authors"),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompts.id"], name="fk_prompt_authors_prompt_id_prompts", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_prompt_authors_user_id", "prompt_authors", ["user_id"])
