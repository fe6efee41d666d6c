"""The text and the files of a message as people see them, wherever Discord puts them."""

from collections.abc import Iterable, Iterator
from typing import Any

import discord


def readable_text(message: discord.Message | discord.MessageSnapshot) -> str:
    """The text of `message`: content, embeds, text components, poll, and the messages that it forwards.

    Empty for messages that show no text of a person or a bot: stickers, voice messages, system messages.
    """
    if isinstance(message, discord.Message) and message.is_system():
        return ""
    return "\n\n".join(text for part in _parts(message) if (text := part.strip()))


def attachments_of(message: discord.Message | discord.MessageSnapshot) -> list[discord.Attachment]:
    """The attachments of `message` and of the messages that it forwards."""
    snapshots = message.message_snapshots if isinstance(message, discord.Message) else ()
    return [*message.attachments, *(file for snapshot in snapshots for file in snapshot.attachments)]


def _parts(message: discord.Message | discord.MessageSnapshot) -> Iterator[str]:
    yield message.content
    for embed in message.embeds:
        # The other types are previews that Discord makes of links in the content.
        if embed.type == "rich":
            yield "\n".join(_embed_lines(embed))
    yield from _component_texts(message.components)
    if isinstance(message, discord.Message):
        if message.poll is not None:
            yield "\n".join(
                [str(message.poll.question or ""), *(f"- {answer.text}" for answer in message.poll.answers)]
            )
        for snapshot in message.message_snapshots:
            yield readable_text(snapshot)
        if message.type is discord.MessageType.thread_starter_message and message.reference is not None:
            started_from = message.reference.resolved
            if isinstance(started_from, discord.Message):
                yield readable_text(started_from)


def _embed_lines(embed: discord.Embed) -> Iterator[str]:
    for text in (embed.author.name, embed.title, embed.description):
        if text:
            yield text
    for field in embed.fields:
        yield "\n".join(text for text in (field.name, field.value) if text)
    if embed.footer.text:
        yield embed.footer.text


def _component_texts(components: Iterable[Any]) -> Iterator[str]:
    """The text blocks of Components V2, those inside others included; labels of buttons are no text to read."""
    for component in components:
        if isinstance(component, discord.TextDisplay):
            yield component.content
        for name in ("children", "components"):
            yield from _component_texts(getattr(component, name, None) or ())
