"""What the card of a job in a channel needs: which jobs have one, its figures, and where it stands.

The channel is kept together with the job, before the card is posted: so that a job which was started there has its
card, wherever a crash falls. Until the card stands, the job is on `HELD`: nobody takes its first step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import time
from types import MappingProxyType

from bot.core.i18n import N_
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.tuning import EventRow, JobRow

# How people are told of a job's steps.
STEPS: Mapping[str, str] = MappingProxyType(
    {
        "uploading": N_("uploading the dataset"),
        "creating": N_("creating the job"),
        "running": N_("training"),
        "deploying": N_("deploying the model"),
        "scoring": N_("scoring the model"),
        "done": N_("done"),
        "failed": N_("failed"),
        "cancelled": N_("cancelled"),
    }
)
# What providers call it while a job is theirs (OpenAI's job object, 2026-11-22); another word is shown as it is.
STATUSES: Mapping[str, str] = MappingProxyType(
    {
        "validating_files": N_("checking the files"),
        "queued": N_("waiting for its turn"),
        "running": N_("running"),
        "pausing": N_("pausing"),
        "paused": N_("paused"),
        "succeeded": N_("succeeded"),
    }
)
# Who holds a job whose card is being posted, and for how many seconds at the most: longer than discord.py tries.
HELD, POSTING = "card", 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the card of a job shall stand: a channel, and the server that it is in."""

    guild_id: int | None
    channel_id: int


def placed(job: JobRow, place: Place) -> JobRow:
    """`job`, which is not kept yet, with the place of its card; held until the card stands there."""
    held_until = time() + POSTING
    return replace(job, guild_id=place.guild_id, channel_id=place.channel_id, holder=HELD, held_until=held_until)


async def stands(database: Database, job: JobRow, message_id: int) -> None:
    """The card stands: whoever follows jobs may take this one."""
    await tuning_rows.change_job(database, job.id, message_id=message_id)
    await tuning_rows.release_lease(database, job.id, HELD)


async def unfinished(database: Database) -> list[JobRow]:
    """Jobs whose cards do not show their end yet, those that have ended meanwhile among them."""
    return [job for job in await tuning_rows.all_jobs(database) if job.channel_id is not None]


async def close(database: Database, job_id: str) -> None:
    """A card shows its job's end, or has no place any more: it is left as it is."""
    await tuning_rows.change_job(database, job_id, channel_id=None, message_id=None)


async def metrics(database: Database, job_id: str) -> list[EventRow]:
    """What the provider told of the losses, in order."""
    return await tuning_rows.job_events(database, job_id, "metrics")


async def training_seconds(database: Database, job_id: str) -> float:
    """Seconds from the first figures of a job to the last, at least 1; 0 where there are none."""
    told = await metrics(database, job_id)
    return max(told[-1].at - told[0].at, 1.0) if told else 0.0
