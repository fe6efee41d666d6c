"""`/settings`: what the admins of a server decide: its language, its channels, its limits, its privacy."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.errors import InputError
from bot.core.i18n import LANGUAGES, N_, _, format_number, pgettext
from bot.server.guilds import PRIVATE, GuildSettings
from bot.services import Services, services_of
from bot.ui.cards import Card
from bot.ui.views import LayoutView
from cogs._access import managed_guild

SERVERS_OWN = "server"
# A call sets aside about so many tokens before it is made; a lower limit lets nobody ask anything.
ONE_CALL = 2_000
# The switch for the questions to tuned models: one for all corpora.
CORPORA = "racing"


def _choice(name: str) -> str:
    """A switch as it is offered; which corpora there are is not known yet, so that the others are dots."""
    return N_("/racing ask, /… ask") if name == CORPORA else f"/{name}"


@app_commands.default_permissions(manage_guild=True)
@app_commands.guild_only()
class SettingsCog(commands.GroupCog, name="settings", description="What the admins of this server decide"):
    """Every command changes what it is given, leaves the rest, and shows all of it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        super().__init__()

    @app_commands.command(description="The language in which I write where all can see it")
    @app_commands.describe(language="The language; without it you see what is set")
    @app_commands.choices(
        language=[
            app_commands.Choice(name="The server's own", value=SERVERS_OWN),
            *(app_commands.Choice(name=name, value=tag) for tag, name in LANGUAGES.items()),
        ]
    )
    async def language(self, interaction: discord.Interaction[Any], language: str | None = None) -> None:
        """Set the language, or go back to the server's own."""
        guild = managed_guild(interaction)
        if language is not None:
            await self._change(interaction, guild, language="" if language == SERVERS_OWN else language)
        await self._show(interaction, guild)

    @app_commands.command(description="Which channels are for adventures, and which takes reports")
    @app_commands.describe(
        adventure="A channel set aside for adventures: stories run in it, and not in a thread of their own",
        reports="A channel that moderators read, for what members report",
        remove="A channel that shall be neither of the two any more",
    )
    async def channels(
        self,
        interaction: discord.Interaction[Any],
        adventure: discord.TextChannel | None = None,
        reports: discord.TextChannel | None = None,
        remove: discord.TextChannel | None = None,
    ) -> None:
        """Set channels aside, or take them back."""
        guild = managed_guild(interaction)
        if remove is not None and remove in (adventure, reports):
            raise InputError("One channel cannot be set and removed at once; give it in one place.")
        if adventure is not None or reports is not None or remove is not None:
            await self._change(
                interaction,
                guild,
                add_channel=adventure.id if adventure else None,
                report_channel=reports.id if reports else None,
                drop_channel=remove.id if remove else None,
            )
        await self._show(interaction, guild)

    @app_commands.command(description="How many tokens a day a person, and this server, may use")
    @app_commands.describe(
        person="Tokens a person may use here in a day (UTC)",
        server="Tokens all of this server may use in a day (UTC)",
        reset="Go back to the operator's limits",
    )
    async def limits(
        self,
        interaction: discord.Interaction[Any],
        person: int | None = None,
        server: int | None = None,
        reset: bool = False,
    ) -> None:
        """Lower the limits, or go back to the operator's."""
        guild = managed_guild(interaction)
        if reset and (person is not None or server is not None):
            raise InputError("Give new limits, or reset them; not both at once.")
        if reset or person is not None or server is not None:
            await interaction.response.defer(ephemeral=True, thinking=True)
            before = GuildSettings() if reset else self._services.guilds.of(guild)
            await self._services.guilds.limit(
                guild,
                user=before.user_tokens if person is None else person,
                guild=before.guild_tokens if server is None else server,
            )
        await self._show(interaction, guild)

    @app_commands.command(description="Whose answers all can see, and whose messages may be sent to a model")
    @app_commands.describe(
        command="The command whose answers it is about",
        private="Show its answers to the asker alone, unless they choose otherwise",
        menus="Let Translate and Rewrite… send other people's messages to a model",
        adult="Let age-restricted channels hold what is for adults, where the operator's moderation would block it",
    )
    @app_commands.choices(command=[app_commands.Choice(name=_choice(name), value=name) for name in PRIVATE])
    async def privacy(
        self,
        interaction: discord.Interaction[Any],
        command: str | None = None,
        private: bool | None = None,
        menus: bool | None = None,
        adult: bool | None = None,
    ) -> None:
        """Choose who sees answers, and whether the menus serve for others' messages."""
        guild = managed_guild(interaction)
        if (command is None) != (private is None):
            raise InputError("Give both: the command, and whether its answers are private.")
        if command is not None and command not in PRIVATE:
            raise InputError("I have no such command whose answers could be private.")
        if command is not None or menus is not None or adult is not None:
            chosen = {command: private} if command is not None and private is not None else None
            await self._change(interaction, guild, private=chosen, menus=menus, adult=adult)
        await self._show(interaction, guild)

    async def _change(self, interaction: discord.Interaction[Any], guild: int, **changes: Any) -> None:
        """Acknowledge, since the database may be busy, and keep what changes; fields as those of `Guilds.change`."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._services.guilds.change(guild, **changes)

    async def _show(self, interaction: discord.Interaction[Any], guild: int) -> None:
        if interaction.response.is_done():
            await interaction.edit_original_response(view=self._card(guild))
        else:
            await interaction.response.send_message(view=self._card(guild), ephemeral=True)

    def _commands(self, name: str) -> list[str]:
        """The commands that a switch is about."""
        return [f"/{corpus} ask" for corpus in self._services.tuning.corpora.names] if name == CORPORA else [f"/{name}"]

    def _card(self, guild: int) -> LayoutView:
        """All settings of a server, in words."""
        guilds = self._services.guilds
        own = guilds.of(guild)
        private = [command for name in PRIVATE if guilds.private(guild, name) for command in self._commands(name)]
        public = [command for name in PRIVATE if not guilds.private(guild, name) for command in self._commands(name)]
        card = Card(_("Settings of this server"))
        if own.language:
            card.text(_("**Language** {language}", language=LANGUAGES[own.language]))
        else:
            card.text(_("**Language** the server’s own"))
        card.text(f"{_adventures(own)}\n{_reports(own)}")
        limits = _(
            "**Tokens a day** {person} for a person, {server} for the server",
            person=_limit(own.user_tokens, guilds.most_user_tokens),
            server=_limit(own.guild_tokens, guilds.most_guild_tokens),
        )
        card.text(limits + _warning(own))
        none = pgettext("commands", "none")
        alone = _("**For the asker alone** {commands}", commands=", ".join(private) or none)
        card.text(alone + "\n" + _("**For all** {commands}", commands=", ".join(public) or none))
        if own.menus:
            card.text(_("**Translate and Rewrite…** may send other people's messages to a model"))
        else:
            card.text(_("**Translate and Rewrite…** do not send other people's messages to a model"))
        if self._services.gateway.moderation is not None and own.adult:
            card.text(_("**Age-restricted channels** what is for adults may stand there"))
        elif self._services.gateway.moderation is not None:
            card.text(_("**Age-restricted channels** moderated like all others"))
        return card.layout()


def _adventures(own: GuildSettings) -> str:
    if not own.adventure_channels:
        return _("**Adventures** in threads, wherever they are started")
    return _("**Adventures** {channels}", channels=_channels(own.adventure_channels))


def _reports(own: GuildSettings) -> str:
    if own.report_channel is None:
        return _("**Reports** no channel is set")
    return _("**Reports** {channel}", channel=f"<#{own.report_channel}>")


def _channels(ids: frozenset[int]) -> str:
    return ", ".join(f"<#{channel}>" for channel in sorted(ids))


def _limit(own: int | None, most: int) -> str:
    """The limit that holds, and whose it is."""
    return _("{n:,} (the operator's)", n=most) if own is None else format_number(min(own, most))


def _warning(own: GuildSettings) -> str:
    low = any(tokens is not None and tokens < ONE_CALL for tokens in (own.user_tokens, own.guild_tokens))
    said = _("⚠️ One answer sets aside about {n:,} tokens; below that, nobody can ask anything.", n=ONE_CALL)
    return f"\n{said}" if low else ""


async def setup(bot: commands.Bot) -> None:
    """Add the commands."""
    await bot.add_cog(SettingsCog(services_of(bot)))
