"""What the card of a job in a channel needs: which jobs have one, its figures, and where it stands."""

from bot.storage import jobs
from bot.storage.database import Database
from bot.storage.jobs import EventRow, JobRow


async def unfinished(database: Database) -> list[JobRow]:
    """Jobs whose cards do not show their end yet, those that have ended meanwhile among them."""
    return [job for job in await jobs.all_jobs(database) if job.channel_id is not None]


async def close(database: Database, job_id: str) -> None:
    """A card shows its job's end, or has no place any more: it is left as it is."""
    await jobs.change(database, job_id, channel_id=None, message_id=None)


async def metrics(database: Database, job_id: str) -> list[EventRow]:
    """What the provider told of the losses, in order."""
    return await jobs.events(database, job_id, "metrics")


async def training_seconds(database: Database, job_id: str) -> float:
    """Seconds from the first figures of a job to the last, at least 1; 0 where there are none."""
    told = await metrics(database, job_id)
    return max(told[-1].at - told[0].at, 1.0) if told else 0.0
