"""In which language to speak to the one who acts, and to the place where they act."""

from typing import Any, Protocol, cast

import discord

from bot.core.i18n import known, listen


class Host(Protocol):
    """The client, as far as this file knows it."""

    def language_in(self, guild_id: int | None) -> str | None:
        """The language that a server's admins chose, or None."""


def set_locale(interaction: discord.Interaction[Any]) -> None:
    """From here on speak, in this task, the person's language to them and the place's language aloud.

    A place's language is what its admins chose, else the one that the server has with Discord; in direct messages
    it is the person's.
    """
    reader = known(interaction.locale)
    chosen = cast(Host, interaction.client).language_in(interaction.guild_id)
    listen(reader, known(chosen, interaction.guild_locale, interaction.locale))


def language_of(client: discord.Client, guild: discord.Guild | None) -> str:
    """The language of a place, where nobody's interaction says it: for what the bot writes there by itself."""
    chosen = cast(Host, client).language_in(guild.id if guild else None)
    return known(chosen, guild and guild.preferred_locale)
