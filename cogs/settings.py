"""`/settings`: language, channels, limits, models and privacy of a server, for its admins.

The options and the lines of the card come from the fields of `GuildSettings`.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.model_option import ModelOption
from bot.answers.rendering import dollars
from bot.core.caller import Caller
from bot.core.errors import InputError
from bot.core.i18n import LANGUAGES, _, format_number, pgettext
from bot.core.text import escape_markdown
from bot.llm.prices import FREE, Price
from bot.server.guilds import SETTINGS, GuildSettings, Setting
from bot.services import Services, services_of
from bot.ui.actions import ActionSelect
from bot.ui.cards import Card
from bot.ui.locale import command_name
from bot.ui.views import MAX_CHOICES, LayoutView
from cogs._access import managed_guild
from cogs._store_first import answer_privately, edit_pressed, store_first

SERVERS_OWN = "server"
# Channels, roles, people and limits that a card shows of each kind.
MAX_SHOWN = 15
# About the tokens that one call reserves; with a lower limit, no call is possible.
ONE_CALL = 2_000
# The switch for the questions to tuned models: one for all corpora.
CORPORA = "racing"
ALLOW = "allow-models"
# Who can be blocked: a person, in the server or not, or a role.
Mentionable = discord.Member | discord.User | discord.Role
# The type of an option, by the kind of its setting.
OPTIONS = {
    "switch": bool | None,
    "channel": discord.TextChannel | None,
    "channels": discord.TextChannel | None,
    "tokens": int | None,
}


def _with_settings(command: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option for every setting of `/settings` + `command` to a method that takes them as `**given`."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        mine = [setting for setting in SETTINGS.values() if setting.command == command]
        signature = inspect.signature(method)
        own = [parameter for name, parameter in signature.parameters.items() if name != "given"]
        options = [
            inspect.Parameter(
                setting.option, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=OPTIONS[setting.kind]
            )
            for setting in mine
        ]
        method.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
        return app_commands.describe(**{setting.option: setting.about for setting in mine})(method)

    return decorate


@app_commands.default_permissions(manage_guild=True)
@app_commands.guild_only()
class SettingsCog(commands.GroupCog, name="settings", description="What the managers of this server decide"):
    """Every command changes what it is given, leaves the rest, and shows all settings."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.actions.register_select(ALLOW, self.allow)
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
            await self._change(interaction, guild, language=None if language == SERVERS_OWN else language)
        await self._show(interaction, guild)

    @app_commands.command(description="Which channels are for adventures, are quiet, or take reports")
    @app_commands.describe(remove="A channel that loses all of these settings")
    @_with_settings("channels")
    async def channels(
        self, interaction: discord.Interaction[Any], *, remove: discord.TextChannel | None = None, **given: Any
    ) -> None:
        """Set the channels, or remove one."""
        guild = managed_guild(interaction)
        if remove is not None and remove in given.values():
            raise InputError("One channel cannot be set and removed at once; give it in one place.")

        def update(settings: GuildSettings) -> GuildSettings:
            return _with_options(settings if remove is None else _without_channel(settings, remove.id), given)

        if remove is not None or any(given.values()):
            await self._change(interaction, guild, update)
        await self._show(interaction, guild)

    @app_commands.command(description="How many tokens a day people may use, and who may not ask at all")
    @app_commands.describe(
        role="A role whose members may use more or less; without `times`, as much as others again",
        times="So many times a person's tokens, up to the operator's limit",
        block="A person or a role who may ask me nothing",
        unblock="A person or a role who may ask me again",
        reset="Go back to the operator's limits",
    )
    @_with_settings("limits")
    async def limits(
        self,
        interaction: discord.Interaction[Any],
        *,
        role: discord.Role | None = None,
        times: app_commands.Range[float, 0.01, 100.0] | None = None,
        block: Mentionable | None = None,
        unblock: Mentionable | None = None,
        reset: bool = False,
        **given: Any,
    ) -> None:
        """Lower the limits or go back to the operator's, and block or unblock people and roles."""
        guild = managed_guild(interaction)
        limits = role is not None or any(limit is not None for limit in given.values())
        if reset and limits:
            raise InputError("Give new limits, or reset them; not both at once.")
        if times is not None and role is None:
            raise InputError("Give the role, too, whose members may use so many times the tokens.")

        def update(settings: GuildSettings) -> GuildSettings:
            settings = _without_limits(settings) if reset else settings
            if role is not None:
                multiples = {key: value for key, value in settings.role_limits.items() if key != str(role.id)}
                multiples |= {str(role.id): times} if times is not None else {}
                settings = replace(settings, role_limits=multiples)
            return _with_options(_with_blocked(settings, block, unblock), given)

        if limits or reset or block or unblock:
            await self._change(interaction, guild, update)
        await self._show(interaction, guild)

    @app_commands.command(description="Which answers are private, and whether messages may be sent to a model")
    @app_commands.describe(
        command="The command whose answers it is about",
        private="Show its answers to the asker alone, unless they choose otherwise",
    )
    @_with_settings("privacy")
    async def privacy(
        self,
        interaction: discord.Interaction[Any],
        *,
        command: str | None = None,
        private: bool | None = None,
        **given: Any,
    ) -> None:
        """Choose who sees answers, and whether the menus work on other people's messages."""
        guild = managed_guild(interaction)
        if (command is None) != (private is None):
            raise InputError("Give both: the command, and whether its answers are private.")
        if command is not None and command not in self._services.guilds.private_by_default:
            raise InputError("I have no such command whose answers could be private.")

        def update(settings: GuildSettings) -> GuildSettings:
            chosen = {command: private} if command is not None and private is not None else {}
            return _with_options(replace(settings, private={**settings.private, **chosen}), given)

        if command is not None or any(value is not None for value in given.values()):
            await self._change(interaction, guild, update)
        await self._show(interaction, guild)

    @app_commands.command(description="Which models people here may choose, and which one answers by default")
    @app_commands.describe(
        default="The model that answers where nobody chooses one",
        channel="Only in this channel; without a model, the channel gets the server's again",
        reset="Go back to all models and the operator's default",
    )
    async def models(
        self,
        interaction: discord.Interaction[Any],
        default: ModelOption | None = None,
        channel: discord.TextChannel | None = None,
        *,
        reset: bool = False,
    ) -> None:
        """Set the default of the server or of a channel, and show the models."""
        guild = managed_guild(interaction)
        if reset and (default or channel):
            raise InputError("Give a default, or reset all; not both at once.")

        def update(settings: GuildSettings) -> GuildSettings:
            if reset:
                return replace(settings, models=frozenset(), model=None, channel_models={})
            if channel is None:
                return replace(settings, model=default)
            others = {key: name for key, name in settings.channel_models.items() if key != str(channel.id)}
            return replace(settings, channel_models={**others, **({str(channel.id): default} if default else {})})

        if reset or default or channel:
            await self._change(interaction, guild, update)
        await answer_privately(interaction, view=await self._show_models(interaction, guild))

    async def allow(self, interaction: discord.Interaction[Any], _argument: str, chosen: list[str]) -> None:
        """Allow the chosen models and no others; with all of them, also those that the operator adds later."""
        guild = managed_guild(interaction)
        known = {model.name for model in self._services.chat_models.all}
        if not known.intersection(chosen):
            raise InputError("Choose at least one model of the list.")
        names = frozenset() if known.issubset(chosen) else frozenset(known.intersection(chosen))
        await self._change(interaction, guild, models=names)
        await edit_pressed(interaction, await self._show_models(interaction, guild))

    @privacy.autocomplete("command")
    async def switches(self, _interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """The commands whose answers can be private."""
        names = {name: self._name(name) for name in self._services.guilds.private_by_default}
        found = [(name, shown) for name, shown in names.items() if typed.strip().casefold() in shown]
        return [app_commands.Choice(name=shown, value=name) for name, shown in found][:MAX_CHOICES]

    def _name(self, command: str) -> str:
        """The name of a switch in the autocomplete list; dots stand for further corpora, because there may be many."""
        return _("/racing ask, /… ask") if command == CORPORA else command_name(command)

    async def _change(
        self,
        interaction: discord.Interaction[Any],
        guild: int,
        update: Callable[[GuildSettings], GuildSettings] | None = None,
        **values: Any,
    ) -> None:
        """Store the settings as `update` returns them, with `values` by name."""
        await store_first(interaction, self._services.guilds.change(guild, update, **values))

    async def _show(self, interaction: discord.Interaction[Any], guild: int) -> None:
        await self._services.ledger.prices.load([self._services.gateway.model])
        await answer_privately(interaction, view=self._card(guild))

    def _commands(self, name: str) -> list[str]:
        """The commands that a switch is about."""
        names = [f"{corpus} ask" for corpus in self._services.tuning.corpora.names] if name == CORPORA else [name]
        return [command_name(found) for found in names]

    def _card(self, guild: int) -> LayoutView:
        """All settings of a server."""
        guilds = self._services.guilds
        own = guilds.of(guild)
        card = Card(_("Settings of this server"))
        if own.language:
            card.text(_("**Language** {language}", language=LANGUAGES[own.language]))
        else:
            card.text(_("**Language** the server’s own"))
        for command in ("channels", "limits"):
            card.text("\n".join(self._lines(own, command)))
        if len(self._services.chat_models.all) > 1:
            names = ", ".join(escape_markdown(model.shown) for model in self._services.chat_models.allowed(guild))
            card.text(_("**Models** {names}", names=names))
        elif self._services.ledger.prices.of(self._services.gateway.model) is None:
            known = _("**Price** of `{model}` not known", model=self._services.gateway.model)
            card.text(known + " · " + self._counted())
        private, public = list[str](), list[str]()
        for name in guilds.private_by_default:
            (private if guilds.private(guild, name) else public).extend(self._commands(name))
        none = pgettext("commands", "none")
        alone = _("**For the asker alone** {commands}", commands=", ".join(private) or none)
        card.text(alone + "\n" + _("**For all** {commands}", commands=", ".join(public) or none))
        for line in self._lines(own, "privacy"):
            card.text(line)
        return card.layout()

    def _counted(self) -> str:
        """What a model without a known price counts."""
        price = dollars(Decimal(str(self._services.ledger.unknown_price)))
        return _("it counts {price} per million tokens", price=price)

    async def _show_models(self, interaction: discord.Interaction[Any], guild: int) -> LayoutView:
        """The models, which of them are allowed and the default somewhere, and a select of those that are allowed."""
        models, own = self._services.chat_models, self._services.guilds.of(guild)
        prices = self._services.ledger.prices
        await prices.load([model.name for model in models.all])
        allowed = models.allowed(guild)
        default = models.default(Caller(interaction.user.id, guild))
        card = Card(_("Models of this server"))
        lines = []
        for model in models.all:
            mark = "✅" if model in allowed else "🚫"
            parts = [f"{mark} **{escape_markdown(model.shown)}**"]
            if model == default:
                parts.append(_("answers where nobody chooses"))
            price = prices.of(model.name)
            parts.append(_price(price) if price else _("price not known") + ", " + self._counted())
            lines.append(" · ".join([*parts, escape_markdown(model.client.host)]))
        lines += _shortened(
            [f"<#{channel}> {escape_markdown(models.shown(name))}" for channel, name in own.channel_models.items()]
        )
        for name in sorted(
            {own.model or default.name, *own.channel_models.values()} - {model.name for model in allowed}
        ):
            gone = escape_markdown(models.shown(name))
            lines.append(_("⚠️ {model} cannot be chosen any more; the default answers.", model=gone))
        card.text("\n".join(lines))
        if len(models.all) > 1:
            options = [
                discord.SelectOption(label=model.shown, value=model.name, default=model in allowed)
                for model in models.all
            ]
            card.row(ActionSelect(ALLOW, "", options, _("Models that people here may choose"), several=True))
        return card.layout()

    def _lines(self, own: GuildSettings, command: str) -> list[str]:
        """The settings of `/settings` + `command`, a line each."""
        lines = []
        moderated = self._services.gateway.moderation is not None
        for name, setting in SETTINGS.items():
            if setting.command == command and (moderated or not setting.needs_moderation):
                lines.append(_line(setting, getattr(own, name), self._services.guilds.max_tokens.get(name)))
        if command == "limits":
            multiples = [
                _("**Tokens a day for** {role} {times:,g} times a person's", role=f"<@&{role}>", times=times)
                for role, times in own.role_limits.items()
            ]
            lines += _shortened(multiples)
            blocked = [f"<@{user}>" for user in own.blocked_users] + [f"<@&{role}>" for role in own.blocked_roles]
            if blocked:
                lines.append(_("**Blocked** {names}", names=", ".join(_shortened(blocked))))
            if min(own.user_tokens or ONE_CALL, own.guild_tokens or ONE_CALL) < ONE_CALL:
                few = _(
                    "⚠️ One answer reserves about {n:,} tokens; with a lower limit, nobody can ask anything.", n=ONE_CALL
                )
                lines.append(few)
        return lines


def _price(price: Price) -> str:
    """A price in words."""
    if price == FREE:
        return pgettext("price", "free")
    read, written = dollars(price.prompt), dollars(price.completion)
    return _("{read} in and {written} out for a million tokens", read=read, written=written)


def _with_options(settings: GuildSettings, given: dict[str, Any]) -> GuildSettings:
    """`settings` with the values of the options that were given, by name."""
    changed = {}
    for name, setting in SETTINGS.items():
        if (value := given.get(setting.option)) is not None:
            value = value.id if setting.kind in ("channel", "channels") else value
            changed[name] = getattr(settings, name) | {value} if setting.kind == "channels" else value
    return replace(settings, **changed)


def _without_channel(settings: GuildSettings, channel: int) -> GuildSettings:
    """`settings` in which no setting names the channel."""
    changed: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        if setting.kind == "channels":
            changed[name] = getattr(settings, name) - {channel}
        elif setting.kind == "channel" and getattr(settings, name) == channel:
            changed[name] = None
    return replace(settings, **changed)


def _without_limits(settings: GuildSettings) -> GuildSettings:
    none: dict[str, Any] = {name: None for name, setting in SETTINGS.items() if setting.kind == "tokens"}
    return replace(settings, role_limits={}, **none)


def _with_blocked(settings: GuildSettings, block: Mentionable | None, unblock: Mentionable | None) -> GuildSettings:
    """`settings` in which `block` is blocked and `unblock` is not."""
    people, roles = set(settings.blocked_users), set(settings.blocked_roles)
    if block is not None:
        (roles if isinstance(block, discord.Role) else people).add(block.id)
    if unblock is not None:
        (roles if isinstance(unblock, discord.Role) else people).discard(unblock.id)
    return replace(settings, blocked_users=frozenset(people), blocked_roles=frozenset(roles))


def _line(setting: Setting, value: Any, most: int | None) -> str:
    """A setting and its value, in words. `most` is the operator's limit."""
    if setting.kind == "tokens":
        assert most is not None, "every limit of a server has one of the operator"
        return _(setting.off if value is None else setting.on, value=format_number(min(value or most, most)))
    if setting.kind == "switch" or not value:
        return _(setting.on if value else setting.off)
    channels = [value] if setting.kind == "channel" else sorted(value)
    return _(setting.on, value=", ".join(_shortened([f"<#{channel}>" for channel in channels])))


def _shortened(shown: list[str]) -> list[str]:
    """`shown`, of which a card has room for `MAX_SHOWN`."""
    left = len(shown) - MAX_SHOWN
    return [*shown[:MAX_SHOWN], _("… and {n} more", n=left)] if left > 0 else shown


async def setup(bot: commands.Bot) -> None:
    """Add the commands."""
    await bot.add_cog(SettingsCog(services_of(bot)))
