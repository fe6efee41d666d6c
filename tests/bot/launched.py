"""Starts the real `fewshot` with what a test needs and no setting offers: other templates and shorter waits.

The loopback Discord announces its one server at once, so waiting two seconds for more servers is too long for a test.
"""

import os
from pathlib import Path

import bot.answers.service
import bot.app
import bot.bot
import bot.play.turn_queue
import bot.ui.inflight
from bot.cli import main as fewshot


def main() -> None:
    """Read what the test wants from the environment, and hand over to the command line."""
    bot.bot.GUILD_READY_TIMEOUT = 0.2
    if seconds := os.environ.get("TEST_LAST_WORDS"):
        bot.ui.inflight.DRAIN_TIMEOUT = bot.play.turn_queue.CLOSE_TIMEOUT = float(seconds)
    if seconds := os.environ.get("TEST_FIRST_NOTICE"):
        bot.answers.service.FIRST_NOTICE = bot.answers.service.NEXT_NOTICE = float(seconds)
    if templates := os.environ.get("TEST_TEMPLATES"):
        bot.app.TEMPLATES = Path(templates)
    fewshot()
