"""How pytest-xdist distributes the tests: tests that share a server run in one process, long files start first.

Starting the longest files first shortens the whole run: a long file that starts last keeps all other processes waiting.
"""

import os

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

# Tests wait for other processes half of the time, so two at a time keep a core busy, and one more is there when all of
# them wait. Each process collects all tests first, which takes seconds: on two cores, four processes took 176 s, five
# 161 s and six 172 s (2026-11-28). More than eight do not pay.
PER_CORE, MORE, MAXIMUM = 2, 1, 8
# The files of this folder share one running bot (`tests/bot/conftest.py`), except those in APART, which mostly start
# bots of their own, or change the server's language.
SHARED = "tests/bot/"
APART = frozenset(
    f"{SHARED}test_{name}.py"
    for name in (
        *("installed", "joining", "killed", "languages", "named_points", "stopping", "techniques", "waiting"),
        "whole_session",
        "slots",
    )
)
# Longest first, by the CPU time of a run on 2026-11-28; all others follow.
LONGEST = (
    SHARED,
    "tests/cogs/test_finetune_wire.py",
    "tests/cogs/test_finetune_jobs.py",
    "tests/cogs/test_racing.py",
    "tests/tuning/test_provider_border.py",
    "tests/tuning/test_jobs.py",
    "tests/bot/test_whole_session.py",
    "tests/tuning/test_command_line.py",
    "tests/engine/test_fine_tuning.py",
    "tests/demo/test_page.py",
    "tests/engine/test_fine_tuning_errors.py",
    "tests/play/test_memory.py",
    "tests/ui/test_actions.py",
    "tests/cogs/test_adventure_trouble.py",
    "tests/cogs/test_trick.py",
    "tests/engine/test_launch.py",
    "tests/core/test_pathological_inputs.py",
    "tests/server/test_privacy.py",
    "tests/llm/test_real_servers.py",
    "tests/cogs/test_local_model.py",
    "tests/tuning/test_generating.py",
    "tests/cli/test_model.py",
    "tests/engine/test_server.py",
    "tests/storage/test_migrations.py",
    "tests/tuning/test_workers.py",
    "tests/engine/pocket/test_train.py",
    "tests/engine/llama/test_serving.py",
    "tests/server/test_ledger.py",
    "tests/tuning/test_json_slips.py",
    "tests/demo/test_serving.py",
    "tests/cogs/test_adventure_wire.py",
    "tests/cogs/test_trick_runs.py",
    "tests/storage/test_database.py",
    "tests/cogs/test_sentiment.py",
    "tests/tuning/test_discord_starting.py",
    "tests/cogs/test_finetune_template.py",
    "tests/cogs/test_adventure_crash.py",
    "tests/cogs/test_adventure.py",
    "tests/cogs/test_adventure_moves.py",
    "tests/engine/test_ray.py",
    "tests/cli/test_complete.py",
    "tests/server/test_erasure.py",
    "tests/play/test_history.py",
    "tests/meta/test_catalogues.py",
    "tests/bot/test_techniques.py",
    "tests/cogs/test_shot_selector.py",
    "tests/bot/test_slots.py",
    "tests/tuning/test_killed_bot.py",
    "tests/bot/test_waiting.py",
    "tests/bot/test_named_points.py",
    "tests/cogs/test_adventure_locked.py",
    "tests/llm/test_transport.py",
)


def processes() -> int:
    """The number of test processes for `-n auto`."""
    return min(PER_CORE * (os.cpu_count() or 1) + MORE, MAXIMUM)


def scope_of(nodeid: str) -> str:
    """The tests that run in the same process: those of the file, or of the files that share a bot."""
    file = nodeid.split("::", 1)[0]
    return SHARED if file.startswith(SHARED) and file not in APART else file


def order(nodeid: str) -> int:
    """The sort key of a test; equal keys keep their order."""
    scope = scope_of(nodeid)
    return LONGEST.index(scope) if scope in LONGEST else len(LONGEST)


class Scheduler(LoadFileScheduling):
    """Assigns whole scopes to processes, in the order of collection."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
