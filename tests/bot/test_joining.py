"""Servers that invite the bot while it runs, or throw it out and invite it again."""

import asyncio

import pytest

from tests.bot.harness import BotHarness

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def commands_in(harness: BotHarness, guild: str) -> set[str]:
    """What is registered in a server, once there is anything; nothing where there is not after a while."""
    for _ in range(200):
        found = (await harness.wire.call("registered")).get(guild)
        if found:
            return {command["name"] for command in found}
        await asyncio.sleep(0.02)
    return set()


async def test_a_server_of_the_settings_has_its_commands_as_soon_as_it_invites_the_bot(fresh: BotHarness) -> None:
    """Also where it throws the bot out and invites it again: Discord forgets a server's commands then."""
    guild = (await fresh.wire.create_guild("Newcomers", "lobby"))["id"]
    await fresh.wire.remove_guild(guild)
    async with fresh.bot(GUILD_IDS=f"{guild},{fresh.wire.guild_id}") as process:
        assert f"register no commands in the server {guild}: invite me there" in process.output
        await fresh.wire.create_guild("Newcomers", "lobby", again=guild)
        assert "translate" in await commands_in(fresh, guild)
        await fresh.wire.remove_guild(guild)
        await fresh.wire.create_guild("Newcomers", "lobby", again=guild)
        assert "translate" in await commands_in(fresh, guild)
