"""`fewshot dataset`: make datasets, check them, and show them, without Discord."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from bot.cli.context import OPERATOR, bar_updater, open_for_operator
from bot.cli.running import Group, asynchronous, load_settings, write_file
from bot.core.errors import InputError
from bot.storage.datasets import PairRow
from bot.tuning import rows
from bot.tuning.checks import check_file
from bot.tuning.corpus import Corpora
from bot.tuning.rows import fixed, read_file, read_rows

FILE = click.Path(path_type=Path, dir_okay=False)
# Repaired copies of a file that may exist in its folder.
MAX_COPIES = 1_000


@click.group(cls=Group)
def dataset() -> None:
    """Make datasets from corpora, check them, look at them."""


@dataset.command("build")
@click.argument("corpus")
@click.option(
    "--n", "size", default=20, show_default=True, type=click.IntRange(1, 100), help="Pairs to ask for per chunk."
)
@click.option("--out", type=FILE, help="Write the rows to this file as well, without those that are flagged.")
@click.option("--retry", is_flag=True, help="Ask again about the chunks whose answers could not be used.")
@asynchronous
async def dataset_build(corpus: str, size: int, out: Path | None, retry: bool) -> None:
    """Make a dataset of CORPUS: the model writes questions, each checked against its source."""
    async with open_for_operator() as tuning:
        datasets = tuning.datasets
        for name in await datasets.skipped_files(corpus):
            click.echo(f"Skipped, because it is not text in UTF-8: {name}", err=True)
        with click.progressbar(length=100, label="asking about chunks") as bar:
            made = await datasets.prepare(corpus, OPERATOR, size, bar_updater(bar), retry=retry)
        for problem in made.problems:
            click.echo(f"A chunk could not be used: {problem}", err=True)
        pairs = await datasets.pairs(made.dataset.id)
        usable = await datasets.usable_pairs(made.dataset.id)
        click.echo(f"Dataset {made.dataset.id}: {made.dataset.name}, {len(pairs)} rows")
        if len(usable) < len(pairs):
            left_out = len(pairs) - len(usable)
            click.echo(f"{left_out} rows are left out until a person has looked at them (/finetune review).")
        if made.draft is not None:
            click.echo(f"Dataset {made.draft.id}: {made.draft.name}, to be reviewed; nothing trains on it by itself.")
        if out is not None:
            write_file(out, rows.as_lines(rows.as_json(pair) for pair in usable))
            click.echo(f"{len(usable)} rows written to {out}.")


@dataset.command("check")
@click.argument("file", type=FILE)
@click.option("--fix", is_flag=True, help="Write a mended copy beside it; the file itself is not changed.")
@click.option(
    "--corpus", default="", help="The corpus that the quotes are from; default: the one whose folder has FILE."
)
@click.option("--heldout", type=FILE, help="Questions that must not be among the rows.")
def dataset_check(file: Path, fix: bool, corpus: str, heldout: Path | None) -> None:
    """Check FILE and say what is wrong with it, by kind and line."""
    data = read_file(file)
    held = read_rows(read_file(heldout)).pairs if heldout is not None else []
    report = check_file(data, _sources(file, corpus), held, title=file.name)
    click.echo(report.text)
    if fix:
        mended, target = fixed(data), _free(file)
        write_file(target, mended.text)
        click.echo(f"A mended copy is in {target}; {file.name} is as it was.")
        if mended.left_out:
            click.echo(f"Left out of it, as reported above: lines {', '.join(map(str, mended.left_out))}.")
    if report.findings:
        sys.exit(1)


@dataset.command("show")
@click.argument("file")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1), help="Rows to show.")
@asynchronous
async def dataset_show(file: str, most: int) -> None:
    """Show the rows of FILE, which may also be the id of a dataset."""
    if Path(file).is_file():
        read = read_rows(read_file(Path(file)))
        _print_pairs(read.pairs, most)
        if read.unreadable:
            click.echo(f"{len(read.unreadable)} lines are no rows; `fewshot dataset check` says which.")
        return
    async with open_for_operator() as tuning:
        row = await tuning.datasets.get(file)
        click.echo(f"{row.id}: {row.name}, {row.state}")
        _print_pairs(await tuning.datasets.pairs(row.id), most)


def _print_pairs(pairs: list[PairRow], most: int) -> None:
    for pair in pairs[:most]:
        click.echo(f"{pair.line:>5}  {pair.question}\n       → {pair.answer}")
        if pair.quote:
            click.echo(f"         {pair.source}: “{pair.quote}”")
        for flag in pair.flags:
            click.echo(f"         ! {flag}")
    if len(pairs) > most:
        click.echo(f"… and {len(pairs) - most} more")


def _sources(file: Path, corpus: str) -> Mapping[str, str] | None:
    """The texts of the named corpus, else of the corpus whose folder contains the file, else None."""
    corpora = Corpora(load_settings(log_level="ERROR").corpora)
    if corpus:
        return dict(corpora.get(corpus).texts())
    for name in corpora.names:
        found = corpora.get(name)
        if found.folder.resolve() == file.resolve().parent:
            return dict(found.texts())
    return None


def _free(file: Path) -> Path:
    """An unused name in the folder of `file`, so that the original and earlier copies are not overwritten."""
    for number in range(1, MAX_COPIES):
        target = file.with_name(f"{file.stem}_prepared{'' if number == 1 else f'_{number}'}.jsonl")
        if not target.exists():
            return target
    raise InputError(f"There are a thousand mended copies of {file.name} already.")
