"""`fewshot model`: chat models on this machine, fetched, chosen, tested and timed."""

import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.running import Group, asynchronous, load_settings, make_data_dir
from bot.core.errors import InputError, NotFoundError, ReplyError
from bot.core.settings import LOCAL_SUFFIX
from bot.engine.launch import connected
from bot.engine.llama.catalog import GIB, machine, recommended
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import Installed, ModelStore
from bot.llm.client import ChatClient
from bot.llm.completion import ask
from bot.llm.output_parsers import Rating
from bot.llm.request import Request
from bot.llm.template import ChatTemplate

if TYPE_CHECKING:
    from bot.server.evaluation import Case

# Orders in which a few examples are shown: a small model's answers depend on the order.
ORDERS = 3
# Labelled reviews that `test` asks about by default; all 50 take four times as long.
REVIEWS = 12
BENCH_PROMPT = "Write a story of two hundred words about a harbour in winter."
BENCH_TOKENS = 64
# Items of the long prompt, of about four tokens each.
BENCH_ITEMS = 200
# The columns of a usual terminal, and the indent of the lines below a model's row.
LINE, DETAIL_INDENT = 80, " " * 5


@click.group(cls=Group)
def model() -> None:
    """Chat models on this machine (needs fewshot[local])."""


@model.command("list")
def list_models() -> None:
    """Show the recommended models, what is installed, what fits and what is in use."""
    store = _store()
    here = machine(store.folder)
    installed = {each.name: each for each in store.all()}
    used = store.in_use()
    click.echo(
        f"This machine: {here.memory / GIB:.1f} GiB of memory ({here.free_memory / GIB:.1f} free), {here.cores} cores, "
        f"{here.free_disk / GIB:.0f} GiB of free disk."
    )
    rows = [("", "name", "disk", "memory", "note")]
    details = [""]
    for row in recommended().values():
        note = "in use" if row.name == used else "installed" if row.name in installed else here.fits(row)
        size, memory = f"{row.size / GIB:.1f} GiB", f"{row.memory / GIB:.1f} GiB"
        rows.append(("*" if row.name == used else "", row.name, size, memory, note))
        details.append(f"{row.license}; {row.languages}")
    for each in installed.values():
        if each.name not in recommended():
            note = "in use" if each.name == used else "installed"
            size = f"{each.size / GIB:.1f} GiB"
            rows.append(("*" if each.name == used else "", each.name, size, "", note))
            details.append(each.license)
    for line, detail in zip(_table(rows), details, strict=True):
        click.echo(line)
        if detail:
            click.echo(click.wrap_text(detail, LINE, initial_indent=DETAIL_INDENT, subsequent_indent=DETAIL_INDENT))
    click.echo("\nSizes as their publishers state them, 2026-11.\nFetch one with: fewshot model get NAME")


@model.command()
@click.argument("source", metavar="NAME|hf:OWNER/REPO/FILE.gguf@REVISION|FILE")
@click.option("--yes", is_flag=True, help="Accept the licence without being asked.")
def get(source: str, yes: bool) -> None:
    """Fetch a model; an interrupted download goes on where it was."""
    from bot.cli.context import bar_updater

    store = _store()
    wanted = source_of(source)
    if (installed := store.find(wanted.name)) is not None:
        click.echo(f"{installed.name} is installed already.")
        return
    terms = wanted.license or "the licence that its page states"
    if not yes:
        click.confirm(f"{wanted.label} comes from {wanted.address} under {terms}. Do you accept it?", abort=True)
    with click.progressbar(length=100, label=f"fetching {wanted.name}") as bar:
        made = fetch(store, wanted, bar_updater(bar))
    click.echo(f"Installed {made.name}: {made.size / GIB:.2f} GiB, licence {made.license}, sha256 {made.sha256}.")
    if made.warning:
        click.echo(f"Note: {made.warning}")
    click.echo(f"Let the bot use it with: fewshot model use {made.name}")


@model.command()
@click.argument("name", metavar="NAME|none")
def use(name: str) -> None:
    """Let the bot chat with an installed model when no server is set; `none` goes back to the stand-in."""
    settings = load_settings()
    store = ModelStore(settings.models)
    store.use(None if name == "none" else name)
    click.echo("No local model is in use." if name == "none" else f"{name} answers from the bot's next start on.")
    if settings.has_model:
        click.echo("Note: OPENAI_API_KEY or OPENAI_BASE_URL is set, and goes before the local model.", err=True)


@model.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def remove(name: str, yes: bool) -> None:
    """Delete an installed model."""
    store = _store()
    model = store.get(name)
    if not yes:
        click.confirm(f"Delete {model.name} ({model.size / GIB:.2f} GiB)?", abort=True)
    store.remove(name)
    click.echo(f"{name} is deleted.")


