"""`fewshot tune` and `fewshot lesson`: the jobs of `/finetune` without Discord, on the same database."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bot.cli.context import OPERATOR, bar_updater, open_for_operator
from bot.cli.running import Group, asynchronous
from bot.core.caller import Caller
from bot.core.errors import InputError
from bot.core.i18n import _
from bot.server.ledger import NANO
from bot.tuning import estimate
from bot.tuning.corpus import RACING
from bot.tuning.datasets import DatasetRow
from bot.tuning.errors import TuningError
from bot.tuning.jobs import STATE_NAMES, JobRow
from bot.tuning.lessons import LESSONS
from bot.tuning.scoring import Scorecard, side_by_side, table
from bot.tuning.service import Tuning
from bot.tuning.snapshots import KIND

# Per cent of a job that are training; scoring is the rest.
TRAINING = 85
NO_JOBS = "There are no jobs yet. `fewshot tune start CORPUS` starts one, such as `fewshot tune start racing`."
# How the names of files end; a dataset's id has no dot.
FILES = (".jsonl", ".csv")
_DATASET = click.option("--dataset", default="", help="A dataset's id, or a .jsonl or .csv file; default: the newest.")
_BASE = click.option("--base", default="", help="The base model, or a tuned one to go on from.")


@click.group(cls=Group)
def tune() -> None:
    """Train models on a corpus, score them, and let them answer."""


@tune.command("estimate")
@click.argument("corpus")
@_DATASET
@_BASE
@asynchronous
async def tune_estimate(corpus: str, dataset: str, base: str) -> None:
    """Show what training on CORPUS would cost, for every known model."""
    async with open_for_operator() as tuning:
        row = await _dataset(tuning, corpus, dataset)
        click.echo(f"Dataset {row.id}: {row.name}")
        click.echo(estimate.table(await tuning.jobs.estimate(row.id, base)))
        closed = estimate.blocked(tuning.jobs.profile)
        if closed:
            click.echo(f"A job would be refused now. {_(closed)}")


@tune.command("start")
@click.argument("corpus")
@_DATASET
@_BASE
@click.option("--yes", is_flag=True, help="Do not ask to confirm the price.")
@asynchronous
async def tune_start(corpus: str, dataset: str, base: str, yes: bool) -> None:
    """Train a model on CORPUS and follow the job to its end; after Ctrl-C, `follow` goes on with it."""
    async with open_for_operator() as tuning:
        tuning.datasets.check_name(corpus)
        row = await _dataset(tuning, corpus, dataset)
        if row.corpus != corpus:
            raise InputError(f"The dataset {row.id} is of {row.corpus}, not of {corpus}.")
        quote = (await tuning.jobs.estimate(row.id, base))[0]
        if not quote.starts_at_once:
            click.echo(f"{quote.model.name}: {quote.tokens:,} tokens, {quote.effort or quote.price}. {quote.warning}")
            if not yes and not click.confirm("Start?"):
                raise InputError("Nothing was started.")
        job = await tuning.jobs.start(row.id, OPERATOR, base)
        click.echo(f"Job {job.id} on {row.name} ({row.id}), base {job.base}")
        await _follow(tuning, job.id)


@tune.command("follow")
@click.argument("job", default="")
@asynchronous
async def tune_follow(job: str) -> None:
    """Follow JOB, or the newest one, to its end."""
    async with open_for_operator() as tuning:
        if not job:
            found = await tuning.jobs.all()
            if not found:
                raise InputError(NO_JOBS)
            job = found[0].id
        await _follow(tuning, (await tuning.jobs.get(job)).id)


@tune.command("list")
@asynchronous
async def tune_list() -> None:
    """List the jobs, newest first, and the models that answer."""
    async with open_for_operator() as tuning:
        models = [await tuning.models.active(corpus) for corpus in tuning.subjects]
        active = {model.name for model in models if model is not None}
        jobs = await tuning.jobs.all()
        if not jobs:
            click.echo(NO_JOBS)
        for job in jobs:
            when = datetime.fromtimestamp(job.at, UTC).strftime("%Y-%m-%d %H:%M")
            mark = "  (answers now)" if job.model in active else ""
            click.echo(f"{job.id}  {when}  {job.corpus:<10} {job.state:<9} {job.model or job.base}{mark}")


@tune.command("cancel")
@click.argument("job")
@asynchronous
async def tune_cancel(job: str) -> None:
    """Cancel JOB, here and at its provider."""
    async with open_for_operator() as tuning:
        cancelled = await tuning.jobs.cancel(job)
        click.echo(f"The job {cancelled.id} is {cancelled.state}.")


@tune.command("score")
@click.argument("model")
@asynchronous
async def tune_score(model: str) -> None:
    """Ask MODEL everything that its scorecard needs, and print it."""
    async with open_for_operator() as tuning:
        with click.progressbar(length=100, label="scoring") as bar:
            card = await tuning.models.score(model, OPERATOR, bar_updater(bar))
        click.echo(table(card))
        for wrong in card.wrong[:10]:
            click.echo(f"  wrong: {wrong.question} → {wrong.said} (is: {wrong.wanted})")


@tune.command("promote")
@click.argument("model")
@click.option("--force", default="", metavar="REASON", help="Promote it although it is worse, and say why.")
@asynchronous
async def tune_promote(model: str, force: str) -> None:
    """Let MODEL answer for its corpus."""
    async with open_for_operator() as tuning:
        done = await tuning.models.promote(model, OPERATOR, force)
        click.echo(f"{done.model} answers now." + (f" Before it: {done.before}." if done.before else ""))


@tune.command("rollback")
@click.argument("corpus")
@asynchronous
async def tune_rollback(corpus: str) -> None:
    """Let the model before the active one of CORPUS answer again."""
    async with open_for_operator() as tuning:
        done = await tuning.models.rollback(corpus)
        click.echo(f"{done.model} answers again, in place of {done.before}.")


@tune.command("ask")
@click.argument("corpus")
@click.argument("question")
@asynchronous
async def tune_ask(corpus: str, question: str) -> None:
    """Ask the promoted model of CORPUS; similar training rows are printed on standard error."""
    async with open_for_operator() as tuning:
        asked = await tuning.models.question(corpus, question)
        answer = await tuning.models.ask(asked, Caller(OPERATOR))
        click.echo(answer.text)
        click.echo(f"— {asked.model.name}\n\nSimilar training rows:", err=True)
        for row in await tuning.models.similar(asked.model.name, question):
            where = f" ({row.pair.source}, line {row.file_line})" if row.file_line else ""
            click.echo(f"  {row.likeness:.0%} {row.pair.question} → {row.pair.answer}{where}", err=True)


async def _dataset(tuning: Tuning, corpus: str, wanted: str) -> DatasetRow:
    """The dataset of an id, of a file of rows, or the corpus's newest."""
    if wanted.casefold().endswith(FILES):
        imported = await tuning.datasets.import_file(corpus, Path(wanted))
        for problem in imported.problems:
            click.echo(problem, err=True)
        return imported.dataset
    return await (tuning.datasets.get(wanted) if wanted else tuning.datasets.newest(corpus))


