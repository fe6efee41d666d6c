"""`fewshot tune`: the jobs of `/finetune` without Discord, on the same database."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bot.cli.context import OPERATOR, moved, open_bench
from bot.core.errors import InputError, ModelError
from bot.storage.datasets import DatasetRow
from bot.storage.tuning import JobRow
from bot.tuning import estimate
from bot.tuning.errors import TuningError
from bot.tuning.job_messages import STEPS
from bot.tuning.scorecard import Scorecard, table
from bot.tuning.service import Tuning


async def run_estimate(corpus: str, dataset: str, base: str) -> None:
    """The table of prices for the corpus's dataset."""
    async with open_bench() as bench:
        row = await dataset_of(bench.tuning, corpus, dataset)
        click.echo(f"Dataset {row.id}: {row.name}")
        click.echo(estimate.table(await bench.tuning.estimate(row.id, base)))
        closed = estimate.blocked(bench.tuning.provider)
        if closed:
            click.echo(f"A job would be refused now. {closed}")


async def run_start(corpus: str, dataset: str, base: str, *, yes: bool) -> None:
    """Start a job and follow it to its end; a price above nothing, or one that is not known, is confirmed first."""
    async with open_bench() as bench:
        tuning = bench.tuning
        tuning.corpora.get(corpus)
        row = await dataset_of(tuning, corpus, dataset)
        if row.corpus != corpus:
            raise InputError(f"The dataset {row.id} is of {row.corpus}, not of {corpus}.")
        quote = (await tuning.estimate(row.id, base))[0]
        if quote.usd is None or quote.usd:
            click.echo(f"{quote.model.name}: {quote.tokens:,} tokens, {quote.price}. {quote.warning}")
            if not yes and not click.confirm("Start?"):
                raise InputError("Nothing was started.")
        job = await tuning.start(row.id, OPERATOR, base)
        click.echo(f"Job {job.id} on {row.name} ({row.id}), base {job.base}")
        await _follow(tuning, job.id)


async def dataset_of(tuning: Tuning, corpus: str, wanted: str) -> DatasetRow:
    """The dataset that is meant: one by its id, a file of rows, or the corpus's newest."""
    if wanted.endswith(".jsonl"):
        return await tuning.imported(corpus, Path(wanted))
    return await (tuning.dataset(wanted) if wanted else tuning.newest(corpus))


async def run_follow(job_id: str) -> None:
    """Follow a job, the newest one where none is named, to its end."""
    async with open_bench() as bench:
        if not job_id:
            found = await bench.tuning.jobs()
            if not found:
                raise InputError("There are no jobs yet.")
            job_id = found[0].id
        await _follow(bench.tuning, (await bench.tuning.job(job_id)).id)


async def _follow(tuning: Tuning, job_id: str) -> None:
    """Show the job until it is over. Raises `TuningError` with the reason where it ends without a model."""
    job = await show_job(tuning, job_id)
    for event in [event for event in await tuning.events(job.id, last=100) if event.kind != "metrics"][-3:]:
        click.echo(f"  {event.message}")
    if job.state != "done":
        raise TuningError(f"The job {job.id} {'was' if job.state == 'cancelled' else 'has'} {job.state}. {job.error}")
    click.echo(f"Model: {job.model}")
    if job.nanodollars:
        click.echo(f"It cost ${job.nanodollars / 1e9:,.2f} for {job.trained_tokens or 0:,} tokens.")
    if job.note:
        click.echo(job.note)
    model = next((row for row in await tuning.ancestors(job.model)), None)
    if model is not None and model.scorecard:
        click.echo(table(Scorecard.from_json(model.scorecard)))
    click.echo(f"To let it answer: fewshot tune promote {job.model}")


async def show_job(tuning: Tuning, job_id: str) -> JobRow:
    """The job at its end, its steps shown as a bar until then."""
    job = await tuning.job(job_id)
    with click.progressbar(length=100, label="  ", show_pos=False, show_eta=False) as bar:
        at = 0
        async for job in tuning.watch(job_id):
            bar.label = f"{STEPS[job.state]:<20}"
            now = percent(job)
            bar.update(max(now - at, 0))
            at = max(at, now)
            bar.render_progress()
    return job


def percent(job: JobRow) -> int:
    """How far a job is, of a hundred: training is most of it, scoring the rest."""
    if job.state == "done":
        return 100
    trained = 85 * job.step // job.total_steps if job.total_steps else 0
    scored = 15 * job.scored // job.to_score if job.to_score else 0
    return {"scoring": 85 + scored, "deploying": 85}.get(job.state, min(trained, 85))


async def run_list() -> None:
    """Jobs and models, newest first, with what is promoted."""
    async with open_bench() as bench:
        tuning = bench.tuning
        active = {row.name for corpus in tuning.corpora.names if (row := await tuning.active(corpus)) is not None}
        for job in await tuning.jobs():
            when = datetime.fromtimestamp(job.at, UTC).strftime("%Y-%m-%d %H:%M")
            mark = "  (answers now)" if job.model in active else ""
            click.echo(f"{job.id}  {when}  {job.corpus:<10} {job.state:<9} {job.model or job.base}{mark}")


async def run_cancel(job_id: str) -> None:
    """Cancel a job here and at its provider."""
    async with open_bench() as bench:
        job = await bench.tuning.cancel(job_id)
        click.echo(f"The job {job.id} is {job.state}.")


async def run_score(model: str) -> None:
    """Score a model and print the card."""
    async with open_bench() as bench:
        with click.progressbar(length=100, label="scoring") as bar:
            card = await bench.tuning.score(model, OPERATOR, moved(bar))
        click.echo(table(card))
        for wrong in card.wrong[:10]:
            click.echo(f"  wrong: {wrong.question} → {wrong.said} (is: {wrong.wanted})")


async def run_promote(model: str, force: str) -> None:
    """Let a model answer."""
    async with open_bench() as bench:
        done = await bench.tuning.promote(model, OPERATOR, force)
        click.echo(f"{done.model} answers now." + (f" Before it: {done.before}." if done.before else ""))


async def run_rollback(corpus: str) -> None:
    """Let the model before answer again."""
    async with open_bench() as bench:
        done = await bench.tuning.rollback(corpus)
        click.echo(f"{done.model} answers again, in place of {done.before}.")


async def run_ask(corpus: str, text: str) -> None:
    """Ask the promoted model, and show the nearest training rows."""
    async with open_bench() as bench:
        tuning = bench.tuning
        question = await tuning.question(corpus, text)
        wire = await tuning.wire(question.model.provider)
        try:
            answer = await tuning.purse.ask(OPERATOR, question.template, question.values, wire.chat)
        except ModelError as error:
            raise await tuning.explained(question, error) from error
        click.echo(answer.text)
        click.echo(f"— {question.model.name}\n\nSimilar training rows:", err=True)
        for row in await tuning.similar(question.model.name, text):
            where = f" ({row.pair.source}, line {row.file_line})" if row.file_line else ""
            click.echo(f"  {row.likeness:.0%} {row.pair.question} → {row.pair.answer}{where}", err=True)
