"""`/privacy`: what is kept of you, where your words go, all of it to take along, and the way to be forgotten."""

from typing import Any
from urllib.parse import urlsplit

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.errors import NotAllowedError
from bot.core.settings import Settings
from bot.server.privacy import CALLS_DAYS, GRACE_DAYS, OLD_DAYS
from bot.server.prompts import HELD
from bot.services import Services, services_of
from bot.tuning.profiles import PROFILES
from bot.ui.actions import ActionButton
from bot.ui.cards import Card, notice
from bot.ui.reply import attached
from bot.ui.safe import Layout

FORGET = "forget-me"
# Bytes of an upload that the message around the file may take.
ENVELOPE = 100_000
# Follow-ups that an interaction may have where the bot is not a member.
FILES = 5


class PrivacyCog(
    commands.GroupCog, name="privacy", description="What I keep of you, and how to take it or be rid of it"
):
    """Reads the settings for what it claims."""

    def __init__(self, services: Services) -> None:
        self._services, self._privacy = services, services.privacy
        super().__init__()

    async def cog_load(self) -> None:
        """Serve the button that confirms."""
        self._services.actions.register(FORGET, self.forget)

    async def cog_unload(self) -> None:
        """Serve it no longer."""
        self._services.actions.unregister(FORGET)

    @app_commands.command(description="What I keep of you and for how long, and where your words are sent")
    async def about(self, interaction: discord.Interaction[Any]) -> None:
        """Say what is kept."""
        await interaction.response.send_message(view=self._about(), ephemeral=True)

    @app_commands.command(description="Everything that I keep of you, as files of JSON in a ZIP")
    async def export(self, interaction: discord.Interaction[Any]) -> None:
        """Hand it to them alone."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        most = max(interaction.filesize_limit - ENVELOPE, ENVELOPE)
        made = await self._privacy.export(interaction.user.id, most=most)
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in made.counts.items())
        said = (
            f"This is all that I keep of you: {counts}." if counts else "I keep nothing of you, and the file says so."
        )
        names = [f"fewshot-{number}.zip" if len(made.files) > 1 else "fewshot.zip" for number in range(1, FILES + 2)]
        files = list(zip(names, made.files, strict=False))
        if len(made.files) > len(files):
            said += f" It fills {len(made.files)} files, and I can send {len(files)}; ask the operator for the rest."
        await interaction.edit_original_response(content=said, attachments=attached(files[:1]))
        for file in files[1:]:
            await interaction.followup.send(files=attached([file]), ephemeral=True)

    @app_commands.command(description="Be forgotten: your name, your words, and what I counted")
    async def delete(self, interaction: discord.Interaction[Any]) -> None:
        """Say what will happen, and ask."""
        lines = [
            "Your id and your name become “a player”. What you typed goes: from stories, notes, names of branches, "
            "prompts, tricks and suggestions. Prompts of others that quote you go too.",
            "The stories go on, and what others said stays. A trick that you taught stays where others gave it "
            "examples, without your words.",
            "Messages in Discord are not mine to delete: yours stay until you delete them. How many tokens you used "
            "today stays counted until midnight (UTC) at most, without your words.",
            "**This cannot be undone.** /privacy export gives you everything first.",
        ]
        button = ActionButton(
            FORGET, str(interaction.user.id), label="Forget me", emoji="🗑️", style=discord.ButtonStyle.danger
        )
        await interaction.response.send_message(view=notice("Shall I forget you?", lines, button), ephemeral=True)

    async def forget(self, interaction: discord.Interaction[Any], user_id: str, _: list[str]) -> None:
        """Forget the one who pressed."""
        if user_id != str(interaction.user.id):
            raise NotAllowedError("Everyone can have only themselves forgotten.")
        await interaction.response.defer()
        count = await self._privacy.delete(interaction.user.id)
        entries = "one entry" if count == 1 else f"{count:,} entries"
        done = f"You were in {entries}, and are in none any more." if count else "There was nothing to forget."
        await interaction.edit_original_response(view=notice("Forgotten", [done]))

    def _about(self) -> Layout:
        settings = self._services.settings
        card = Card("What I keep, and where words go")
        for text in (*_ways(settings, self._services.desk.host, self._services.desk.model), *_kept(settings)):
            card.text(text)
        card.text("-# /privacy export hands you all of it · /privacy delete makes me forget you")
        return card.layout()


def _ways(settings: Settings, host: str, model: str) -> list[str]:
    """Where words are sent."""
    if settings.has_model:
        to = f"**Sent** What you ask goes to `{host}`, for the model `{model}`, with the examples around it."
    else:
        to = "**Sent** No language model is connected: nothing that you write leaves the machine that I run on."
    profile = PROFILES[settings.tuning_provider]
    tuned = urlsplit(settings.tuning_base_url or profile.url or "").hostname
    if tuned is not None:
        to += f" Questions to a model that was tuned here go to `{tuned}`."
    if settings.moderation_model is not None:
        to += f" What you ask, and the answer, pass the moderation `{settings.moderation_model}` there."
    read = "I read the messages in channels where an adventure is played."
    if not settings.message_content:
        read = "I read no messages but replies to mine, mentions, direct messages, and those that a menu is used on."
    return [to, f"**Read** {read} Nothing that anybody writes in Discord is ever used to train a model."]


def _kept(settings: Settings) -> list[str]:
    """What is kept, and for how long."""
    days = settings.retention_days
    if days:
        prompts = (
            f"The prompt behind a public answer, with the answer: {_days(days)}, or until I see that message, or the "
            "one that it was made from, deleted. "
            "That of a private answer: only once you press Prompt or share it; until then the newest "
            f"{HELD:,} are in memory, as long at most."
        )
    else:
        prompts = f"The prompt behind an answer: in memory alone, the newest {HELD:,}, two hours at most."
    return [
        f"**Kept** {prompts}",
        f"Who asked for how many tokens, when and with which trick, without the words: {_days(CALLS_DAYS)}.",
        "Adventures, with the names of the players, their words, notes and names of branches: as long as they are "
        f"played; {_days(OLD_DAYS)} after their end.",
        f"Tricks that were taught, and their examples: until they are removed. Suggestions: {_days(OLD_DAYS)} at most.",
        "Who started and promoted tuning jobs: as long as the operator keeps the jobs.",
        f"When I leave a server, all that I keep of it goes after {_days(GRACE_DAYS)}.",
    ]


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


class Comings(commands.Cog, name="Servers"):
    """Notes which servers the bot is in, so that those it has left are forgotten in time."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._bot, self._privacy = bot, services.privacy

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """After a start, or a long break of the connection: some may have been left meanwhile."""
        await self._privacy.here([guild.id for guild in self._bot.guilds])

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """It is here, perhaps again."""
        await self._privacy.joined(guild.id)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """It was thrown out, or the server is gone."""
        await self._privacy.left(guild.id)


async def setup(bot: commands.Bot) -> None:
    """Add the commands, and the ear for servers that come and go."""
    services = services_of(bot)
    await bot.add_cog(PrivacyCog(services))
    await bot.add_cog(Comings(bot, services))
