"""How a prompt is shown: its messages, what they took, the ladder, and Export."""

from typing import Any

import discord

from bot.answers.prompt_card import Files, ladder, prompt_card
from bot.answers.rendering import dollars
from bot.core.i18n import N_, _, pgettext
from bot.core.settings import STAND_IN
from bot.core.text import escape_markdown
from bot.llm.completion import Answer
from bot.server.model_gateway import UNASKED
from bot.ui.actions import ActionButton
from bot.ui.views import LayoutView

NO_MODEL = N_("No model connected. This is exactly what I would send")
# Tokens of a call, by whether they are our own estimate and whether some came from a cache.
TOKENS = {
    (False, False): N_("{read:,} tokens in, {written:,} out"),
    (False, True): N_("{read:,} tokens in ({cached:,} cached), {written:,} out"),
    (True, False): N_("about {read:,} tokens in, {written:,} out"),
    (True, True): N_("about {read:,} tokens in ({cached:,} cached), {written:,} out"),
}


def card_of(
    prompt: Answer, *, base: Answer | None = None, rung: str = "", answer: str = "", tuned: bool = False
) -> tuple[LayoutView, Files]:
    """The card of `prompt`, and the whole prompt as a file where the card had to shorten it.

    On the ladder `prompt` is what the `rung` sent, with its `answer`, and `base` the prompt that is run again.
    """
    base = base or prompt
    rows: list[list[discord.ui.Item[Any]]] = []
    if base.template is not None:
        rows.append(ladder(base.id, len(base.template.examples), rung, tuned=tuned))
        rows.append([ActionButton("export", base.id, label=_("Export"), emoji="📦")])
    title, shown = "", figures(prompt)
    if prompt.finish == UNASKED:
        title, shown = _(NO_MODEL), [author(prompt.model)]
        rows = [
            *rows[:1],
            [ActionButton("connect", label=_("Connect a model"), emoji="🔌"), *(rows[1] if rows else [])],
        ]
    return prompt_card(
        prompt.request.technique,
        prompt.messages,
        shown,
        parameters=prompt.parameters,
        examples=prompt.request.examples,
        title=title,
        answer=answer,
        rows=rows,
    )


def figures(answer: Answer) -> list[str]:
    """Model, tokens, price and time as short phrases."""
    usage = answer.usage
    tokens = _(
        TOKENS[usage.estimated, usage.cached > 0], read=usage.prompt, cached=usage.cached, written=usage.completion
    )
    return [author(answer.model), tokens, price(answer), _("{seconds:,.1f} s", seconds=answer.seconds)]


def price(answer: Answer) -> str:
    """What a call cost, in US dollars."""
    if answer.price is None:
        return _("price not known")
    return dollars(answer.price) if answer.price else pgettext("price", "free")


def author(model: str) -> str:
    """How a model is named to people; the stand-in says that it is none."""
    if model == STAND_IN:
        return _("Stand-in · no model connected")
    return escape_markdown(model)
