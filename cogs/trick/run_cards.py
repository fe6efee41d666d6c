"""The cards of a test run: the estimate, the progress, the result and the failures."""

from dataclasses import dataclass, replace
from typing import Any

import discord

from bot.answers.rendering import bar, price
from bot.core.errors import InputError
from bot.core.i18n import N_, _, format_number, ngettext
from bot.core.tables import to_csv
from bot.core.text import code_block, escape_markdown, shorten
from bot.server.judging import JUDGES
from bot.server.model_gateway import Estimate
from bot.server.trick_plan import ArmResult, Plan, Results, total
from bot.server.trick_runs import MAX_REPEAT, Prepared, TrickRun
from bot.ui.actions import ActionButton, ActionSelect
from bot.ui.cards import Card
from bot.ui.files import OutgoingFile
from bot.ui.pictures import Picture, score_picture
from bot.ui.views import LayoutView
from cogs.trick.cards import answer_line
from cogs.trick.effects import add_effects

ARM_NAMES = {
    "0": N_("no example"),
    "1": N_("one example"),
    "3": N_("three examples"),
    "all": N_("all examples"),
    "random": N_("random examples"),
    "before": N_("the version before"),
}
NEAREST = N_("the nearest examples")
JUDGE_NAMES = {
    "exact": N_("exactly the expected answer"),
    "contains": N_("the answer contains the expected text"),
    "within-one": N_("a number that differs by one at most"),
    "fields": N_("JSON with the same fields"),
    "model": N_("the model decides"),
}
# Failures on a card; the file has all.
MAX_SHOWN = 10
FAILURES = "failures.csv"
# What a run is about, in the custom ids of its estimate: all tests or those that failed in a run, each example on the
# tests, each example on the input of an answer.
SCORE, EXAMPLES, INPUT = "s", "e", "i"


@dataclass(frozen=True, slots=True)
class Choice:
    """What an estimate is for. `source` is the id of the run whose failures, or of the prompt whose input, is meant."""

    about: str
    name: str
    judge: str = ""
    repeat: int = 1
    source: str = ""

    @property
    def argument(self) -> str:
        """The choice in a custom id."""
        return f"{self.about}:{self.name}:{self.judge}:{self.repeat}:{self.source}"

    @classmethod
    def read(cls, argument: str) -> "Choice":
        """The choice in a custom id, which may have been forged."""
        parts = argument.split(":")
        if len(parts) != 5 or not parts[3].isdecimal():
            raise InputError("This choice is not in the menu.")
        return cls(parts[0], parts[1], parts[2], int(parts[3]), parts[4])


def arm_name(arm: str, plan: Plan) -> str:
    """What people call an arm."""
    if arm == "all" and "random" in plan.score_arms:
        return _(NEAREST)
    return _(ARM_NAMES.get(arm, arm))


def estimate_card(choice: Choice, prepared: Prepared, estimate: Estimate) -> LayoutView:
    """What a run asks and takes, with menus for its judge and its repetitions, and **Run**."""
    plan, trick = prepared.plan, prepared.plan.trick
    card = Card(_("Test {name}, version {n}", name=trick.name, n=trick.version))
    argument = replace(choice, judge=plan.judge, repeat=plan.repeat).argument
    if plan.kind == "score":
        arms = ", ".join(arm_name(arm, plan) for arm in plan.score_arms)
        card.text(
            ngettext("**Asks** {n} test with {arms}", "**Asks** {n} tests with {arms}", len(plan.tests), arms=arms)
        )
    else:
        card.text(_("**Asks** each input with all examples, then without each of them in turn, at temperature 0"))
    if prepared.left_out:
        inputs = ", ".join(escape_markdown(shorten(test.input, 40)) for test in prepared.left_out[:MAX_SHOWN])
        card.text(_("⚠️ **Left out**, because an example has the same input: {inputs}", inputs=inputs))
    if choice.about != INPUT:
        card.text(_("**Judge** {how}", how=_(JUDGE_NAMES[plan.judge])))
    if plan.is_judged_by_model:
        system = plan.judge_template.messages[0]["content"]
        card.text(_("The prompt of the judge:\n{prompt}", prompt=code_block(system)))
    tokens = estimate.usage.total
    costs = _("about {tokens:,} tokens of today's, {price}", tokens=tokens, price=price(estimate.price))
    card.text(ngettext("**Takes** {n:,} call, {costs}", "**Takes** {n:,} calls, {costs}", estimate.calls, costs=costs))
    judges = [
        discord.SelectOption(label=_(JUDGE_NAMES[name]), value=name, default=name == plan.judge) for name in JUDGES
    ]
    rounds = [
        discord.SelectOption(
            label=ngettext("Ask each {n} time", "Ask each {n} times", n), value=str(n), default=n == plan.repeat
        )
        for n in range(1, MAX_REPEAT + 1)
    ]
    if choice.about != INPUT:
        card.row(ActionSelect("test-judge", argument, judges))
    if choice.about == SCORE:
        card.row(ActionSelect("test-repeat", argument, rounds))
    return card.row(ActionButton("test-run", argument, label=_("Run"), style=discord.ButtonStyle.primary)).layout()


