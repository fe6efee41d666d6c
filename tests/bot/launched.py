"""Starts the real `fewshot`, with what no setting offers and a test needs: less patience, other templates.

Waiting a whole minute for a silent model is right for people and too long for a test; so is waiting two seconds for
more servers than the one that the loopback Discord tells of at once.
"""

import os
from pathlib import Path

import bot.app
import bot.bot
import bot.llm.client
import bot.play.turn_queue
import bot.ui.inflight
from bot.__main__ import main as fewshot


def main() -> None:
    """Read what the test wants from the environment, and hand over to the command line."""
    bot.bot.QUIET = 0.2
    if patience := os.environ.get("TEST_PATIENCE"):
        bot.llm.client.PATIENCE = bot.llm.client.SILENCE = float(patience)
    if seconds := os.environ.get("TEST_LAST_WORDS"):
        bot.ui.inflight.DRAIN_TIMEOUT = bot.play.turn_queue.GRACE = float(seconds)
    if templates := os.environ.get("TEST_TEMPLATES"):
        bot.app.TEMPLATES = Path(templates)
    fewshot()
