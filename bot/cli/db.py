"""`fewshot db`: upgrade the database, show its version, copy it."""

from pathlib import Path

import click

from bot.cli.running import load_settings, run_async


@click.group()
def db() -> None:
    """Upgrade the database, show its version, or copy it."""


@db.command()
def upgrade() -> None:
    """Upgrade the database to the newest version."""
    from bot.storage import migrations

    version = run_async(migrations.upgrade(load_settings().database))
    click.echo(f"The database has version {version}.")


@db.command()
def status() -> None:
    """Show the version of the database, and the newest version."""
    from bot.storage import migrations

    current, newest = run_async(migrations.version(load_settings().database))
    if current is None:
        click.echo(f"There is no database yet. The first start creates it with version {newest}.")
    elif current == newest:
        click.echo(f"The database has version {current}, the newest.")
    else:
        click.echo(f"The database has version {current}; this program has {newest}. Run: fewshot db upgrade")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database to FILE, also while the bot is running."""
    from bot.storage import migrations

    size = run_async(migrations.backup(load_settings().database, file))
    click.echo(f"Copied {size:,} bytes to {file}.")