def progress_card(run: TrickRun, done: int, total: int) -> LayoutView:
    """The card of a run that is not over."""
    card = Card(_("Testing {name}, version {n}", name=run.name, n=run.row.version), colour=discord.Colour.gold())
    card.text(bar(done, total))
    return card.row(ActionButton("test-stop", run.row.id, label=_("Stop"), style=discord.ButtonStyle.danger)).layout()


async def result_card(run: TrickRun, results: Results) -> tuple[LayoutView, list[Picture]]:
    """What a run found, with a picture."""
    plan, row = results.plan, run.row
    card = Card(
        ngettext(
            "{name}, version {version}, on {n} input",
            "{name}, version {version}, on {n} inputs",
            len(plan.tests),
            name=run.name,
            version=row.version,
        )
    )
    buttons, pictures = _buttons(run, results), list[Picture]()
    if plan.kind == "examples":
        buttons = [*add_effects(card, run, results), *buttons]
    else:
        pictures = await _add_scores(card, run, results)
    if results.unjudged:
        card.text(
            ngettext(
                "⚠️ {n} answer could not be judged: {why}",
                "⚠️ {n} answers could not be judged: {why}",
                len(results.unjudged),
                why=results.unjudged[0].problem,
            )
        )
    if row.state == "stopped":
        problem = row.problem or _("Somebody stopped it.")
        count, total = len(results.cells), len(plan.cells)
        card.text(_("⚠️ Only {done} of {total} answers: {problem}", done=count, total=total, problem=problem))
    card.text(f"-# {' · '.join(_small(run, results))}")
    return card.row(*buttons).layout(), pictures


async def _add_scores(card: Card, run: TrickRun, results: Results) -> list[Picture]:
    """Add a line for each arm, and the picture."""
    plan = results.plan
    arms = [arm for arm in results.arms if arm.score is not None]
    card.text("\n".join(_line(arm, plan) for arm in arms))
    if not arms:
        return []
    # Translators: of answers in a test; it is on the bars of a picture.
    bars = {arm_name(arm.name, plan): [(_("right"), arm.score or 0.0)] for arm in arms}
    picture = await score_picture("tests.png", bars, _("{name}: right answers", name=run.name))
    card.picture(picture)
    return [picture]


def _line(arm: ArmResult, plan: Plan) -> str:
    """An arm with its score, the spread of its rounds, and its tokens."""
    rounds = arm.rounds
    spread = ""
    if len(rounds) > 1:
        low, high = (format_number(share, ".0%") for share in (min(rounds), max(rounds)))
        spread = " " + _("({low} to {high})", low=low, high=high)
    return _(
        "**{score:.0%}**{spread} {arm} · {tokens:,} tokens a call",
        score=arm.score or 0.0,
        spread=spread,
        arm=arm_name(arm.name, plan),
        tokens=arm.tokens,
    )


def _small(run: TrickRun, results: Results) -> list[str]:
    """The parts of the last line: model, judge, tokens and price."""
    tokens, usd = total(results.cells)
    used = ngettext("{n:,} token", "{n:,} tokens", tokens)
    return [escape_markdown(run.row.model), _(JUDGE_NAMES[run.row.judge]), used, price(usd)]


def _buttons(run: TrickRun, results: Results) -> list[discord.ui.Item[Any]]:
    found: list[discord.ui.Item[Any]] = []
    if results.plan.kind == "score" and results.failures:
        found.append(ActionButton("test-failures", run.row.id, label=_("Failures"), emoji="🔎"))
    if run.row.state == "stopped":
        found.append(ActionButton("test-go-on", run.row.id, label=_("Go on"), emoji="▶️"))
    if results.plan.kind == "score" and results.plan.trick.examples:
        found.append(ActionButton("examples-open", run.name, label=_("Which examples matter?"), emoji="⚖️"))
    return found


def failures_card(run: TrickRun, results: Results) -> tuple[LayoutView, list[OutgoingFile]]:
    """The tests that all examples got wrong, with the answers, and a button to run them again alone."""
    failures = results.failures
    card = Card(ngettext("{name}: {n} failure", "{name}: {n} failures", len(failures), name=run.name))
    for failure in failures[:MAX_SHOWN]:
        card.text(answer_line(failure.test, failure.cell.answer or failure.cell.problem))
    rows = [(failure.test.input, failure.test.expected, failure.cell.answer) for failure in failures]
    again = ActionButton("test-again", run.row.id, label=_("Run these again"), emoji="🔁")
    return card.file(FAILURES).row(again).layout(), [(FAILURES, to_csv(["input", "expected", "answer"], rows))]
