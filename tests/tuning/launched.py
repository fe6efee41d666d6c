"""Starts the real `fewshot` as `tests.bot.launched` does, with jobs that are looked at often and short leases.

A provider's jobs take hours, so that looking every few seconds is right; a test's take a second. With `TEST_ROUNDS`
the local engine trains for so many epochs.
"""

import os
from dataclasses import replace

from bot.tuning import datasets, job_runner, workers
from bot.tuning.profiles import PROFILES
from cogs.finetune import job_cards
from tests.bot import launched


def main() -> None:
    """Shorten the pauses and perhaps the training, then start `fewshot`."""
    assert isinstance(PROFILES, dict)
    if rounds := os.environ.get("TEST_ROUNDS"):
        PROFILES["engine"] = replace(PROFILES["engine"], hyperparameters=lambda *_: {"n_epochs": int(rounds)})
        job_cards.UPDATE_INTERVAL = 0.3
    PROFILES.update({name: replace(profile, first_pause=0.1, longest_pause=0.3) for name, profile in PROFILES.items()})
    job_runner.LEASE, job_runner.POLL_INTERVAL = 1.2, 0.1
    job_runner.LIST_INTERVAL = job_runner.IDLE_LIST_INTERVAL = 0.4
    workers.LEASE, datasets.LEASE, datasets.POLL_INTERVAL = 1.2, 1.2, 0.1
    launched.main()
