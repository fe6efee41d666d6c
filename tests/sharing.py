"""How the tests are shared out among processes: what shares a server stays together, what takes longest begins first.

A process that begins a long file last is the one that all others wait for; by name or by number of tests, that is
what happens.
"""

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

# Half of a test's time is waiting for other processes, so two tests at a time keep a core busy. Every process reads
# all tests before it runs any, which takes seconds: more than eight would not pay.
PER_CORE, MOST = 2, 8
# The files that share the running bot of `tests/bot/conftest.py`: all of that folder but those with bots of their own,
# and the one that changes what its server speaks.
SHARED = "tests/bot/"
APART = frozenset(
    f"{SHARED}test_{name}.py" for name in ("installed", "joining", "killed", "languages", "stopping", "whole_session")
)
# Longest first, as seen on two cores; what is not named comes after them.
LONGEST = (
    SHARED,
    "tests/cogs/test_adventure_wire.py",
    "tests/tuning/test_discord_jobs.py",
    "tests/tuning/test_killed_bot.py",
    "tests/bot/test_whole_session.py",
    "tests/demo/test_page.py",
    "tests/tuning/test_command_line.py",
    "tests/tuning/test_jobs.py",
    "tests/cogs/test_adventure_crash.py",
    "tests/engine/pocket/test_train.py",
    "tests/cogs/test_racing.py",
    "tests/wire/test_rules.py",
    "tests/engine/jobs/test_jobs.py",
    "tests/play/test_memory.py",
)


def workers() -> int:
    """How many processes run tests where `-n auto` leaves it to us."""
    return min(PER_CORE * (os.cpu_count() or 1), MOST)


def together(nodeid: str) -> str:
    """What a test stays together with: the tests of its file, or of its folder where that shares a bot."""
    file = nodeid.split("::", 1)[0]
    return SHARED if file.startswith(SHARED) and file not in APART else file


def turn(nodeid: str) -> int:
    """When a test's turn comes; equal numbers keep their order."""
    scope = together(nodeid)
    return LONGEST.index(scope) if scope in LONGEST else len(LONGEST)


class Sharing(LoadFileScheduling):
    """Hands out what stays together at once, in the order in which the tests were collected."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)
