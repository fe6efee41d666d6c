"""Store a server's settings as one JSON object.

A new setting then needs no column and no migration. Settings that were never set are left out, so that a changed
default applies to them.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

JSON_COLUMNS = ("adventure_channels", "private")
DEFAULTS: dict[str, Any] = {"adventure_channels": [], "private": {}, "menus": True, "adult": False}


def upgrade() -> None:
    """Create the table, move every server's row into it, and drop the table of before."""
    after = op.create_table(
        "guild_settings",
        sa.Column("guild_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guild_settings"),
    )
    connection = op.get_bind()
    before = sa.Table("guilds", sa.MetaData(), autoload_with=connection)
    for row in connection.execute(before.select()).mappings().all():
        values = {name: json.loads(row[name]) if name in JSON_COLUMNS else row[name] for name in row}
        guild_id = values.pop("guild_id")
        settings = {name: value for name, value in values.items() if value != DEFAULTS.get(name)}
        for name in ("menus", "adult"):
            if name in settings:
                settings[name] = bool(settings[name])
        op.execute(after.insert().values(guild_id=guild_id, settings=json.dumps(settings, sort_keys=True)))
    op.drop_table("guilds")
