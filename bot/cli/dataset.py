"""`fewshot dataset`: datasets made, checked and shown without Discord."""

from collections.abc import Mapping
from pathlib import Path

import click

from bot.cli.context import OPERATOR, moved, open_bench
from bot.cli.running import load_settings
from bot.core.errors import FewshotError, InputError
from bot.storage.datasets import PairRow
from bot.tuning import rows
from bot.tuning.check import check_file, fixed
from bot.tuning.checks.format import MAX_FILE, read_rows
from bot.tuning.corpus import Corpora


async def run_build(corpus: str, size: int, out: Path | None, *, retry: bool) -> None:
    """Make a dataset, or go on making it, and say what came of it."""
    async with open_bench() as bench:
        tuning = bench.tuning
        for name in await tuning.passed_over(corpus):
            click.echo(f"Passed over, since it is no UTF-8 text: {name}", err=True)
        with click.progressbar(length=100, label="asking about chunks") as bar:
            made = await tuning.prepare(corpus, OPERATOR, size, moved(bar), retry=retry)
        for problem in made.problems:
            click.echo(f"A chunk could not be used: {problem}", err=True)
        pairs = await tuning.pairs(made.dataset.id)
        flagged = [pair for pair in await tuning.flagged(made.dataset.id) if not pair.decision]
        click.echo(f"Dataset {made.dataset.id}: {made.dataset.name}, {len(pairs)} rows")
        if flagged:
            click.echo(f"{len(flagged)} rows are left out until a person has looked at them (/finetune review).")
        if made.draft is not None:
            click.echo(f"Dataset {made.draft.id}: {made.draft.name}, to be reviewed; nothing trains on it by itself.")
        if out is not None:
            _write(out, rows.as_lines(rows.as_json(pair) for pair in pairs))
            click.echo(f"Written to {out}.")


async def run_check(file: Path, corpus: str, heldout: Path | None, *, fix: bool) -> bool:
    """Print the report on a file; whether nothing was found."""
    data = _read(file)
    held = read_rows(_read(heldout)).pairs if heldout is not None else []
    report = check_file(data, _sources(file, corpus), held, title=file.name)
    click.echo(report.text)
    if fix:
        target = _free(file)
        _write(target, fixed(data))
        click.echo(f"A mended copy is in {target}; {file.name} is as it was.")
    return not report.findings


async def run_show(name: str, most: int) -> None:
    """Show rows of a file, or of the dataset with that id."""
    if Path(name).is_file():
        read = read_rows(_read(Path(name)))
        _show(read.pairs, most)
        if read.findings:
            click.echo(f"{len(read.findings)} lines are no rows; `fewshot dataset check` says which.")
        return
    async with open_bench() as bench:
        row = await bench.tuning.dataset(name)
        click.echo(f"{row.id}: {row.name}, {row.state}")
        _show(await bench.tuning.pairs(row.id), most)


def _show(pairs: list[PairRow], most: int) -> None:
    for pair in pairs[:most]:
        click.echo(f"{pair.line:>5}  {pair.question}\n       → {pair.answer}")
        if pair.quote:
            click.echo(f"         {pair.source}: “{pair.quote}”")
        for flag in pair.flags:
            click.echo(f"         ! {flag}")
    if len(pairs) > most:
        click.echo(f"… and {len(pairs) - most} more")


def _sources(file: Path, corpus: str) -> Mapping[str, str] | None:
    """The texts of the named corpus, else of the folder that the file lies in, if it is a corpus's."""
    corpora = Corpora(load_settings(log_level="ERROR").corpora)
    if corpus:
        return dict(corpora.get(corpus).texts())
    for name in corpora.names:
        found = corpora.get(name)
        if found.folder.resolve() == file.resolve().parent:
            return dict(found.texts())
    return None


def _free(file: Path) -> Path:
    """A name beside `file` that is not taken: the original and earlier copies stay."""
    for number in range(1, 1000):
        target = file.with_name(f"{file.stem}_prepared{'' if number == 1 else f'_{number}'}.jsonl")
        if not target.exists():
            return target
    raise InputError(f"There are a thousand mended copies of {file.name} already.")


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_FILE:
            raise InputError(f"{file.name} is larger than {MAX_FILE:,} bytes, the most that providers take.")
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file.name} cannot be read: {error.strerror}.") from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FewshotError(f"{file.name} cannot be written: {error.strerror}.") from None
