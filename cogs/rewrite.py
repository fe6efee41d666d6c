"""`/rewrite` and the message menu Rewrite…: a text in another style, which one sample shows."""

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.caller import SourceMessage
from bot.core.errors import InputError
from bot.core.i18n import _
from bot.services import Services, services_of
from bot.ui.caller import source_message_of
from bot.ui.uploads import read_text
from bot.ui.views import Modal

LONGEST, LONGEST_SAMPLE = 6_000, 4_000
# Bytes of an uploaded text: 6,000 characters of four bytes, with some room.
LARGEST = 25_000
CHOICES = 25
# What the model is told of a style that has no name.
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

    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.command(name="rewrite", description="Rewrite a text in another style")
    @app_commands.describe(
        text="What to rewrite; without it (and without a file) you get a window for several lines",
        style="The style to write in",
        sample="A text of your own choosing in the wanted style",
        file="A text file to rewrite",
        private="Show the result to you alone, or to all; without it as the server has it",
    )
    async def rewrite(
        self,
        interaction: discord.Interaction[Any],
        text: app_commands.Range[str, 1, LONGEST] | None = None,
        style: app_commands.Range[str, 1, 100] | None = None,
        sample: app_commands.Range[str, 1, LONGEST_SAMPLE] | None = None,
        file: discord.Attachment | None = None,
        private: bool | None = None,
    ) -> None:
        """Rewrite `text`, or what stands in `file`."""
        hidden = self._services.guilds.private(interaction.guild_id, "rewrite", private)
        if text is None and file is None:
            await interaction.response.send_modal(RewriteModal(self, "", style or "", sample or "", private=hidden))
            return
        name, shown = self.style_of(style, sample)
        if text is None and file is not None:
            await interaction.response.defer(ephemeral=hidden, thinking=True)
            text = await read_text(file, most=LARGEST)
            if len(text) > LONGEST:
                raise InputError(
                    "The file holds {n:,} characters; up to {most:,} can be rewritten.", n=len(text), most=LONGEST
                )
        await self.give(interaction, text or "", name, shown, private=hidden)

    @rewrite.autocomplete("style")
    async def styles(self, _interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """The styles that have a sample."""
        typed = typed.strip().casefold()
        return [
            app_commands.Choice(name=f"{name} – {_(style.about)}"[:100], value=name)
            for name, style in self._services.templates.styles.items()
            if typed in name or typed in _(style.about).casefold()
        ][:CHOICES]

    async def message(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """The message menu: asks for the style in a window."""
        if not message.content.strip():
            raise InputError("This message holds no text to rewrite.")
        self._services.guilds.allow_menu(interaction.guild_id, interaction.user.id, message.author.id)
        text = message.content[:LONGEST_SAMPLE]
        modal = RewriteModal(self, text, "", "", private=True, quoted=source_message_of(message))
        await interaction.response.send_modal(modal)

    def style_of(self, style: str | None, sample: str | None) -> tuple[str, str]:
        """The style's name and a sample of it; raises `InputError` where no sample is known."""
        wanted, sample = (style or "").strip(), (sample or "").strip()
        if sample:
            return wanted or OWN_PROMPT, sample
        styles = self._services.templates.styles
        known = styles.get(wanted.casefold()) if wanted else None
        if known is not None:
            return f"{wanted.casefold()}, {known.about}", known.sample
        # Translators: in place of the names in "In which style? Choose one (…)" and in "… or choose from: …".
        names = ", ".join(styles) or _("none at the moment")
        if not wanted:
            raise InputError("In which style? Choose one ({names}), or give a sample of your own.", names=names)
        raise InputError(
            "I have no sample of the style “{style}”. Give one in `sample`, or choose from: {names}.",
            style=wanted,
            names=names,
        )

    async def give(
        self,
        interaction: discord.Interaction[Any],
        text: str,
        style: str,
        sample: str,
        *,
        private: bool,
        quoted: SourceMessage | None = None,
    ) -> None:
        """Answer with the rewritten text."""
        if not text.strip():
            raise InputError("There is nothing to rewrite: the text is empty.")
        values = {"text": text, "style": style, "sample": sample}
        template = self._services.templates.get("rewrite")
        await self._services.answers.give(interaction, template.fill(values), private=private, source=quoted)


class RewriteModal(Modal):
    """A window for several lines, a style, and a sample."""

    def __init__(
        self, cog: Rewrite, text: str, style: str, sample: str, *, private: bool, quoted: SourceMessage | None = None
    ) -> None:
        super().__init__(title=_("Rewrite a text"))
        self._cog, self._private, self._quoted = cog, private, quoted
        self.text: discord.ui.TextInput[Any] = discord.ui.TextInput(
            label=_("Text"), style=discord.TextStyle.long, max_length=LONGEST_SAMPLE, default=text or None
        )
        self.style: discord.ui.TextInput[Any] = discord.ui.TextInput(
            label=_("Style"),
            required=False,
            max_length=100,
            placeholder=_("noir, pirate, haiku, … or one of your own"),
            default=style or None,
        )
        self.sample: discord.ui.TextInput[Any] = discord.ui.TextInput(
            label=_("Sample in that style"),
            style=discord.TextStyle.long,
            required=False,
            max_length=LONGEST_SAMPLE,
            placeholder=_("Only for a style of your own: a text that sounds the way it should"),
            default=sample or None,
        )
        for item in (self.text, self.style, self.sample):
            self.add_item(item)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Rewrite what was typed."""
        style, sample = self._cog.style_of(self.style.value, self.sample.value)
        await self._cog.give(interaction, self.text.value, style, sample, private=self._private, quoted=self._quoted)


async def setup(bot: commands.Bot) -> None:
    """Add the command and the menu."""
    cog = Rewrite(services_of(bot))
    await bot.add_cog(cog)
    bot.tree.add_command(cog.menu)
