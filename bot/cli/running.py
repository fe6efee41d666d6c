"""What every command does: prepare the console, read the settings, set up logging, run a coroutine."""

import asyncio
import contextlib
import functools
import io
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import click

from bot.core.errors import ConfigError, FewshotError

if TYPE_CHECKING:
    from bot.core.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")
# Seconds after which Ctrl-C cancels the coroutine again, because a library may ignore one cancellation.
CANCEL_INTERVAL = 1.0
# Characters of a command in its group's help; no first sentence is as long.
LONGEST_HELP = 200


class Group(click.Group):
    """A group whose help shows the whole first sentence of each command; click's own cuts it to fit into one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, command.get_short_help_str(limit=LONGEST_HELP)) for name, command in found if command is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def prepare_console() -> None:
    """Replace characters that the console's encoding does not have, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def can_print(text: str) -> bool:
    """Whether the encoding of standard output has all characters of `text`."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def load_settings(**overrides: object) -> "Settings":
    """Read the settings, and set up logging without their secrets. Raises `ConfigError`."""
    from pydantic import SecretStr

    from bot.core import logs
    from bot.core.settings import load

    settings = load(**overrides)
    secrets = [value.get_secret_value() for _name, value in settings if isinstance(value, SecretStr)]
    secrets += [model.key.get_secret_value() for model in settings.chat_models if model.key is not None]
    secrets.append(unquote(urlsplit(settings.database_url or "").password or ""))
    logs.configure(settings.log_level, as_json=settings.log_format == "json", secrets=secrets)
    return settings


def make_data_dir(settings: "Settings") -> Path:
    """Create DATA_DIR if it does not exist. Raises `ConfigError`."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"DATA_DIR {settings.data_dir} cannot be used: {os.strerror(error.errno or 0)}.") from None
    return settings.data_dir


def run_async(coroutine: Coroutine[Any, Any, Any], *, serves: bool = False) -> Any:
    """Run `coroutine` and return its result.

    Ctrl-C ends the process with exit code 130, SIGTERM with 143, both without a traceback. A command that `serves` is
    ended so, also before it is ready, and exits with 0. As process 1 of a container it would not end at SIGTERM without
    a handler.
    """
    try:
        return asyncio.run(_interruptible(coroutine))
    except TerminatedError:
        sys.exit(0 if serves else 128 + signal.SIGTERM)
    except KeyboardInterrupt:
        click.echo("", err=True)
        sys.exit(0 if serves else 130)


def asynchronous(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a command of click from a coroutine function, which `run_async` runs."""

    @functools.wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> T:
        result: T = run_async(command(*args, **options))
        return result

    return run


def write_file(file: Path, text: str) -> None:
    """Write a file whole or not at all. Raises `FewshotError`."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise FewshotError(f"{file.name} cannot be written: {error.strerror}.") from None


class TerminatedError(Exception):
    """SIGTERM ended the command."""


async def _interruptible(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Cancel `coroutine` at Ctrl-C or SIGTERM, repeatedly until it ends. Commands that serve replace these handlers."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(coroutine)
    ended_by: type[BaseException] | None = None

    def interrupt(ends_with: type[BaseException]) -> None:
        nonlocal ended_by
        ended_by = ends_with
        if not task.done():
            task.cancel()
            loop.call_later(CANCEL_INTERVAL, interrupt, ends_with)

    # On Windows, asyncio handles Ctrl-C itself. Outside the main thread there are no signals.
    with contextlib.suppress(NotImplementedError, RuntimeError):
        loop.add_signal_handler(signal.SIGINT, interrupt, KeyboardInterrupt)
        loop.add_signal_handler(signal.SIGTERM, interrupt, TerminatedError)
    try:
        return await task
    except asyncio.CancelledError:
        if ended_by is not None:
            raise ended_by from None
        raise
