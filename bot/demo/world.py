"""The demo's server: who is there, and where. Seeded alike in every process, so that ids stay the same."""

from dataclasses import dataclass

import discord
import simcord

from bot.demo.simulator import LiveEnv


@dataclass(frozen=True, slots=True)
class World:
    """What the demo needs to know of its server."""

    general: simcord.ChannelHandle
    admin: simcord.MemberActor
    member: simcord.MemberActor


def seed(env: LiveEnv) -> World:
    """Make the server; before `env.start()`. The order decides the ids, so new things go to the end."""
    env.name_bot("Fewshot")
    guild = env.create_guild("Pod Racing Club")
    general = guild.create_text_channel("general", topic="Try a command: type /")
    guild.create_text_channel("adventures", topic="Stories, told together")
    role = guild.create_role("admin", permissions=discord.Permissions(administrator=True))
    admin = guild.add_member(env.create_user("ada", global_name="Ada"), roles=[role])
    member = guild.add_member(env.create_user("ben", global_name="Ben"))
    return World(general, admin, member)


def admin_id() -> int:
    """The admin's id, which settings need before there is a bot to seed a server for."""
    return seed(LiveEnv(discord.Client(intents=discord.Intents(guilds=True)))).admin.id
