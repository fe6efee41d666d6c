"""The progress of a tuning job as one line."""

from bot.answers.rendering import bar
from bot.core.i18n import _
from bot.core.text import escape_markdown
from bot.tuning.jobs import STATUSES, JobRow
from bot.tuning.profiles import PROFILES


def progress_line(job: JobRow) -> str:
    """A bar where steps or questions can be counted, else the provider's status; empty for a job that is over."""
    if job.state == "running" and job.total_steps:
        return _("{bar} steps", bar=bar(job.step, job.total_steps))
    if job.state == "scoring" and job.to_score:
        return _("{bar} questions", bar=bar(job.scored, job.to_score))
    if job.over:
        return ""
    # Translators: how a job stands at its provider: "The local engine: running".
    status = _(STATUSES[job.status]) if job.status in STATUSES else escape_markdown(job.status)
    said = _("{provider}: {status}", provider=_(PROFILES[job.provider].title), status=status)
    return said if job.status else "…"
