"""`fewshot db`: the database's version, and a copy of it."""

from pathlib import Path

import click

from bot.cli.setup import start
from bot.storage import migrations as migrating


async def run_upgrade() -> None:
    """Bring the database to the newest version. Raises `StorageError`."""
    click.echo(f"The database is at version {await migrating.upgrade(start().database)}.")


async def run_status() -> None:
    """Say which version the database has."""
    current, newest = await migrating.version(start().database)
    if current is None:
        click.echo(f"There is no database yet; the first start makes one, version {newest}.")
    elif current == newest:
        click.echo(f"The database is at version {current}, the newest.")
    else:
        click.echo(f"The database is at version {current}; this program has {newest}. Run: fewshot db upgrade")


async def run_backup(target: Path) -> None:
    """Copy the database while it may be in use. Raises `StorageError`."""
    size = await migrating.backup(start().database, target)
    click.echo(f"Copied {size:,} bytes to {target}.")
