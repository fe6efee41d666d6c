"""Answers a text, and what is attached to it, with a trick of the server."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import discord

from bot.core.attached_picture import AttachedPicture
from bot.core.caller import SourceMessage
from bot.core.errors import NotAllowedError
from bot.core.i18n import _
from bot.llm.completion import Display
from bot.server.trick_form import EXAMPLES_IN_PROMPT, Trick
from bot.services import Services


async def use_trick(
    services: Services,
    interaction: discord.Interaction[Any],
    guild: int,
    name: str,
    text: str,
    attachments: Sequence[discord.Attachment] = (),
    *,
    pictures: Sequence[AttachedPicture] = (),
    private: bool,
    model: str | None = None,
    source: SourceMessage | None = None,
) -> None:
    """Answer `text`, the `attachments` and the `pictures` with the trick called `name`.

    `source` is the message that they are from.
    """
    async with services.answers.open(interaction, private=private, source=source) as answering:
        trick = await services.tricks.get(guild, name)
        attached = await services.attachments.read(
            attachments, interaction.user.id, max_characters=max(trick.max_length - len(text) - 2, 0)
        )
        text = "\n\n".join(filter(None, (text, attached.text)))
        request = (
            trick.for_text(text)
            .fill({trick.input: text})
            .with_pictures([*pictures, *attached.pictures])
            .with_model(model)
        )
        answer = await answering.ask(request)
        note = " · ".join([_note(trick), *attached.notes])
        await answering.finish(replace(answer, display=Display(note=note)))


def guild_of(interaction: discord.Interaction[Any]) -> int:
    """The id of the server. Raises `NotAllowedError` outside of servers."""
    if interaction.guild_id is None:
        raise NotAllowedError("Tricks belong to servers; use one there.")
    return interaction.guild_id


def _note(trick: Trick) -> str:
    """The start of an answer's footer: the trick, and how many of its examples were used."""
    many = len(trick.examples)
    if many <= EXAMPLES_IN_PROMPT:
        return trick.name
    return _("{name}, the nearest {shown} of its {n} examples", name=trick.name, shown=EXAMPLES_IN_PROMPT, n=many)
