"""`/trick`: what a server teaches me by example: used, taught, shown, tested, taken along and brought in."""

import json
import re
from dataclasses import replace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.rendering import page_of
from bot.core.errors import InputError, NotAllowedError
from bot.core.i18n import _, ngettext
from bot.llm.completion import Answer
from bot.server.evaluation import Taught
from bot.server.trick import SHOWN, Trick
from bot.services import Services, services_of
from bot.ui.reply import Page, to_files
from bot.ui.uploads import read_text
from cogs._access import managed_guild
from cogs._curve import show_curve
from cogs.trick.cards import list_card, new_trick_card, trick_card
from cogs.trick.correcting import Correcting
from cogs.trick.modals import ExampleModal, TeachModal
from cogs.trick.reviewing import Reviewing

LONGEST = 6_000
CHOICES = 25
# Bytes of a trick's file: 20 examples of 2,000 characters on both sides take 80,000, and may be written in any script.
LARGEST = 400_000
# Examples that a test needs at the least: it asks for each and shows the others.
LEAST = 2


@app_commands.guild_only()
class TrickCog(commands.GroupCog, name="trick", description="Tricks that this server teaches me by example"):
    """In-context learning only: none of it ever becomes training data."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tricks = services.tricks
        self._parts = (Correcting(services), Reviewing(services))
        super().__init__()

    async def cog_load(self) -> None:
        """Serve the buttons of corrections and suggestions."""
        for part in self._parts:
            for action, handler in part.handlers.items():
                self._services.actions.register(action, handler)

    async def cog_unload(self) -> None:
        """Serve them no longer."""
        for part in self._parts:
            for action in part.handlers:
                self._services.actions.unregister(action)

    @app_commands.command(description="Use one of this server's tricks")
    @app_commands.describe(name="The trick", text="What to use it on")
    async def use(
        self, interaction: discord.Interaction[Any], name: str, text: app_commands.Range[str, 1, LONGEST]
    ) -> None:
        """Answer `text` with the trick's instruction and its examples, or the nearest of them."""
        guild = _guild(interaction)
        if not text.strip():
            raise InputError("There is nothing to use the trick on: the text is empty.")
        private = self._services.guilds.private(guild, "trick")
        await interaction.response.defer(ephemeral=private, thinking=True)
        trick = await self._tricks.get(guild, name)

        def render(answer: Answer) -> Page:
            return replace(page_of(answer), footer=_note(trick))

        request = trick.for_text(text).fill({trick.input: text})
        await self._services.answers.give(interaction, request, private=private, render=render)

    @app_commands.command(description="Teach me a trick: say what it should do, and show one example")
    @app_commands.describe(name="What to call it")
    async def teach(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Open the window for the instruction and the first example."""
        managed_guild(interaction)
        await interaction.response.send_modal(TeachModal(self._tricks, self._tricks.name(name)))

    @app_commands.command(description="Show me one more example of a trick")
    @app_commands.describe(name="The trick")
    async def example(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Open the window for another example."""
        trick = await self._tricks.get(managed_guild(interaction), name)
        await interaction.response.send_modal(ExampleModal(self._tricks, trick.name))

    @app_commands.command(description="What a trick consists of")
    @app_commands.describe(name="The trick")
    async def show(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Show the instruction and the examples."""
        guild = _guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        trick = await self._tricks.get(guild, name)
        await interaction.edit_original_response(view=trick_card(trick))

    @app_commands.command(name="list", description="The tricks of this server")
    async def list_(self, interaction: discord.Interaction[Any]) -> None:
        """List the tricks; to managers also what was suggested."""
        guild = _guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        tricks = await self._tricks.all(guild)
        waiting = len(await self._tricks.suggestions(guild)) if interaction.permissions.manage_guild else 0
        await interaction.edit_original_response(view=list_card(tricks, waiting))

    @app_commands.command(description="Run a trick beside itself with fewer examples, on its own examples")
    @app_commands.describe(name="The trick")
    async def test(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Ask for each example, with none, one, three and all of the others shown."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        trick = await self._tricks.get(guild, name)
        course = Taught(trick)
        if len(course.cases) < LEAST:
            raise InputError(
                "A test asks for each example and shows the others: {name} needs {least} at least.",
                name=trick.name,
                least=LEAST,
            )
        # Translators: what so many per cent of the answers are; it comes after their number.
        measures = _("right") if trick.reply == "rating" else _("like the answers wanted")
        await show_curve(self._services, interaction, trick.name, course, measures, private=True)

    @app_commands.command(description="A trick as a file, to keep or to take to another server")
    @app_commands.describe(name="The trick")
    async def export(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Hand out the template as JSON."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        trick = await self._tricks.get(guild, name)
        data = json.dumps(trick.template().to_dict(), ensure_ascii=False, indent=2) + "\n"
        said = ngettext(
            "**{name}** with its example. `/trick import` reads this file, and so does `ChatTemplate.from_file`.",
            "**{name}** with its {n} examples. `/trick import` reads this file, and so does `ChatTemplate.from_file`.",
            len(trick.examples),
            name=trick.name,
        )
        file = (f"{re.sub('[^a-z0-9-]', '', trick.name) or 'trick'}.json", data.encode())
        await interaction.edit_original_response(content=said, attachments=to_files([file]))

    @app_commands.command(name="import", description="Bring in a trick from a file")
    @app_commands.describe(file="A template as JSON, such as /trick export gives")
    async def import_(self, interaction: discord.Interaction[Any], file: discord.Attachment) -> None:
        """Add the trick in `file`, under the file's name."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        text = await read_text(file, most=LARGEST)
        name = file.filename.rpartition(".")[0] or file.filename
        trick = await self._tricks.bring(guild, interaction.user.id, name.replace("_", "-"), text)
        await interaction.edit_original_response(view=new_trick_card(trick))

    @app_commands.command(description="Forget a trick, with all its examples")
    @app_commands.describe(name="The trick")
    async def remove(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Remove the trick."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        trick = await self._tricks.get(guild, name)
        await self._tricks.remove(guild, name)
        said = ngettext(
            "**{name}** and its example are gone.",
            "**{name}** and its {n} examples are gone.",
            len(trick.examples),
            name=trick.name,
        )
        await interaction.edit_original_response(content=said)

    @use.autocomplete("name")
    @example.autocomplete("name")
    @show.autocomplete("name")
    @test.autocomplete("name")
    @export.autocomplete("name")
    @remove.autocomplete("name")
    async def names(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """The server's tricks."""
        names = await self._tricks.names(interaction.guild_id)
        typed = typed.strip().casefold()
        return [app_commands.Choice(name=name, value=name) for name in names if typed in name][:CHOICES]


def _guild(interaction: discord.Interaction[Any]) -> int:
    if interaction.guild_id is None:
        raise NotAllowedError("Tricks belong to servers; use one there.")
    return interaction.guild_id


def _note(trick: Trick) -> str:
    """For the small line under an answer: which trick, and which of its examples."""
    many = len(trick.examples)
    if many <= SHOWN:
        return trick.name
    return _("{name}, the nearest {shown} of its {n} examples", name=trick.name, shown=SHOWN, n=many)


async def setup(bot: commands.Bot) -> None:
    """Add the commands."""
    await bot.add_cog(TrickCog(services_of(bot)))
