"""The command line. Each command imports what it needs when it runs, so that `fewshot --help` is quick.

Exit codes: 0 done, 1 it failed (one sentence on standard error, no traceback), 2 wrong usage.
"""

import gc
import logging
import sys
from pathlib import Path
from typing import Any

import click

from bot.cli.running import run_work
from bot.cli.tuning import dataset, lesson, tune
from bot.core.errors import FewshotError

FAULT = "Something went wrong on my side ({kind}). LOG_LEVEL=DEBUG shows where; the project's maintainers want to know."


class Sentences(click.Group):
    """A group whose commands fail with a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours ends it with code 1 and its sentence."""
        try:
            return super().invoke(ctx)
        except FewshotError as error:
            click.echo(f"fewshot: {error}", err=True)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # whatever it is, a person at a terminal gets a sentence
            logging.getLogger(__name__).debug("the fault, whole", exc_info=error)
            click.echo(f"fewshot: {FAULT.format(kind=type(error).__name__)}", err=True)
        return ctx.exit(1)


@click.group(cls=Sentences, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fewshot", prog_name="fewshot")
def cli() -> None:
    """A Discord bot that shows its prompts and trains its own model."""


@cli.command()
def run() -> None:
    """Connect to Discord with DISCORD_TOKEN and serve until Ctrl-C."""
    # Importing makes next to nothing to collect, and looking for it takes a tenth of the start; `bot.app.run`
    # switches collection on again.
    gc.disable()
    from bot.cli.serving import run_bot

    run_work(run_bot())


@cli.command()
@click.option("--port", default=8800, show_default=True, type=click.IntRange(0, 65535))
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
def demo(port: int, no_browser: bool) -> None:
    """The same bot in a page on this machine; no account needed."""
    from bot.cli.serving import run_demo

    run_work(run_demo(port, browser=not no_browser))


@cli.command()
@click.option("--port", default=8801, show_default=True, type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--no-token", is_flag=True, help="Ask for no token; on loopback alone.")
def engine(port: int, host: str, no_token: bool) -> None:
    """The local engine alone, for any OpenAI client."""
    from bot.cli.serving import run_engine

    run_work(run_engine(host, port, with_token=not no_token))


@cli.command()
@click.argument("template")
@click.argument("values", nargs=-1, metavar="NAME=VALUE…")
@click.option("--prompt", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer with model, usage and price as JSON.")
def complete(template: str, values: tuple[str, ...], prompt: bool, as_json: bool) -> None:
    """Fill TEMPLATE (a shipped one's name, or a JSON file) and print the answer."""
    from bot.cli.completing import run_complete

    given = dict(_pair(value) for value in values)
    run_work(run_complete(template, given, prompt_only=prompt, as_json=as_json))


@cli.group()
def db() -> None:
    """Upgrade, look at, or copy the database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the newest version."""
    from bot.cli.db import run_upgrade

    run_work(run_upgrade())


@db.command("status")
def db_status() -> None:
    """Which version the database has, and which is the newest."""
    from bot.cli.db import run_status

    run_work(run_status())


@db.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
def db_backup(file: Path) -> None:
    """Copy the database to FILE, also while the bot is running."""
    from bot.cli.db import run_backup

    run_work(run_backup(file))


@cli.command()
def doctor() -> None:
    """Check settings, token, model, database and templates, and say what to do."""
    from bot.cli.doctor import run_doctor

    if not run_work(run_doctor()):
        sys.exit(1)


for _command in (dataset, tune, lesson):
    cli.add_command(_command)


def main() -> None:
    """The entry point."""
    cli(prog_name="fewshot")


def _pair(value: str) -> tuple[str, str]:
    name, equals, rest = value.partition("=")
    if not equals or not name:
        raise click.UsageError(f"Write values as name=value; {value!r} is none.")
    return name, rest
