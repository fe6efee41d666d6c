"""What discord.py logs about errors."""

import logging
import sys

import aiohttp
import pytest

import bot.bot  # noqa: F401 - sets up discord.py's loggers
from bot.core.errors import InputError, StorageError
from bot.ui.errors import MAX_SENTENCE, user_message

AWAY = "My database does not answer at the moment, by 100%."


@pytest.mark.parametrize("name", ["discord.client", "discord.app_commands.tree"])
def test_an_error_that_may_not_occur_again_is_one_line(name: str, caplog: pytest.LogCaptureFixture) -> None:
    for error in (StorageError(AWAY), aiohttp.ClientError("reset"), ValueError("a fault")):
        try:
            raise error
        except (StorageError, aiohttp.ClientError, ValueError):
            logging.getLogger(name).exception("Ignoring exception in %s", "on_message")
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", f"Ignoring exception in on_message: {AWAY}"),
        ("WARNING", "Ignoring exception in on_message: reset"),
        ("ERROR", "Ignoring exception in on_message"),
    ]
    assert caplog.text.count("Traceback") == 1
    assert sys.exc_info() == (None, None, None)


def test_a_sentence_with_a_text_that_is_too_long_fits_into_a_message_and_says_what_to_do() -> None:
    error = InputError("There is no scenario called {name}; there are {n}.", name="a" * 3_999, n=7)
    assert user_message(error) == f"There is no scenario called {'a' * 199}…; there are 7."
    assert len(user_message(InputError("x" * 3_000))) <= MAX_SENTENCE + 2
    long = InputError("This is not a text. Type one.", names="b" * 3_000)
    assert user_message(long) == "This is not a text. Type one."
