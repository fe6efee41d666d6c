"""The caller of an interaction."""

from unittest.mock import create_autospec

import discord
import pytest

from bot.ui.caller import caller_of


@pytest.mark.parametrize(
    ("guild_id", "permissions", "is_moderator"),
    [
        (None, discord.Permissions.all(), False),
        (None, discord.Permissions.none(), False),
        (7, discord.Permissions.none(), False),
        (7, discord.Permissions(manage_messages=True), True),
    ],
)
def test_a_moderator_may_manage_messages_of_a_server(
    guild_id: int | None, permissions: discord.Permissions, is_moderator: bool
) -> None:
    """Direct messages and group chats have no moderators, whatever permissions Discord sends for them."""
    interaction = create_autospec(discord.Interaction, instance=True, guild_id=guild_id, permissions=permissions)
    assert caller_of(interaction).is_moderator is is_moderator
