"""`fewshot lesson`: the chapter's lessons, each trained for real beside a good model."""

import click

from bot.cli.context import OPERATOR, open_bench
from bot.cli.tune import show_job
from bot.core.errors import InputError
from bot.tuning.errors import TuningError
from bot.tuning.lessons import LESSONS
from bot.tuning.scorecard import Scorecard, side_by_side
from bot.tuning.service import Tuning

CORPUS = "racing"


async def run_lesson(name: str) -> None:
    """Train the good model, if there is none yet, and the one of the lesson; print both cards and the sentence."""
    if not name:
        for lesson in LESSONS.values():
            click.echo(f"{lesson.name:<14} {lesson.title}")
        return
    if name not in LESSONS:
        raise InputError(f"There is no lesson {name}; there are: {', '.join(LESSONS)}.")
    lesson = LESSONS[name]
    async with open_bench() as bench:
        tuning = bench.tuning
        good, card = await tuning.good_model(CORPUS)
        if card is None:
            click.echo("First the good model, with all the rows:")
            dataset = await tuning.newest(CORPUS)
            good, card = await _trained(tuning, (await tuning.start(dataset.id, OPERATOR)).id)
        click.echo(f"Now the lesson, {lesson.title.lower()}:")
        dataset_id = (await tuning.ancestors(good))[0].dataset_id
        job = await tuning.start(dataset_id, OPERATOR, good if lesson.forgets else "", lesson.name)
        _, other = await _trained(tuning, job.id)
        click.echo(side_by_side(card, other, ("the good model", lesson.name)))
        for wrong in other.wrong[:5]:
            click.echo(f"  wrong: {wrong.question} → {wrong.said} (is: {wrong.wanted})")
        click.echo(f"\n{lesson.sentence}")


async def _trained(tuning: Tuning, job_id: str) -> tuple[str, Scorecard]:
    """The model of a job and its card, once the job is over."""
    job = await show_job(tuning, job_id)
    model = next(iter(await tuning.ancestors(job.model)), None)
    if job.state != "done" or model is None or not model.scorecard:
        raise TuningError(f"The job {job.id} ended without a model that is scored. {job.error}{job.note}")
    return model.name, Scorecard.from_json(model.scorecard)
