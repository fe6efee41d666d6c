"""The learning curve of a template: evaluates it with a progress bar, and shows a card with a picture."""

from typing import Any

import discord

from bot.answers.prompt_view import author
from bot.answers.rendering import bar
from bot.core.i18n import N_, _, pgettext
from bot.server.evaluation import LabelledTestSet, LearningCurve, evaluate
from bot.services import Services
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.pictures import Picture, curve_picture
from cogs._access import is_operator

# The start of a card's line, by the number of examples.
SHOT_LABELS = {0: N_("**no** examples"), 1: N_("**one** example"), 3: N_("**three** examples")}
MANY_LABEL = N_("**{n}** examples")


async def show_curve(services: Services, interaction: discord.Interaction[Any], test_set: LabelledTestSet) -> None:
    """Evaluate `test_set`, and answer the person alone with its curve. Operators get a button that tunes a model."""
    async with services.answers.open(interaction, private=True) as answering:
        name = test_set.template.name
        testing = _("Testing **{name}** with {numbers} examples", name=name, numbers=_numbers(test_set))

        def progress(done: int, total: int) -> None:
            answering.reply.show(f"{testing}\n{bar(done, total)}", writing=False)

        progress(0, len(test_set.cases) * len(test_set.shot_counts))
        curve = await evaluate(services.gateway, answering.caller, test_set, progress)
        picture = await curve_picture(
            "curve.png",
            [str(point.examples) for point in curve.points],
            [point.score for point in curve.points],
            _("{name}: % right", name=name),
            _("examples in the prompt"),
        )
        card = _card(test_set, curve, author(services.chat_models.default(answering.caller).shown), picture)
        if interaction.guild_id is not None and is_operator(interaction, services.settings):
            card.row(ActionButton("ft-graduate", name, label=_("Graduate"), emoji="🎓"))
        await answering.finish_card(card.layout(), [picture])


def _card(test_set: LabelledTestSet, curve: LearningCurve, model: str, picture: Picture) -> Card:
    """One line per number of examples, the picture, and the tokens used."""
    card = Card(_("{name}, tested on {n} inputs", name=test_set.template.name, n=len(test_set.cases)))
    lines = [
        _(
            "{shown}: {score:.0%} right · {tokens:,} tokens a call",
            shown=_(SHOT_LABELS.get(point.examples, MANY_LABEL), n=point.examples),
            score=point.score,
            tokens=point.tokens // max(len(point.scores), 1),
        )
        for point in curve.points
    ]
    card.text("\n".join(lines)).picture(picture)
    if curve.problem:
        tried = min(len(point.scores) for point in curve.points)
        card.text(
            _(
                "⚠️ Only {tried} of {n} inputs were tried with every number: {problem}",
                tried=tried,
                n=len(test_set.cases),
                problem=curve.problem,
            )
        )
    tokens = sum(point.tokens for point in curve.points)
    return card.text(_("-# {model} · {tokens:,} tokens in all", model=model, tokens=tokens))


def _numbers(test_set: LabelledTestSet) -> str:
    """The numbers of examples as a list in words: no, one, three and 20."""
    words = {
        0: pgettext("number of examples", "no"),
        1: pgettext("number of examples", "one"),
        3: pgettext("number of examples", "three"),
    }
    *first, last = (words.get(shots, str(shots)) for shots in test_set.shot_counts)
    return _("{numbers} and {last}", numbers=", ".join(first), last=last) if first else last
