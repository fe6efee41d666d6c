"""The commands' names and descriptions in the languages that the bot speaks, for Discord to show."""

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from bot.core.i18n import ENGLISH, in_language, known

# Under which context the catalogues have names: there they must be in lower case and without spaces (Discord's rule),
# and one word may be a verb as a command's name and a noun as an option's. All else has no context.
COMMAND, OPTION = "command", "option"
NAMES = {Location.command_name: COMMAND, Location.group_name: COMMAND, Location.parameter_name: OPTION}
SENTENCE = "sentence"


class CatalogueTranslator(app_commands.Translator):
    """Looks every string of a command up in the catalogues."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The string in `locale`; None leaves it as it is."""
        language = known(locale)
        if language == ENGLISH:
            return None
        found = in_language(language, key_of(string), context_of(context))
        return found and found.format(**string.extras)


def key_of(string: app_commands.locale_str) -> str:
    """What the catalogues have it under: itself, or the sentence that its `extras` fill (see `filled`)."""
    return str(string.extras.get(SENTENCE, string.message))


def filled(sentence: str, **values: str) -> app_commands.locale_str:
    """A `sentence` that names something, in every language: `filled(N_("About {corpus}"), corpus=name)`."""
    return app_commands.locale_str(sentence.format(**values), **{SENTENCE: sentence}, **values)


def context_of(context: app_commands.TranslationContextTypes) -> str:
    """Under which context the catalogues have a string: none for what may be any text, as a menu's name."""
    is_menu = isinstance(context.data, app_commands.ContextMenu)
    return "" if is_menu else NAMES.get(context.location, "")
