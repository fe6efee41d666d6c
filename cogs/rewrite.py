"""Extends `/rewrite`, whose template is a JSON file: files, a modal for several lines, the menu Rewrite…"""

from collections.abc import Mapping
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.model_option import MODEL
from bot.answers.techniques import Extension, Options
from bot.core.caller import SourceMessage
from bot.core.errors import InputError
from bot.core.i18n import N_, _
from bot.services import Services, services_of
from bot.ui.actions import ID
from bot.ui.caller import caller_of, source_message_of
from bot.ui.uploads import read_text
from bot.ui.views import MAX_CHOICE_LENGTH, MAX_CHOICES, PersistentModal
from cogs._message_window import MAX_FIELD_LENGTH, read_for_window

TEMPLATE = MODAL = "rewrite"
# Characters of a text.
MAX_LENGTH = 6_000
# Bytes of an uploaded text: 6,000 characters of four bytes, and a margin.
MAX_FILE_BYTES = 25_000
EMPTY_MESSAGE = N_("This message has no text to rewrite.")
# The name in the prompt of a style that the person did not name.
OWN_PROMPT = "the style of the sample"


class Rewrite(commands.Cog):
    """One-shot: a sample in the wanted style, then the text."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.menu = app_commands.ContextMenu(
            name="Rewrite…",
            callback=self.message,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )
        options = {"file": (discord.Attachment, N_("A text file to rewrite"))}
        services.techniques.extend(TEMPLATE, Extension(self.prepare, options))
        services.actions.register_modal(MODAL, self.submit, argument=f"[01]:{ID}:{ID}(?::[0-9]{{1,2}})?")

    async def prepare(
        self, interaction: discord.Interaction[Any], options: Options, private: bool
    ) -> Mapping[str, str] | None:
        """The text, the style and its sample. Without a text or a file, open the modal and return None."""
        text, file, style, sample = (options.get(name) for name in ("text", "file", "style", "sample"))
        if text is None and file is None:
            self._services.gateway.refuse_blocked(caller_of(interaction))
            names = [model.name for model in self._services.chat_models.all]
            model = names.index(options[MODEL]) if options.get(MODEL) in names else None
            await interaction.response.send_modal(
                self._modal("", style or "", sample or "", private=private, model=model)
            )
            return None
        values = self._style(style, sample)
        if text is None and file is not None:
            await interaction.response.defer(ephemeral=private, thinking=True)
            text = await read_text(file, max_bytes=MAX_FILE_BYTES)
            if len(text) > MAX_LENGTH:
                raise InputError(
                    "The file contains {n:,} characters; up to {most:,} can be rewritten.", n=len(text), most=MAX_LENGTH
                )
        return {"text": text or "", **values}

    async def message(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """The message menu: open the modal with the text of the message."""
        read = await read_for_window(self._services, interaction, message, EMPTY_MESSAGE)
        if not read.text:
            raise InputError(EMPTY_MESSAGE)
        source = source_message_of(message)
        await interaction.response.send_modal(self._modal(read.text, "", "", private=True, source=source))

    async def submit(self, interaction: discord.Interaction[Any], argument: str, fields: Mapping[str, str]) -> None:
        """Rewrite what was typed into the modal, also after a restart."""
        private, message_id, author_id, *places = (int(part) for part in argument.split(":"))
        source = SourceMessage(message_id, author_id) if message_id else None
        if source is not None:
            self._services.guilds.allow_menu(interaction.guild_id, interaction.user.id, source.author_id)
        text = fields.get("text", "")
        if not text.strip():
            raise InputError("There is nothing to rewrite: the text is empty.")
        values = {"text": text, **self._style(fields.get("style"), fields.get("sample"))}
        request = self._services.templates.get(TEMPLATE).fill(values)
        models = self._services.chat_models.all
        request = request.with_model(models[places[0]].name if places and places[0] < len(models) else None)
        await self._services.answers.respond(interaction, request, private=bool(private), source=source)

    def _modal(
        self,
        text: str,
        style: str,
        sample: str,
        *,
        private: bool,
        source: SourceMessage | None = None,
        model: int | None = None,
    ) -> PersistentModal:
        """A modal for several lines, a style, and a sample. `model` is the place of the chosen model in the list."""
        about = f"{source.message_id}:{source.author_id}" if source else "0:0"
        about += "" if model is None else f":{model}"
        modal = PersistentModal(MODAL, f"{private:d}:{about}", title=_("Rewrite a text"))
        modal.add_text("text", _("Text"), max_length=MAX_FIELD_LENGTH, default=text)
        styles = list(self._services.templates.styles.items())[:MAX_CHOICES]
        if styles and (not style or style.casefold() in dict(styles)):
            options = [
                discord.SelectOption(
                    label=name,
                    value=name,
                    description=_(each.about)[:MAX_CHOICE_LENGTH],
                    default=name == style.casefold(),
                )
                for name, each in styles
            ]
            modal.add_choice("style", _("Style"), options, none=_("My own: as in the sample below"))
        else:  # A style of the person's own, or none to choose from.
            modal.add_text("style", _("Style"), max_length=100, multiline=False, required=False, default=style)
        return modal.add_text(
            "sample",
            _("Sample in that style"),
            max_length=MAX_FIELD_LENGTH,
            required=False,
            description=_("Only for a style of your own: a text that sounds the way it should"),
            default=sample,
        )

    def _style(self, style: str | None, sample: str | None) -> dict[str, str]:
        """The style's name and a sample of it; raises `InputError` where no sample is known."""
        wanted, sample = (style or "").strip(), (sample or "").strip()
        if sample:
            return {"style": wanted or OWN_PROMPT, "sample": sample}
        styles = self._services.templates.styles
        known = styles.get(wanted.casefold()) if wanted else None
        if known is not None:
            return {"style": f"{wanted.casefold()}, {known.about}", "sample": known.sample}
        # Translators: in place of the names in "In which style? Choose one (…)" and in "… or choose from: …".
        names = ", ".join(styles) or _("none at the moment")
        if not wanted:
            raise InputError("In which style? Choose one ({names}), or give a sample of your own.", names=names)
        raise InputError(
            "I have no sample of the style “{style}”. Give one in `sample`, or choose from: {names}.",
            style=wanted,
            names=names,
        )


async def setup(bot: commands.Bot) -> None:
    """Add the menu, and extend the template's command."""
    cog = Rewrite(services_of(bot))
    await bot.add_cog(cog)
    bot.tree.add_command(cog.menu)
