"""How a migration runs: on the connection that it is handed, inside that connection's transaction.

There is no offline mode and no configuration of logs here: `bot.storage.migrations` is the only way in.
"""

from alembic import context

from bot.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite alters tables by copying them; batch mode does that where it must.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