async def _follow(tuning: Tuning, job_id: str) -> None:
    """Show the job until it is over. Raises `TuningError` with the reason where it ends without a model."""
    job = await _show_job(tuning, job_id)
    events = await tuning.jobs.events(job.id, last=100)
    for event in [event for event in events if event.kind not in ("metrics", KIND)][-3:]:
        click.echo(f"  {event.message}")
    if job.state != "done":
        raise TuningError(f"The job {job.id} {'was' if job.state == 'cancelled' else 'has'} {job.state}. {job.error}")
    for history in await tuning.jobs.answers_so_far(job):
        click.echo(f"  {history.question}")
        for step, answer, right in history.answers:
            click.echo(f"    step {step}: {answer}{' (right)' if right else ''}")
    click.echo(f"Model: {job.model}")
    if job.nanodollars:
        click.echo(f"It cost ${job.nanodollars / NANO:,.2f} for {job.trained_tokens or 0:,} tokens.")
    if job.note:
        click.echo(job.note)
    model = await tuning.models.find(job.model)
    if model is not None and model.scorecard:
        click.echo(table(Scorecard.from_json(model.scorecard)))
    click.echo(f"To let it answer: fewshot tune promote {job.model}")


async def _show_job(tuning: Tuning, job_id: str) -> JobRow:
    """The job at its end. Until then a bar shows its steps, and each new note is a line above it."""
    job = await tuning.jobs.get(job_id)
    note = ""
    with click.progressbar(length=100, label="  ", show_pos=False, show_eta=False) as bar:
        move = bar_updater(bar)
        async for job in tuning.jobs.watch(job_id):
            if job.note and job.note != note and not job.over:
                click.echo(f"\n{job.note}", err=True)
            note = job.note
            bar.label = f"{STATE_NAMES[job.state]:<20}"
            move(_percent(job), 100)
            bar.render_progress()
    return job


def _percent(job: JobRow) -> int:
    """How far a job is, from 0 to 100."""
    if job.state == "done":
        return 100
    trained = TRAINING * job.step // job.total_steps if job.total_steps else 0
    scored = (100 - TRAINING) * job.scored // job.to_score if job.to_score else 0
    return {"scoring": TRAINING + scored, "deploying": TRAINING}.get(job.state, min(trained, TRAINING))


async def run_lesson(name: str) -> None:
    """Train the good model, if there is none yet, and the lesson's; print both cards and the lesson's sentence."""
    if not name:
        for one in LESSONS.values():
            click.echo(f"{one.name:<14} {one.title}")
        return
    if name not in LESSONS:
        raise InputError(f"There is no lesson {name}; there are: {', '.join(LESSONS)}.")
    chosen = LESSONS[name]
    async with open_for_operator() as tuning:
        good, card = await tuning.models.newest_scored(RACING)
        if card is None:
            click.echo("First the good model, with all the rows:")
            dataset = await tuning.datasets.newest(RACING)
            good, card = await _trained(tuning, (await tuning.jobs.start(dataset.id, OPERATOR)).id)
        click.echo(f"Now the lesson, {chosen.title.lower()}:")
        dataset_id = (await tuning.models.ancestors(good))[0].dataset_id
        job = await tuning.jobs.start(dataset_id, OPERATOR, good if chosen.forgets else "", chosen.name)
        _name, other = await _trained(tuning, job.id)
        click.echo(side_by_side(card, other, ("the good model", chosen.name)))
        for wrong in other.wrong[:5]:
            click.echo(f"  wrong: {wrong.question} → {wrong.said} (is: {wrong.wanted})")
        click.echo(f"\n{chosen.sentence}")


async def _trained(tuning: Tuning, job_id: str) -> tuple[str, Scorecard]:
    """The name and the card of a job's model, once the job is over."""
    job = await _show_job(tuning, job_id)
    model = await tuning.models.find(job.model)
    if job.state != "done" or model is None or not model.scorecard:
        raise TuningError(f"The job {job.id} ended without a model that is scored. {job.error}{job.note}")
    return model.name, Scorecard.from_json(model.scorecard)
