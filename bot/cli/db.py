"""`fewshot db`: upgrade the database, show its version, back it up, copy it to another database."""

from pathlib import Path

import click

from bot.cli.running import Group, load_settings, run_async
from bot.storage import copying, migrations


@click.group(cls=Group)
def db() -> None:
    """Upgrade the database, show its version, back it up, or copy it to another one."""


@db.command()
def upgrade() -> None:
    """Upgrade the database to the newest version."""
    version = run_async(migrations.upgrade(load_settings().database))
    click.echo(f"The database has version {version}.")


@db.command()
def status() -> None:
    """Show the version of the database, and the newest version."""
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
    size = run_async(migrations.backup(load_settings().database, file))
    click.echo(f"Copied {size:,} bytes to {file}.")


@db.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy all rows from the database at FROM to the empty one at TO. Stop the bot first.

    Both are addresses as in DATABASE_URL, such as sqlite+aiosqlite:///data/fewshot.sqlite3 and
    postgresql+asyncpg://user:key@host/database.
    """
    load_settings()
    counts = run_async(copying.copy(source, target))
    for table, count in counts.items():
        click.echo(f"{count:>12,} {table}")
    click.echo(f"Copied {sum(counts.values()):,} rows.")