@model.command()
@click.argument("name", required=False)
@click.option("--reviews", default=REVIEWS, show_default=True, type=click.IntRange(1, 50), help="Labelled reviews.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Also draw the table as a PNG.")
@asynchronous
async def test(name: str | None, reviews: int, picture: Path | None) -> None:
    """Rate labelled reviews with 0, 1, 3 and all examples, in several orders."""
    from bot.app import TEMPLATES
    from bot.llm.template_registry import open_template_registry
    from bot.server.evaluation import shipped_cases, shot_counts

    template = open_template_registry(TEMPLATES).get("sentiment")
    cases = shipped_cases("sentiment")[:reviews]
    counts = shot_counts(len(template.examples))
    plans = [(shots, order) for shots in counts for order in range(ORDERS if shots else 1)]
    scores: list[Score] = []
    async with _client(name) as (client, model):
        with click.progressbar(length=len(plans) * len(cases), label=f"rating {len(cases)} reviews") as bar:
            for shots, order in plans:
                ordered = template.with_pairs(_sampled(template, shots, order))
                scores.append(await _score(client, ordered, cases, shots, lambda: bar.update(1)))
    rows, means = [("examples", "orders", "exact", "within one", "exact by order")], list[float]()
    for shots in counts:
        of = [score for score in scores if score.shots == shots]
        exact, near = (statistics.mean(values) for values in zip(*((s.exact, s.within_one) for s in of), strict=True))
        means.append(exact)
        spread = " ".join(f"{score.exact:.0%}" for score in of)
        rows.append((str(shots), str(len(of)), f"{exact:.0%}", f"{near:.0%}", spread))
    for line in _table(rows):
        click.echo(line)
    if picture is not None:
        from bot.ui.pictures import curve_picture

        title = f"{model.label}: reviews rated right"
        labels = [str(shots) for shots in counts]
        picture.write_bytes((await curve_picture(picture.name, labels, means, title, "examples")).data)
        click.echo(f"Drawn in {picture}.")


@model.command()
@click.argument("name", required=False)
@asynchronous
async def bench(name: str | None) -> None:
    """Measure load time, memory, prompt and generated tokens per second, and the first token."""
    import psutil

    async with _client(name) as (client, model):
        began = time.perf_counter()
        await _generate(client, "Say yes.", 1)
        loaded = time.perf_counter() - began
        # The engine's children: the model's process is the largest of them.
        ours = psutil.Process().children(recursive=True)
        with suppress(psutil.Error):
            memory = max((child.memory_info().rss for child in ours), default=0)
            click.echo(f"memory in use: {memory / GIB:.2f} GiB")
        click.echo(f"load and first answer: {loaded:.1f} s")
        long_prompt = " ".join(f"item {n}" for n in range(BENCH_ITEMS))
        first, _, prompt_tokens, _ = await _generate(client, f"Repeat the last word: {long_prompt}", 1)
        click.echo(f"prompt: {prompt_tokens / first:.0f} tokens a second ({prompt_tokens} tokens in {first:.1f} s)")
        first, whole, _, tokens = await _generate(client, BENCH_PROMPT, BENCH_TOKENS)
        click.echo(f"first token: {first:.2f} s")
        click.echo(f"generated: {max(tokens - 1, 0) / max(whole - first, 1e-6):.0f} tokens a second ({tokens} tokens)")
        click.echo(f"model: {model.label}, {model.size / GIB:.2f} GiB on disk")


@dataclass(frozen=True, slots=True)
class Score:
    """Ratings with so many examples in one order: shares of exact stars, and of stars within one."""

    shots: int
    exact: float
    within_one: float


async def _score(
    client: ChatClient, template: ChatTemplate, cases: "Sequence[Case]", shots: int, done: Callable[[], None]
) -> Score:
    """Ask about every case; a reply in another form counts as wrong."""
    off: list[int | None] = []
    for case in cases:
        try:
            answer = await ask(client, template.fill({template.placeholders[-1]: case.text}))
            stars = answer.reply.stars if isinstance(answer.reply, Rating) else None
        except ReplyError:
            stars = None
        off.append(None if stars is None else abs(stars - int(case.expected)))
        done()
    exact = sum(each == 0 for each in off) / len(off)
    return Score(shots, exact, sum(each is not None and each <= 1 for each in off) / len(off))


def _sampled(template: ChatTemplate, shots: int, order: int) -> list[tuple[dict[str, str], dict[str, str]]]:
    """So many examples in the order with that number; order 0 is the template's own."""
    pairs = list(template.examples)
    if order:
        random.Random(order).shuffle(pairs)
    return pairs[:shots]


async def _generate(client: ChatClient, prompt: str, tokens: int) -> tuple[float, float, int, int]:
    """Seconds to the first word and to the end, tokens of the prompt and of the answer.

    The answer may be empty: a small model ends some at once.
    """
    parameters = {"temperature": 0, "max_completion_tokens": tokens}
    request = Request(({"role": "user", "content": prompt},), parameters, "bench")
    began, first = time.perf_counter(), 0.0
    async with client.stream(request) as stream:
        async for _ in stream:
            first = first or time.perf_counter() - began
    whole = time.perf_counter() - began
    usage = client.record_usage(request, stream)
    return first or whole, whole, usage.prompt, usage.completion


@asynccontextmanager
async def _client(name: str | None) -> AsyncIterator[tuple[ChatClient, Installed]]:
    """A client for an installed model: the one called `name`, else the one in use, else the only one."""
    settings = load_settings(log_level="ERROR")
    store = ModelStore(settings.models)
    there = store.all()
    chosen = name or store.in_use() or (there[0].name if len(there) == 1 else None)
    if chosen is None:
        if there:
            raise InputError("Which model? Name one of: " + ", ".join(each.name for each in there) + ".")
        raise NotFoundError("No model is installed. See: fewshot model list")
    model = store.get(chosen)
    async with (
        connected(settings.data_dir, settings.models) as engine,
        ChatClient(
            base_url=engine.url, api_key=engine.token, model=f"{model.name}{LOCAL_SUFFIX}", concurrency=1
        ) as client,
    ):
        yield client, model


def _store() -> ModelStore:

    settings = load_settings()
    make_data_dir(settings)
    return ModelStore(settings.models)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned columns; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
