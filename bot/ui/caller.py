"""The caller of an interaction, and the message that it is about."""

from typing import Any

import discord

from bot.core.caller import Caller, SourceMessage


def caller_of(interaction: discord.Interaction[Any], source: SourceMessage | None = None) -> Caller:
    """Who acted and where; `source` is the message whose text is used. Nobody is a moderator in direct messages."""
    user = interaction.user
    return Caller(
        user_id=user.id,
        guild_id=interaction.guild_id,
        channel_id=interaction.channel_id,
        source=source,
        name=user.display_name,
        is_moderator=interaction.guild_id is not None and interaction.permissions.manage_messages,
        locale=str(interaction.locale),
        parent_id=getattr(interaction.channel, "parent_id", None),
        roles=roles_of(user),
    )


def caller_of_message(message: discord.Message) -> Caller:
    """Who wrote `message` and where; the message is the source of what they ask."""
    author = message.author
    moderates = isinstance(author, discord.Member) and message.channel.permissions_for(author).manage_messages
    return Caller(
        user_id=author.id,
        guild_id=message.guild.id if message.guild else None,
        channel_id=message.channel.id,
        source=source_message_of(message),
        name=author.display_name,
        is_moderator=moderates,
        parent_id=getattr(message.channel, "parent_id", None),
        roles=roles_of(author),
    )


def roles_of(user: discord.User | discord.Member) -> tuple[int, ...]:
    """The ids of a member's roles, with the one that everybody has; none in direct messages."""
    return tuple(role.id for role in user.roles) if isinstance(user, discord.Member) else ()


def source_message_of(message: discord.Message) -> SourceMessage:
    """The ids of `message`."""
    return SourceMessage(message.id, message.author.id)
