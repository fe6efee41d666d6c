"""The learning curve of a trick: measured with progress, shown as a card with a picture."""

from typing import Any

import discord

from bot.answers import asker_of
from bot.core.errors import NoModelError
from bot.rendering import bar
from bot.server.measuring import Course, Measured, measure
from bot.services import Services
from bot.showing import author
from bot.ui.cards import Card
from bot.ui.pictures import curve
from bot.ui.reply import AnswerDeletedError, Reply

NAMES = {0: "no", 1: "one", 3: "three"}


async def show_curve(
    services: Services,
    interaction: discord.Interaction[Any],
    name: str,
    course: Course,
    measures: str,
    *,
    private: bool,
) -> None:
    """Measure `course` and answer with its curve; `measures` says what the scores are."""
    with services.work.on(interaction):
        async with Reply(interaction, private=private) as reply:
            calls = len(course.cases) * len(course.rungs)

            def progress(done: int, total: int) -> None:
                reply.show(f"Testing **{name}** with {_rungs(course)} examples\n{bar(done, total)}", writing=False)

            progress(0, calls)
            try:
                measured = await measure(services.desk, asker_of(interaction), course, progress)
            except AnswerDeletedError:
                return
            except NoModelError as error:
                template, values = course.prompt(course.cases[0], course.rungs[-1])
                await services.answers.show_prompt_instead(reply, interaction, template, values, error)
                return
            picture = await curve(
                [str(point.examples) for point in measured.points],
                [point.score for point in measured.points],
                f"{name}: % {measures}",
                "examples in the prompt",
            )
            card = _card(name, course, measured, measures, author(services.desk.model))
            await reply.finish_card(card.layout(), [("curve.png", picture)])


def _card(name: str, course: Course, measured: Measured, measures: str, model: str) -> Card:
    """A line for each rung, the picture, and what it all took."""
    card = Card(f"{name}, tested on {len(course.cases)} inputs")
    lines = [
        f"**{NAMES.get(point.examples, point.examples)}** {'example' if point.examples == 1 else 'examples'}: "
        f"{point.score:.0%} {measures} · {point.tokens // max(len(point.scores), 1):,} tokens a call"
        for point in measured.points
    ]
    card.text("\n".join(lines)).picture("curve.png")
    if measured.problem:
        tried = min(len(point.scores) for point in measured.points)
        card.text(f"⚠️ Only {tried} of {len(course.cases)} inputs were tried with every number: {measured.problem}")
    tokens = sum(point.tokens for point in measured.points)
    return card.text(f"-# {model} · {tokens:,} tokens in all")


def _rungs(course: Course) -> str:
    *first, last = (str(NAMES.get(rung, rung)) for rung in course.rungs)
    return f"{', '.join(first)} and {last}" if first else last
