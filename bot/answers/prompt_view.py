"""The card of a prompt: the messages as sent, tokens, price and time, the shot selector, and Export."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.answers.rendering import price
from bot.core.attached_picture import AttachedPicture
from bot.core.i18n import N_, _, ngettext, pgettext
from bot.core.settings import LOCAL_SUFFIX, STAND_IN
from bot.core.text import close_markup, code_block, escape_markdown
from bot.llm.completion import Answer
from bot.llm.request import Conversation, message_to_dict
from bot.server.model_gateway import DRY_RUN
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.files import OutgoingFile
from bot.ui.views import LayoutView

# Characters for all messages on a card, and at least for each one. Longer messages are shortened; a file has the whole.
MESSAGES_SHARE, MIN_SHARE = 3_200, 120
# Characters of an answer above its prompt; its own message has the whole answer.
ANSWER_SHARE = 1_000
# Characters of a parameter's value.
PARAMETER_SHARE = 60
# Messages on a card: a card takes 40 components, and its buttons need a dozen of them.
MAX_MESSAGES = 20
PROMPT = N_("Prompt")
NO_MODEL = N_("No model connected. This is exactly what I would send")
# Tokens of a call, by whether they are an estimate and whether some came from a cache.
TOKENS = {
    (False, False): N_("{read:,} tokens in, {written:,} out"),
    (False, True): N_("{read:,} tokens in ({cached:,} cached), {written:,} out"),
    (True, False): N_("about {read:,} tokens in, {written:,} out"),
    (True, True): N_("about {read:,} tokens in ({cached:,} cached), {written:,} out"),
}
# The note about an incomplete answer, by `Answer.finish`.
UNFINISHED = {
    "length": N_("cut off at the length limit"),
    "timeout": N_("cut off at the time limit"),
    "stopped": N_("stopped"),
    "broken": N_("the connection broke off here; ask again for the rest"),
    "content_filter": N_("cut off by the provider's content filter"),
}
Items = list[discord.ui.Item[Any]]
Files = Sequence[OutgoingFile]


def prompt_card(
    answer: Answer, *, base: Answer | None = None, shots: str = "", text: str = "", note: str = "", tuned: bool = False
) -> tuple[LayoutView, Files]:
    """The card of the prompt of `answer`, and the whole prompt as a file where the card had to shorten it.

    After a rerun, `base` is the answer whose input was run again, `shots` the choice in the shot selector, and `text`
    the new answer. A `note` replaces the figures. `tuned` adds the tuned model to the choices.
    """
    base = base or answer
    is_dry_run = answer.finish == DRY_RUN and not note
    card = Card(f"{_(NO_MODEL) if is_dry_run else _(PROMPT)} · {_(answer.request.technique)}")
    if text:
        card.text(close_markup(text[:ANSWER_SHARE]) + (" …" if len(text) > ANSWER_SHARE else "")).line()
    files: Files = ()
    values = {name: json.dumps(value, ensure_ascii=False) for name, value in sorted(answer.parameters.items())}
    shortened = _add_messages(card, answer, MESSAGES_SHARE - min(len(text), ANSWER_SHARE))
    if shortened or any(len(value) > PARAMETER_SHARE for value in values.values()):
        whole = {**answer.parameters, "messages": [message_to_dict(message) for message in answer.messages]}
        files = [("prompt.json", json.dumps(whole, ensure_ascii=False, indent=2).encode())]
        card.file("prompt.json")
    conversation = answer.request.conversation
    if conversation is not None and conversation.left_out:
        card.text(f"-# {left_out(conversation)}")
    took = [note] if note else [author(answer.model)] if is_dry_run else figures(answer)
    if base.template is not None and base.template.version:
        took.insert(0, _("{trick}, version {n}", trick=base.template.name, n=base.template.version))
    parameters = [f"{name} {_shortened(value, answer.parameters[name])}" for name, value in values.items()]
    card.text("-# " + " · ".join([*took, *parameters]))
    if base.template is not None:
        card.row(*shot_selector(base.id, len(base.template.examples), shots, tuned=tuned))
    return card.row(*_buttons(base, is_dry_run=is_dry_run)).layout(), files


def _buttons(base: Answer, *, is_dry_run: bool) -> Items:
    """The last row of the card."""
    below: Items = []
    if is_dry_run:
        below.append(ActionButton("connect", label=_("Connect a model"), emoji="🔌"))
        below.append(ActionButton("local-models", base.id, label=_("Get a model"), emoji="💾"))
    if base.template is not None and base.request.conversation is None:
        below.append(ActionButton("export", base.id, label=_("Export"), emoji="📦"))
    if base.template is not None and base.template.version:
        below.append(ActionButton("keep-test", base.id, label=_("Keep as a test"), emoji="🧪"))
        below.append(ActionButton("examples-input", base.id, label=_("Which examples matter?"), emoji="⚖️"))
    return below


def _shortened(text: str, value: Any) -> str:
    """The JSON `text` of a parameter's `value`; a long object, such as `response_format`, is shortened to its type."""
    if len(text) <= PARAMETER_SHARE:
        return text
    kind = value.get("type") if isinstance(value, Mapping) else None
    return f"{kind} …" if isinstance(kind, str) else f"{text[:PARAMETER_SHARE]} …"


