"""Discord's locales and the bot's catalogues: the locale of who is answered, and the translated command names."""

from collections import OrderedDict
from typing import Any, Protocol, cast

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from bot.core.i18n import ENGLISH, pgettext, set_locales, supported_locale, translation

# The gettext contexts of command and option names. Discord wants names in lower case without spaces, and the same word
# may be a verb as a command and a noun as an option. All other strings have no context.
COMMAND, OPTION = "command", "option"
NAME_CONTEXTS = {Location.command_name: COMMAND, Location.group_name: COMMAND, Location.parameter_name: OPTION}
TEMPLATE_KEY = "sentence"
# Discord's locales that have a catalogue. discord.py asks for each string of each command in each of its 32 locales.
TRANSLATED = {locale: language for locale in discord.Locale if (language := supported_locale(locale)) != ENGLISH}


# People whose locale is remembered, which takes 1 MB.
MAX_REMEMBERED = 10_000


class RecentLocales:
    """The locale of each person's last interaction, for the newest people, in memory: messages come without one."""

    def __init__(self) -> None:
        self._locales: OrderedDict[int, str] = OrderedDict()

    def note(self, user_id: int, locale: str) -> None:
        """Remember the locale of a person, and forget the one who was here longest ago."""
        self._locales[user_id] = locale
        self._locales.move_to_end(user_id)
        if len(self._locales) > MAX_REMEMBERED:
            self._locales.popitem(last=False)

    def of(self, user_id: int) -> str | None:
        """The locale of a person; None where it is not remembered."""
        return self._locales.get(user_id)


class LocaleClient(Protocol):
    """What this module needs of the Discord client."""

    @property
    def recent_locales(self) -> RecentLocales:
        """The locales that people had."""

    def language_in(self, guild_id: int | None) -> str | None:
        """The language that a server's admins chose, or None."""


def set_locale(interaction: discord.Interaction[Any]) -> None:
    """Set the user's and the server's locale for the running task (see `bot.core.i18n.set_locales`).

    A server's locale is the language that its admins chose, else the server's locale in Discord, else, in direct
    messages, the user's locale.
    """
    client = cast(LocaleClient, interaction.client)
    client.recent_locales.note(interaction.user.id, str(interaction.locale))
    chosen = client.language_in(interaction.guild_id)
    set_locales(
        supported_locale(interaction.locale), supported_locale(chosen, interaction.guild_locale, interaction.locale)
    )


def set_locale_of_message(client: discord.Client, message: discord.Message) -> None:
    """Set the author's and the server's locale for the running task, as `set_locale` does.

    The author's is that of their last interaction.
    """
    author = cast(LocaleClient, client).recent_locales.of(message.author.id)
    place = locale_of_guild(client, message.guild, message.author.id)
    set_locales(supported_locale(author, place), place)


def locale_of_guild(client: discord.Client, guild: discord.Guild | None, user_id: int = 0) -> str:
    """The locale for messages that the bot sends without an interaction: to a server, or directly to a person."""
    here = cast(LocaleClient, client)
    if guild is None:
        return supported_locale(here.recent_locales.of(user_id))
    return supported_locale(here.language_in(guild.id), guild.preferred_locale)


class CatalogueTranslator(app_commands.Translator):
    """Translates the strings of commands with the catalogues."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """`string` in `locale`; None where the catalogue has no translation."""
        if (language := TRANSLATED.get(locale)) is None:
            return None
        found = translation(language, message_id(string), message_context(context))
        return found and found.format(**string.extras)


def command_name(command: str) -> str:
    """`command`, such as `racing ask`, as people who read the current language see it: `/racing fragen`."""
    return "/" + " ".join(pgettext(COMMAND, word) for word in command.split())


def message_id(string: app_commands.locale_str) -> str:
    """The catalogue key of a string: the template of `format_locale_str`, else the string itself."""
    return str(string.extras.get(TEMPLATE_KEY, string.message))


def format_locale_str(template: str, **values: str) -> app_commands.locale_str:
    """A translatable string with values: `format_locale_str(N_("About {corpus}"), corpus=name)`."""
    return app_commands.locale_str(template.format(**values), **{TEMPLATE_KEY: template}, **values)


def message_context(context: app_commands.TranslationContextTypes) -> str:
    """The gettext context of a string; empty for descriptions and for names of message menus."""
    is_menu = isinstance(context.data, app_commands.ContextMenu)
    return "" if is_menu else NAME_CONTEXTS.get(context.location, "")
