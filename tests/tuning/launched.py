"""Starts the real `fewshot` as `tests.bot.launched` does, with jobs that are looked at often and short leases.

A provider's jobs take hours, so that looking every few seconds is right; a test's take a second.
"""

from dataclasses import replace

from bot.tuning import datasets, job_runner, workers
from bot.tuning.profiles import PROFILES
from tests.bot import launched


def main() -> None:
    """Shorten the pauses, then start `fewshot`."""
    assert isinstance(PROFILES, dict)
    PROFILES.update({name: replace(profile, first_pause=0.1, longest_pause=0.3) for name, profile in PROFILES.items()})
    job_runner.LEASE, job_runner.POLL_INTERVAL = 1.2, 0.1
    job_runner.LIST_INTERVAL = job_runner.IDLE_LIST_INTERVAL = 0.4
    workers.LEASE, datasets.LEASE, datasets.POLL_INTERVAL = 1.2, 1.2, 0.1
    launched.main()
