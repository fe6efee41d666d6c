"""The command line. Each command imports its modules when it runs, so that `fewshot --help` is fast.

`serve`     run, worker, demo and engine
`complete`  fill a template, send it, print the answer
`doctor`    what is missing
`db`        the database: upgrade, backup, copy
`model`     local models
`dataset`   datasets
`trick`     tricks in files
`tune`      jobs, tuned models, lessons
`context`   what `dataset`, `tune` and `worker` open
`running`   runs a coroutine until Ctrl-C

Exit codes: 0 success, 1 failure (one sentence on standard error, no traceback), 2 wrong usage; a command that does not
serve ends with 130 after Ctrl-C and with 143 after SIGTERM. `run`, `worker`, `demo` and `engine` end with 0 after both.
"""

import gc
import logging
import sys
from importlib import import_module
from typing import Any

import click

from bot.cli.running import Group, prepare_console, run_async
from bot.core.errors import FewshotError
from bot.core.json_text import without_surrogates

FAULT = "Something went wrong on my side ({kind}). LOG_LEVEL=DEBUG shows where; the project's maintainers want to know."


class SentenceGroup(Group):
    """Shows errors as one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. After an error, show its sentence and exit with code 1."""
        try:
            return super().invoke(ctx)
        except FewshotError as error:
            click.echo(f"fewshot: {error}", err=True)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:  # the user gets a sentence and no traceback
            logging.getLogger(__name__).debug("unexpected error", exc_info=error)
            click.echo(f"fewshot: {FAULT.format(kind=type(error).__name__)}", err=True)
        return ctx.exit(1)


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fewshot", prog_name="fewshot")
def cli() -> None:
    """A Discord bot that shows its prompts and trains its own model."""


@cli.command()
def run() -> None:
    """Connect to Discord with DISCORD_TOKEN and serve until Ctrl-C."""
    # Garbage collection takes a tenth of the start and finds almost nothing. `bot.app.run` enables it again.
    gc.disable()
    from bot.cli.serve import run_bot

    run_async(run_bot(), serves=True)


@cli.command()
def worker() -> None:
    """Follow tuning jobs and write datasets for the bots on this database, until Ctrl-C."""
    from bot.cli.serve import run_worker

    run_async(run_worker(), serves=True)


@cli.command()
@click.option("--port", default=8800, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free port.")
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
def demo(port: int, no_browser: bool) -> None:
    """Run the bot on a local web page, without a Discord account, until Ctrl-C."""
    from bot.cli.serve import run_demo

    run_async(run_demo(port, browser=not no_browser), serves=True)


@cli.command()
@click.option("--port", default=8801, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--no-token", is_flag=True, help="Require no token; allowed only on loopback.")
def engine(port: int, host: str, no_token: bool) -> None:
    """Run the local engine alone, a server with OpenAI's API, until Ctrl-C."""
    from bot.cli.serve import run_engine

    run_async(run_engine(host, port, with_token=not no_token), serves=True)


@cli.command()
@click.argument("template")
@click.argument("values", nargs=-1, metavar="NAME=VALUE…")
@click.option("--prompt", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer with model, usage and price as JSON.")
def complete(template: str, values: tuple[str, ...], prompt: bool, as_json: bool) -> None:
    """Fill TEMPLATE (a shipped one's name, or a JSON file) and print the answer."""
    from bot.cli.complete import run_complete

    given = dict(_pair(value) for value in values)
    run_async(run_complete(template, given, prompt_only=prompt, as_json=as_json))


@cli.command()
def doctor() -> None:
    """Check settings, token, model, database and templates, and say what to do."""
    from bot.cli.doctor import run_doctor

    if not run_async(run_doctor()):
        sys.exit(1)


class LazyGroup(Group):
    """A group that `module` defines under this group's name, and that is imported when it is used."""

    def __init__(self, name: str, module: str, about: str) -> None:
        super().__init__(name, help=about)
        self._module = module

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the group's commands."""
        return self._group().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        return self._group().get_command(ctx, cmd_name)

    def _group(self) -> click.Group:
        found: click.Group = getattr(import_module(self._module), str(self.name))
        return found


cli.add_command(
    LazyGroup("db", "bot.cli.db", "Upgrade the database, show its version, back it up, or copy it to another one.")
)
cli.add_command(LazyGroup("model", "bot.cli.model", "Chat models on this machine (needs fewshot[local])."))
cli.add_command(LazyGroup("dataset", "bot.cli.dataset", "Make datasets from corpora, check them, look at them."))
cli.add_command(
    LazyGroup("trick", "bot.cli.trick", "Test tricks in files, import prompts as tricks, export tricks for promptfoo.")
)
cli.add_command(LazyGroup("tune", "bot.cli.tune", "Train models on a corpus, score them, and let them answer."))


@cli.command()
@click.argument("name", default="")
def lesson(name: str) -> None:
    """Train the models of one of the chapter's lessons, and print both scorecards; without NAME, list the lessons."""
    from bot.cli.tune import run_lesson

    run_async(run_lesson(name))


def main() -> None:
    """The entry point of `fewshot` and `python -m bot`."""
    prepare_console()
    cli(prog_name="fewshot")


def _pair(value: str) -> tuple[str, str]:
    """Split `name=value`. Bytes that are not UTF-8 are replaced, because they could not be sent."""
    name, equals, rest = without_surrogates(value).partition("=")
    if not equals or not name:
        raise click.UsageError(f"Write values as name=value, not {value!r}.")
    return name, rest
