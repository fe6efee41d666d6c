"""Permission checks by id and by Discord permission. Discord hides commands from others, but that is not relied on."""

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec

import discord
from discord import app_commands

from bot.core.errors import NotAllowedError
from bot.core.settings import Settings

P = ParamSpec("P")
# A command's callback, or the handler of a button, a select or a modal.
Handler = Callable[Concatenate[discord.Interaction[Any], P], Coroutine[Any, Any, None]]


def managed_guild(interaction: discord.Interaction[Any]) -> int:
    """The id of the server that the person manages; raises `NotAllowedError`."""
    if interaction.guild_id is None:
        raise NotAllowedError("This works in servers only.")
    if not interaction.permissions.manage_guild:
        raise NotAllowedError("Only those who may manage this server can do that.")
    return interaction.guild_id


def is_operator(interaction: discord.Interaction[Any], settings: Settings) -> bool:
    """Whether the person is an operator: named in the settings, owner of the application, or a member of its team.

    A team member who has not accepted the invitation is no operator.
    """
    application = interaction.client.application
    owners: set[int] = set(settings.operator_ids)
    if application is not None:
        owners.add(application.owner.id)
        if application.team is not None:
            joined = discord.TeamMembershipState.accepted
            owners.update(member.id for member in application.team.members if member.membership_state is joined)
    return interaction.user.id in owners


class OperatorsOnlyError(NotAllowedError, app_commands.CheckFailure):
    """Only operators may do this. Also a `CheckFailure`, so that a check of commands may raise it."""


def operator_of(interaction: discord.Interaction[Any], settings: Settings) -> int:
    """The id of the operator who acts, in a server; raises `OperatorsOnlyError`."""
    if interaction.guild_id is None:
        raise OperatorsOnlyError("This works in servers only.")
    if not is_operator(interaction, settings):
        raise OperatorsOnlyError("Only those who operate this bot can do that.")
    return interaction.user.id


def for_operators(settings: Settings, handler: Handler[P]) -> Handler[P]:
    """`handler` for operators only: others get the `OperatorsOnlyError` of `operator_of`."""

    async def checked(interaction: discord.Interaction[Any], /, *arguments: P.args, **options: P.kwargs) -> None:
        operator_of(interaction, settings)
        await handler(interaction, *arguments, **options)

    return checked
