"""The commands of `fewshot dataset`, `fewshot tune` and `fewshot lesson`, as click knows them."""

import sys
from pathlib import Path

import click

from bot.cli.running import run_async

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def tune() -> None:
    """Train models on a corpus, score them, and let them answer."""


@tune.command("estimate")
@click.argument("corpus")
@click.option("--dataset", default="", help="A dataset's id or a .jsonl file; default: the corpus's newest.")
@click.option("--base", default="", help="The base model, or a tuned one to go on from.")
def tune_estimate(corpus: str, dataset: str, base: str) -> None:
    """What training on CORPUS would cost, for every known model."""
    from bot.cli.tune import run_estimate

    run_async(run_estimate(corpus, dataset, base))


@tune.command("start")
@click.argument("corpus")
@click.option("--dataset", default="", help="A dataset's id or a .jsonl file; default: the corpus's newest.")
@click.option("--base", default="", help="The base model, or a tuned one to go on from.")
@click.option("--yes", is_flag=True, help="Do not ask to confirm the price.")
def tune_start(corpus: str, dataset: str, base: str, yes: bool) -> None:
    """Train a model on CORPUS and follow the job to its end; Ctrl-C leaves it resumable."""
    from bot.cli.tune import run_start

    run_async(run_start(corpus, dataset, base, yes=yes))


@tune.command("follow")
@click.argument("job", default="")
def tune_follow(job: str) -> None:
    """Follow JOB, or the newest one, to its end."""
    from bot.cli.tune import run_follow

    run_async(run_follow(job))


@tune.command("list")
def tune_list() -> None:
    """The jobs, newest first, and the models that answer."""
    from bot.cli.tune import run_list

    run_async(run_list())


@tune.command("cancel")
@click.argument("job")
def tune_cancel(job: str) -> None:
    """Cancel JOB, here and at its provider."""
    from bot.cli.tune import run_cancel

    run_async(run_cancel(job))


@tune.command("score")
@click.argument("model")
def tune_score(model: str) -> None:
    """Ask MODEL everything that its scorecard needs, and print it."""
    from bot.cli.tune import run_score

    run_async(run_score(model))


@tune.command("promote")
@click.argument("model")
@click.option("--force", default="", metavar="REASON", help="Promote it although it is worse, and say why.")
def tune_promote(model: str, force: str) -> None:
    """Let MODEL answer for its corpus."""
    from bot.cli.tune import run_promote

    run_async(run_promote(model, force))


@tune.command("rollback")
@click.argument("corpus")
def tune_rollback(corpus: str) -> None:
    """Let the model before the active one of CORPUS answer again."""
    from bot.cli.tune import run_rollback

    run_async(run_rollback(corpus))


@tune.command("ask")
@click.argument("corpus")
@click.argument("question")
def tune_ask(corpus: str, question: str) -> None:
    """Ask the promoted model of CORPUS."""
    from bot.cli.tune import run_ask

    run_async(run_ask(corpus, question))


@click.group()
def dataset() -> None:
    """Make datasets from corpora, check them, look at them."""


@dataset.command("build")
@click.argument("corpus")
@click.option("--n", "size", default=20, show_default=True, type=click.IntRange(1, 100), help="Pairs for each chunk.")
@click.option("--out", type=FILE, help="Write the rows to this file as well.")
@click.option("--retry", is_flag=True, help="Ask again about the chunks whose answers could not be used.")
def dataset_build(corpus: str, size: int, out: Path | None, retry: bool) -> None:
    """Make a dataset of CORPUS: the model writes questions, each checked against its source."""
    from bot.cli.dataset import run_build

    run_async(run_build(corpus, size, out, retry=retry))


@dataset.command("check")
@click.argument("file", type=FILE)
@click.option("--fix", is_flag=True, help="Write a mended copy beside it; the file itself stays as it is.")
@click.option("--corpus", default="", help="The corpus whose texts the quotes are from; default: found by the file.")
@click.option("--heldout", type=FILE, help="Questions that must not be among the rows.")
def dataset_check(file: Path, fix: bool, corpus: str, heldout: Path | None) -> None:
    """Check FILE and say what is wrong with it, by kind and line."""
    from bot.cli.dataset import run_check

    if not run_async(run_check(file, corpus, heldout, fix=fix)):
        sys.exit(1)


@dataset.command("show")
@click.argument("file")
@click.option("--most", default=20, show_default=True, type=click.IntRange(1), help="Rows to show.")
def dataset_show(file: str, most: int) -> None:
    """Show FILE, or the dataset of that id, for people."""
    from bot.cli.dataset import run_show

    run_async(run_show(file, most))


@click.command()
@click.argument("name", default="")
def lesson(name: str) -> None:
    """Run one of the chapter's lessons for real, and print both scorecards; without NAME, list them."""
    from bot.cli.lesson import run_lesson

    run_async(run_lesson(name))
