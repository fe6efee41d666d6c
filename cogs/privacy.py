"""`/privacy`: what is stored about you and where text is sent; export and delete it."""

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.errors import NotAllowedError
from bot.core.i18n import N_, _, format_number, ngettext
from bot.core.settings import OPENAI_URL, Settings
from bot.server.chat_models import ChatModel
from bot.server.privacy import CALLS_DAYS, GRACE_DAYS, OLD_DAYS
from bot.server.prompts import MAX_CACHED
from bot.server.tricks import MAX_VERSIONS
from bot.services import Services, services_of
from bot.tuning.profiles import PROFILES
from bot.ui.actions import ActionButton
from bot.ui.cards import Card, notice
from bot.ui.errors import DELIVERY_ERRORS
from bot.ui.files import to_files
from bot.ui.views import LayoutView
from cogs._store_first import edit_pressed, store_first

_log = logging.getLogger(__name__)
FORGET = "forget-me"
# Bytes of the upload limit that are left for the message itself.
ENVELOPE = 100_000
ON_SERVER = N_("Deleted words may stay in files of my database server until it reuses their place, and in backups.")
# Discord allows at most this many follow-ups to an interaction where the bot is not a member of the server.
FILES = 5


class PrivacyCog(
    commands.GroupCog, name="privacy", description="What I store about you, and how to export or delete it"
):
    """The texts about stored data are made from the settings."""

    def __init__(self, services: Services) -> None:
        self._services, self._privacy = services, services.privacy
        services.actions.register(FORGET, self.forget)
        super().__init__()

    @app_commands.command(description="What I store about you and for how long, and where your text is sent")
    async def about(self, interaction: discord.Interaction[Any]) -> None:
        """Show what is stored."""
        await interaction.response.send_message(view=self._about(), ephemeral=True)

    @app_commands.command(description="Everything that I store about you, as JSON files in a ZIP")
    async def export(self, interaction: discord.Interaction[Any]) -> None:
        """Send the files to the user alone."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        max_bytes = max(interaction.filesize_limit - ENVELOPE, ENVELOPE)
        made = await self._privacy.export(interaction.user.id, max_bytes=max_bytes)
        # The entries' names are those of the files in the ZIP.
        counts = " · ".join(f"`{name}` {format_number(count)}" for name, count in made.counts.items())
        sentence = _("I have stored nothing about you; the file says so.")
        if counts:
            sentence = _("This is all that I have stored about you: {entries}.", entries=counts)
        names = [f"fewshot-{place}.zip" if len(made.files) > 1 else "fewshot.zip" for place in range(1, FILES + 2)]
        files = list(zip(names, made.files, strict=False))
        if len(made.files) > len(files):
            rest = _(
                "It fills {n} files, and I can send {sent}; ask the operator for the rest.",
                n=len(made.files),
                sent=len(files),
            )
            sentence = f"{sentence} {rest}"
        await interaction.edit_original_response(content=sentence, attachments=to_files(files[:1]))
        for file in files[1:]:
            await interaction.followup.send(files=to_files([file]), ephemeral=True)

    @app_commands.command(description="Delete your data: your name, your words and your usage")
    async def delete(self, interaction: discord.Interaction[Any]) -> None:
        """Say what will be deleted, and ask for confirmation."""
        lines = [
            _(
                "Your id and your name become “a player”. What you typed is deleted from stories, notes, names "
                "of branches, prompts, tricks, suggestions and corrections. Other people's prompts that quote you are "
                "deleted too."
            ),
            _(
                "Stories continue, and what others wrote stays. A trick that you taught stays if others gave it "
                "examples, without your words."
            ),
            _(
                "I cannot delete your messages in Discord; they stay until you delete them. The number of "
                "tokens that you used today is kept until midnight (UTC) at most, without your words."
            ),
            _("**This cannot be undone.** /privacy export gives you everything first."),
        ]
        button = ActionButton(
            FORGET, str(interaction.user.id), label=_("Delete my data"), emoji="🗑️", style=discord.ButtonStyle.danger
        )
        await interaction.response.send_message(view=notice(_("Delete your data?"), lines, button), ephemeral=True)

    async def forget(self, interaction: discord.Interaction[Any], user_id: str) -> None:
        """Erase the user who pressed."""
        if user_id != str(interaction.user.id):
            raise NotAllowedError("You can delete only your own data.")
        count = await store_first(interaction, self._privacy.erase(interaction.user.id))
        done = _("There was nothing to delete.")
        if count:
            done = ngettext(
                "One entry about you was deleted or no longer names you.",
                "{n:,} entries about you were deleted or no longer name you.",
                count,
            )
        await edit_pressed(interaction, notice(_("Deleted"), [done]))

    def _about(self) -> LayoutView:
        settings = self._services.settings
        card = Card(_("What I store, and where text is sent"))
        for text in (*_destinations(settings, self._services.chat_models.all), *_storage_periods(settings)):
            card.text(text)
        card.text(_("-# /privacy export sends you all of it · /privacy delete deletes it"))
        return card.layout()


def _destinations(settings: Settings, models: Sequence[ChatModel]) -> list[str]:
    """Where text is sent."""
    if settings.has_model:
        first, *others = models
        to = [
            _(
                "**Sent** What you ask goes to `{host}`, for the model `{model}`, with the examples around it.",
                host=first.client.host,
                model=first.name,
            )
        ]
        if others:
            places = ", ".join(f"`{model.name}` (`{model.client.host}`)" for model in others)
            to.append(_("Where you or the server choose another model, it goes to that one: {places}.", places=places))
    else:
        to = [_("**Sent** No language model is connected: nothing that you write leaves the machine that I run on.")]
    profile = PROFILES[settings.tuning_provider]
    serving = settings.serving_url if profile.is_local else None
    tuned = urlsplit(settings.tuning_base_url or profile.url or serving or "").hostname
    if tuned is not None:
        to.append(_("Questions to a model that was tuned here go to `{host}`.", host=tuned))
    if settings.moderation_model is not None:
        model = settings.moderation_model
        host = urlsplit(settings.openai_base_url or OPENAI_URL).hostname
        to.append(_("What you ask, and the answer, pass the moderation `{model}` at `{host}`.", model=model, host=host))
    read = _(
        "**Read** I read replies to my messages, mentions, direct messages, messages on which someone uses a menu, "
        "and all messages in channels where an adventure is played."
    )
    if not settings.message_content:
        read = _(
            "**Read** I read only replies to my messages, mentions, direct messages, and messages on which "
            "someone uses a menu."
        )
    never = _("Nothing that anybody writes in Discord is ever used to train a model.")
    return [" ".join(to), f"{read} {never}"]


def _storage_periods(settings: Settings) -> list[str]:
    """What is stored, and for how long."""
    days = settings.retention_days
    if days:
        prompts = ngettext(
            "**Kept** The prompt of a public answer, with the answer: 1 day, or until I see that its "
            "message, or the message that it was made from, is deleted. The prompt of a private answer is "
            "stored only when you press Prompt, Again or Follow up…, or share it; until then, the newest {held:,} "
            "are in memory, for as long at most.",
            "**Kept** The prompt of a public answer, with the answer: {n} days, or until I see that its "
            "message, or the message that it was made from, is deleted. The prompt of a private answer is "
            "stored only when you press Prompt, Again or Follow up…, or share it; until then, the newest {held:,} "
            "are in memory, for as long at most.",
            days,
            held=MAX_CACHED,
        )
    else:
        prompts = _(
            "**Kept** The prompt of an answer: only in memory, the newest {held:,}, for two hours at most.",
            held=MAX_CACHED,
        )
    return [
        prompts,
        _(
            "Pictures that you attach are never stored. The newest are in memory, so that you can ask again; of the "
            "others, name, size and a hash are kept with the prompt."
        ),
        _("Who asked for how many tokens, when and with which trick, without the words: {n} days.", n=CALLS_DAYS),
        _(
            "Adventures, with the names of the players, their words, notes and names of branches: while "
            "they are played, and {n} days after their end.",
            n=OLD_DAYS,
        ),
        _(
            "Tricks that were taught, their examples, and who changed them: the newest {versions} versions, until the "
            "trick is removed; so are their tests. Suggestions and test runs: {n} days at most.",
            versions=MAX_VERSIONS,
            n=OLD_DAYS,
        ),
        _(
            "Who started tuning jobs, the questions that they pinned, and who promoted models: as long as the operator "
            "keeps the jobs. Who asked for a dataset: until it is written."
        ),
        _(
            "What you send with **Wrong?**, with your question and the answer: {n} days at most, or, if the operator "
            "confirms it as a test question, until you delete your data. It is never trained on.",
            n=OLD_DAYS,
        ),
        _(
            "Blind comparisons, with who started them and who voted for what: until the answers are revealed. The "
            "counts stay in the message."
        ),
        _("Whom the managers of a server block: until they unblock them. Only they can lift it."),
        _(
            "The token with which Discord lets me edit an answer, without your id: until the answer is complete; after "
            "a crash, until my next start."
        ),
        _("When I leave a server, its data is deleted after {n} days.", n=GRACE_DAYS),
        *([_(ON_SERVER)] if settings.shares_database else []),
    ]


class GuildMembership(commands.Cog, name="Servers"):
    """Stores when the bot leaves servers, so that their data is erased later."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._bot, self._privacy, self._owns = bot, services.privacy, services.slot.owns

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """After a start or a new session, the bot may have left servers meanwhile."""
        await self._privacy.reconcile_servers(lambda: [guild.id for guild in self._bot.guilds], self._is_member)

    async def _is_member(self, guild_id: int) -> bool:
        """Whether the bot is in the server. Any other error counts as yes, so that nothing is erased by mistake.

        So does a server of another process, which asks for its own.
        """
        if not self._owns(guild_id):
            return True
        try:
            await self._bot.fetch_guild(guild_id, with_counts=False)
        except (discord.NotFound, discord.Forbidden):
            return False
        except DELIVERY_ERRORS as error:
            _log.warning("Discord did not say whether the bot is in the server %s: %s", guild_id, error)
        return True

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot joined a server, perhaps again."""
        await self._privacy.server_joined(guild.id)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed, or the server was deleted."""
        await self._privacy.server_left(guild.id)


async def setup(bot: commands.Bot) -> None:
    """Add the commands and the listeners."""
    services = services_of(bot)
    await bot.add_cog(PrivacyCog(services))
    await bot.add_cog(GuildMembership(bot, services))
