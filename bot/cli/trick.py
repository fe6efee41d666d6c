"""`fewshot trick`: test a trick in a file, and bring prompts of other programs in and out, without Discord."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bot.app import TEMPLATES, open_model
from bot.cli.context import bar_updater
from bot.cli.running import Group, load_settings, make_data_dir, run_async, write_file
from bot.core.errors import FewshotError, InputError, NoModelError
from bot.core.settings import DEFAULT_OPENAI_MODEL, Settings
from bot.core.tables import decode
from bot.llm.completion import Answer, ask, limited
from bot.llm.request import Request
from bot.llm.template_registry import open_template_registry
from bot.server.judging import JUDGES, judge_of
from bot.server.prompt_files import FileRow, PromptFile, read_prompt_file, to_promptfoo
from bot.server.trick_form import Trick, read_trick
from bot.server.trick_plan import Plan, Results, run, total
from bot.server.trick_runs import MAX_REPEAT
from bot.server.trick_tests import MAX_TESTS_BY_OPERATORS, TestSet, TrickTest, read_tests
from bot.storage.trick_tests import CellRow

FILE = click.Path(path_type=Path, dir_okay=False)
TESTS = click.option("--tests", type=FILE, help="A .csv or .jsonl with “input” and “expected”.")
JUDGE = click.option("--judge", type=click.Choice(JUDGES), help="How answers are judged; default: by the trick's form.")
# Bytes of a file.
MAX_FILE = 4_000_000


@click.group(cls=Group)
def trick() -> None:
    """Test tricks in files, import prompts as tricks, export tricks for promptfoo."""


@trick.command("test")
@click.argument("file", type=FILE)
@TESTS
@JUDGE
@click.option(
    "--repeat", default=1, show_default=True, type=click.IntRange(1, MAX_REPEAT), help="How often to ask each."
)
@click.option("--all-only", is_flag=True, help="Leave out the runs with none, one and three examples.")
def trick_test(file: Path, tests: Path | None, judge: str | None, repeat: int, all_only: bool) -> None:
    """Ask the tests of FILE, or of --tests.

    The exit code is 1 if a test fails with all examples, an answer cannot be judged, or a row of the tests is refused.
    """
    if not run_async(_test(file, tests, judge, repeat, all_only=all_only)):
        sys.exit(1)


@trick.command("import")
@click.argument("file", type=FILE)
@click.option("--out", type=FILE, help="Where to write the trick; its tests go beside it. Default: beside FILE.")
def trick_import(file: Path, out: Path | None) -> None:
    """Make a trick of FILE, an OpenAI prompt object or a promptfoo file, and say what was left out."""
    found, trick = _read(file)
    out = out or file.with_name(f"{file.stem}.trick.json")
    write_file(out, _json(trick.template().to_dict(), indent=2))
    click.echo(f"{out}: {len(trick.examples)} examples")
    if found.tests:
        beside = out.with_suffix(".tests.jsonl")
        write_file(beside, "".join(_json({"input": row.input, "expected": row.expected}) for row in found.tests))
        click.echo(f"{beside}: {len(found.tests)} tests")
    for name in found.left_out:
        click.echo(f"left out, because a trick has no such part: {name}", err=True)


@trick.command("export")
@click.argument("file", type=FILE)
@TESTS
@JUDGE
@click.option("--out", type=FILE, help="Where to write it; default: standard output.")
def trick_export(file: Path, tests: Path | None, judge: str | None, out: Path | None) -> None:
    """Write the trick in FILE and its tests as a promptfoo configuration."""
    found, trick = _read(file)
    rows = _rows(tests) if tests else found.tests
    model = load_settings(log_level="ERROR").chat_model or DEFAULT_OPENAI_MODEL
    text = to_promptfoo(trick, [(row.input, row.expected) for row in rows], judge or judge_of(trick), model)
    if out is None:
        click.echo(text, nl=False)
        return
    write_file(out, text)


async def _test(file: Path, tests: Path | None, judge: str | None, repeat: int, *, all_only: bool) -> bool:
    """Print the results; returns whether every test was right with all examples."""
    found, trick = _read(file)
    good, problems = TestSet(trick, (), MAX_TESTS_BY_OPERATORS).accept_file(_rows(tests) if tests else found.tests)
    for sentence in problems:
        click.echo(sentence, err=True)
    if not good:
        raise InputError("There is no test: give a file with --tests.")
    settings = load_settings()
    judges = open_template_registry(TEMPLATES).get("judge")
    cases = [TrickTest(f"line-{row.line}", row.input, row.expected) for row in good]
    plan = Plan(trick, cases, judges, judge=judge or judge_of(trick), repeat=repeat, all_only=all_only)
    results, problem = await _run(settings, plan)
    _print(results)
    if problem is not None:
        raise problem
    return not results.failures and not results.unjudged and not problems


async def _run(settings: Settings, plan: Plan) -> tuple[Results, FewshotError | None]:
    """The answers, and the error that ended the run early."""
    if not settings.has_model:
        make_data_dir(settings)  # for the local engine
    cells: list[CellRow] = []

    async def store(cell: CellRow) -> None:
        cells.append(cell)

    async with open_model(settings) as client:

        async def answered(request: Request) -> Answer:
            return await ask(client, limited(client, request))

        with click.progressbar(length=100, label="Testing", file=sys.stderr) as bar:
            problem = await run(plan, (), answered, store, bar_updater(bar))
    if isinstance(problem, NoModelError):
        problem = NoModelError("No language model is connected: set OPENAI_API_KEY or OPENAI_BASE_URL.")
    return Results(plan, cells), problem


def _print(results: Results) -> None:
    for arm in results.arms:
        score = "no score" if arm.score is None else f"{arm.score:4.0%}"
        spread = f" ({min(arm.rounds):.0%} to {max(arm.rounds):.0%})" if len(arm.rounds) > 1 else ""
        click.echo(f"{score}{spread}  {arm.name} examples, {arm.tokens:,} tokens a call")
    for failure in results.failures:
        click.echo(f"wrong: {failure.test.input}\n  expected: {failure.test.expected}\n  answer: {failure.cell.answer}")
    for cell in results.unjudged:
        click.echo(f"not judged: {cell.test_id}: {cell.problem}")
    tokens, usd = total(results.cells)
    price = "" if usd is None else f", ${usd:.4f}"
    click.echo(f"answers: {len(results.cells)}, tokens: {tokens:,}{price}")


def _read(file: Path) -> tuple[PromptFile, Trick]:
    """What is in a file, and the trick in it."""
    found = read_prompt_file(_text(file))
    return found, read_trick(found.template, file.stem.removesuffix(".trick"))


def _rows(file: Path) -> Sequence[FileRow]:
    return read_tests(_text(file), file.name)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_FILE:
            raise InputError(f"{file.name} is larger than {MAX_FILE:,} bytes.")
        return decode(file.read_bytes(), file.name)
    except OSError as error:
        raise InputError(f"{file.name} cannot be read: {error.strerror}.") from None


def _json(data: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(data, ensure_ascii=False, indent=indent) + "\n"