def _add_messages(card: Card, answer: Answer, share: int) -> bool:
    """Add the messages, in about `share` characters; returns whether something was left out."""
    messages = answer.messages
    most = max(share // max(len(messages), 1), MIN_SHARE)
    shortened = False
    for number, message in enumerate(messages):
        content = message["content"]
        shown = content if len(content) <= most else content[:most].rstrip() + " …"
        block = f"**{_label(messages, number, answer.request.examples)}**\n{code_block(shown)}"
        block += "".join(f"\n{_describe(picture)}" for picture in message.get("pictures", ()))
        if card.remaining < len(block) + 40 or number == MAX_MESSAGES:
            left = len(messages) - number
            card.text(ngettext("*… and {n} more message*", "*… and {n} more messages*", left))
            return True
        shortened |= shown != content
        card.text(block)
    return shortened


def _describe(picture: AttachedPicture) -> str:
    """A picture as a line of text."""
    return _(
        "🖼️ {name} · {width:,} × {height:,} pixels · {size:,.0f} kB · SHA-256 {hash}…",
        name=escape_markdown(picture.name),
        width=picture.width,
        height=picture.height,
        size=max(picture.size / 1_000, 1),
        hash=picture.sha256[:16],
    )


def shot_selector(prompt_id: str, examples: int, chosen: str = "", *, tuned: bool) -> Items:
    """`0 · 1 · 3 · All · Tuned`: buttons that run a prompt with so many `examples` again; the `chosen` one is marked.

    A button is disabled if the template has too few examples for it. The button Tuned exists only with a tuned model.
    """
    choices = [("0", "0", True), ("1", "1", examples >= 1), ("3", "3", examples >= 3)]
    choices.append(("all", pgettext("examples", "All"), examples >= 1))
    if tuned:
        choices.append(("tuned", pgettext("model", "Tuned"), True))
    return [
        ActionButton(
            "shots",
            f"{prompt_id}:{name}",
            label=label,
            disabled=not possible,
            style=discord.ButtonStyle.primary if name == chosen else discord.ButtonStyle.secondary,
        )
        for name, label, possible in choices
    ]


def _label(messages: Sequence[Mapping[str, str]], number: int, examples: int) -> str:
    """A message's role, with the number of its example where it belongs to one of the first `examples` pairs."""
    role = messages[number]["role"]
    last = len(messages) - 1
    if role in ("system", "developer") or (number == last and role == "user"):
        return role
    earlier = sum(1 for message in messages[: number + 1] if message["role"] == "user")
    return role if earlier > examples else _("{role} · example {n}", role=role, n=earlier)


def figures(answer: Answer) -> list[str]:
    """Model, tokens, price and time as short phrases, and why the answer is incomplete."""
    usage = answer.usage
    tokens = _(
        TOKENS[usage.estimated, usage.cached > 0], read=usage.prompt, cached=usage.cached, written=usage.completion
    )
    took = [author(answer.shown_model), tokens, price(answer.price), _("{seconds:,.1f} s", seconds=answer.seconds)]
    return [*took, _(UNFINISHED[answer.finish])] if answer.finish in UNFINISHED else took


def left_out(conversation: Conversation) -> str:
    """How many messages of a conversation did not fit into the prompt."""
    n = conversation.left_out
    return ngettext("{n} earlier message left out", "{n} earlier messages left out", n)


def author(model: str) -> str:
    """The displayed name of a model; it says that the stand-in is no model, and that a local model runs locally."""
    if model == STAND_IN:
        return _("Stand-in · no model connected")
    if model.endswith(LOCAL_SUFFIX):
        return _("{model} · on this machine", model=escape_markdown(model.removesuffix(LOCAL_SUFFIX)))
    return escape_markdown(model)
