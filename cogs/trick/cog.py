"""The commands of `/trick`, apart from `/trick test`, and their windows."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.model_option import MODEL_ABOUT, ModelOption
from bot.core.errors import InputError
from bot.core.i18n import _, ngettext
from bot.core.settings import DEFAULT_OPENAI_MODEL, LOCAL_SUFFIX, STAND_IN
from bot.core.text import escape_markdown, shorten
from bot.server.judging import judge_of
from bot.server.prompt_files import to_promptfoo
from bot.server.trick_form import MAX_EXAMPLE_LENGTH, MAX_INSTRUCTION_LENGTH, Example, Trick
from bot.server.tricks import MAX_NAME_LENGTH, MAX_NOTE_LENGTH
from bot.services import Services
from bot.ui.caller import caller_of
from bot.ui.files import to_files
from bot.ui.uploads import read_text
from bot.ui.views import PersistentModal
from cogs._access import managed_guild
from cogs._store_first import answer_privately, store_first
from cogs.trick.cards import list_card, name_choices, new_trick_card, trick_card
from cogs.trick.corrections import Corrections, Reviews
from cogs.trick.effects import Effects
from cogs.trick.history import History, history_card
from cogs.trick.runs import Runs
from cogs.trick.tests import TestGroup, TestSets
from cogs.trick.using import guild_of, use_trick
from cogs.trick.watch import Watch

TEACH, EXAMPLE = "teach-trick", "add-example"
# The formats of an exported trick.
FEWSHOT, PROMPTFOO = "fewshot", "promptfoo"
MAX_LENGTH = 6_000
# Names on the card of what an imported file has and a trick cannot have.
MAX_LEFT_OUT = 12
# Bytes of a trick's file: 20 examples of 2,000 characters on both sides are 80,000 characters, of up to 4 bytes each.
MAX_FILE_BYTES = 400_000


def teach_modal(name: str) -> PersistentModal:
    """The window for the instruction and the first example of a new trick."""
    # Translators: a window's title and the labels in it have at most 45 characters.
    modal = PersistentModal(TEACH, name, title=_("Teach me a trick"))
    hint = _("Turn what I say into a polite refusal.")
    modal.add_text("instruction", _("What should it do?"), max_length=MAX_INSTRUCTION_LENGTH, placeholder=hint)
    hint = _("Can you work on Sunday?")
    modal.add_text("given", _("An example: what comes in"), max_length=MAX_EXAMPLE_LENGTH, placeholder=hint)
    hint = _("How kind of you to think of me! Sadly, …")
    return modal.add_text("wanted", _("And the answer to it"), max_length=MAX_EXAMPLE_LENGTH, placeholder=hint)


def example_modal(name: str) -> PersistentModal:
    """The window for another example of a trick."""
    modal = PersistentModal(EXAMPLE, name, title=_("Another example"))
    modal.add_text("given", _("What comes in"), max_length=MAX_EXAMPLE_LENGTH)
    modal.add_text("wanted", _("The answer to it"), max_length=MAX_EXAMPLE_LENGTH)
    return modal.add_text("note", _("Why (optional)"), max_length=MAX_NOTE_LENGTH, multiline=False, required=False)


def _file_stem(trick: Trick) -> str:
    return re.sub("[^a-z0-9-]", "", trick.name) or "trick"


@app_commands.guild_only()
class TrickCog(commands.GroupCog, name="trick", description="Tricks that this server teaches me by example"):
    """In-context learning only: tricks never become training data."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._services = services
        self._tricks = services.tricks
        self._runs, self._tests = Runs(bot, services), TestSets(services)
        self._watch = Watch(bot, services)
        for part in (Corrections, Reviews, History, Effects):
            part(services)  # registers its buttons
        services.actions.register_modal(TEACH, self.taught)
        services.actions.register_modal(EXAMPLE, self.example_given)
        super().__init__()
        assert self.app_command is not None, "a cog of commands in a group has the group"
        self.app_command.add_command(TestGroup(services, self._tests, self._runs))

    async def cog_load(self) -> None:
        """Let interrupted test runs go on, and start the model watch."""
        self._runs.begin()
        self._watch.begin()

    async def cog_unload(self) -> None:
        """Stop the model watch, and interrupt the test runs."""
        await self._watch.end()
        await self._runs.end()

    @app_commands.command(description="Use one of this server's tricks")
    @app_commands.describe(
        name="The trick",
        text="What to use it on",
        file="A picture, a PDF or a text to use it on",
        model=MODEL_ABOUT,
    )
    @app_commands.autocomplete(name=name_choices)
    async def use(
        self,
        interaction: discord.Interaction[Any],
        name: str,
        text: app_commands.Range[str, 1, MAX_LENGTH] = "",
        file: discord.Attachment | None = None,
        model: ModelOption | None = None,
    ) -> None:
        """Answer `text` with the trick's instruction and its examples, or those most similar to `text`."""
        guild = guild_of(interaction)
        if not text.strip() and file is None:
            raise InputError("There is nothing to use the trick on: give a text or a file.")
        private = self._services.guilds.private(guild, "trick")
        files = [file] if file is not None else []
        await use_trick(self._services, interaction, guild, name, text, files, private=private, model=model)

    @app_commands.command(description="Teach me a trick: say what it should do, and show one example")
    @app_commands.describe(name="What to call it")
    async def teach(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Open the window for the instruction and the first example."""
        managed_guild(interaction)
        await interaction.response.send_modal(teach_modal(self._tricks.name(name)))

    async def taught(self, interaction: discord.Interaction[Any], name: str, typed: Mapping[str, str]) -> None:
        """Store the new trick and show it."""
        guild = managed_guild(interaction)
        example = Example(typed.get("given", ""), typed.get("wanted", ""))
        instruction = typed.get("instruction", "")
        adding = self._tricks.teach(guild, interaction.user.id, name, instruction, example)
        trick = await store_first(interaction, adding)
        await answer_privately(interaction, view=new_trick_card(trick))

    @app_commands.command(description="Show me one more example of a trick")
    @app_commands.describe(name="The trick")
    @app_commands.autocomplete(name=name_choices)
    async def example(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Open the window for another example."""
        trick = await self._tricks.get(managed_guild(interaction), name)
        await interaction.response.send_modal(example_modal(trick.name))

    async def example_given(self, interaction: discord.Interaction[Any], name: str, typed: Mapping[str, str]) -> None:
        """Store the example and show the trick."""
        guild = managed_guild(interaction)
        given, wanted = typed.get("given", ""), typed.get("wanted", "")
        note = typed.get("note", "").strip()
        adding = self._tricks.add_example(guild, interaction.user.id, name, given, wanted, note=note)
        trick = await store_first(interaction, adding)
        await answer_privately(interaction, view=trick_card(trick, _("One example more: {name}", name=trick.name)))

    @app_commands.command(description="What a trick consists of")
    @app_commands.describe(name="The trick")
    @app_commands.autocomplete(name=name_choices)
    async def show(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Show the instruction and the examples."""
        guild = guild_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        trick = await self._tricks.get(guild, name)
        await interaction.edit_original_response(view=trick_card(trick))

    @app_commands.command(description="The versions of a trick: what changed, and a way back")
    @app_commands.describe(name="The trick")
    @app_commands.autocomplete(name=name_choices)
    async def history(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Show what each version changed, with a menu to look at one and to bring it back."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(view=history_card(*await self._tricks.history(guild, name)))

    @app_commands.command(name="list", description="The tricks of this server")
    async def list_(self, interaction: discord.Interaction[Any]) -> None:
        """List the tricks; managers also see the number of suggestions."""
        guild = guild_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        tricks = await self._tricks.all(guild)
        waiting = len(await self._tricks.suggestions(guild)) if interaction.permissions.manage_guild else 0
        await interaction.edit_original_response(view=list_card(tricks, waiting))

    @app_commands.command(description="A trick as a file, to keep or to take to another server")
    @app_commands.describe(name="The trick", format="Which program reads the file; promptfoo's has the tests as well")
    @app_commands.choices(
        format=[
            app_commands.Choice(name="Fewshot", value=FEWSHOT),
            app_commands.Choice(name="promptfoo, with the tests", value=PROMPTFOO),
        ]
    )
    @app_commands.autocomplete(name=name_choices)
    async def export(self, interaction: discord.Interaction[Any], name: str, format: str = FEWSHOT) -> None:
        """Hand out the template as JSON, or with its tests as a promptfoo configuration."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        if format == PROMPTFOO:
            await self._export_for_promptfoo(interaction, guild, name)
            return
        trick = await self._tricks.get(guild, name)
        data = json.dumps(trick.template().to_dict(), ensure_ascii=False, indent=2) + "\n"
        sentence = ngettext(
            "**{name}** with its example. `/trick import` reads this file, and so does `ChatTemplate.from_file`.",
            "**{name}** with its {n} examples. `/trick import` reads this file, and so does `ChatTemplate.from_file`.",
            len(trick.examples),
            name=trick.name,
        )
        file = (f"{_file_stem(trick)}.json", data.encode())
        await interaction.edit_original_response(content=sentence, attachments=to_files([file]))

    async def _export_for_promptfoo(self, interaction: discord.Interaction[Any], guild: int, name: str) -> None:
        trick, tests = await self._services.trick_tests.all(guild, name)
        model = self._services.chat_models.default(caller_of(interaction)).name.removesuffix(LOCAL_SUFFIX)
        model = DEFAULT_OPENAI_MODEL if model == STAND_IN else model
        rows = [(test.input, test.expected) for test in tests]
        text = await asyncio.to_thread(to_promptfoo, trick, rows, judge_of(trick), model)
        sentence = ngettext(
            "**{name}** with its {n} test: `npx promptfoo eval -c {file}` runs it, and `/trick import` reads it.",
            "**{name}** with its {n} tests: `npx promptfoo eval -c {file}` runs them, and `/trick import` reads it.",
            len(tests),
            name=trick.name,
            file=(file := f"{_file_stem(trick)}.yaml"),
        )
        await interaction.edit_original_response(content=sentence, attachments=to_files([(file, text.encode())]))

    @app_commands.command(name="import", description="Import a trick from a file")
    @app_commands.describe(file="A file of /trick export, an OpenAI prompt object, or a promptfoo file")
    async def import_(self, interaction: discord.Interaction[Any], file: discord.Attachment) -> None:
        """Add the trick in `file`, under the file's name, or make it the next version of the trick of that name."""
        guild = managed_guild(interaction)
        name = file.filename.rpartition(".")[0] or file.filename

        async def store() -> tuple[Trick, list[str]]:
            text = await read_text(file, max_bytes=MAX_FILE_BYTES)
            user = interaction.user.id
            trick, found = await self._tricks.import_file(guild, user, name.replace("_", "-"), text)
            notes = []
            if found.left_out:
                left_out = ", ".join(escape_markdown(shorten(each, 60)) for each in found.left_out[:MAX_LEFT_OUT])
                notes.append(_("⚠️ Left out, because a trick has no such part: {left_out}", left_out=left_out))
            if found.tests:
                notes += await self._tests.import_rows(interaction, guild, trick.name, found.tests)
            return trick, notes

        trick, notes = await store_first(interaction, store())
        title = _("This server has a new trick: {name}", name=trick.name)
        if trick.version > 1:
            title = _("{name} is now version {n}, from the file", name=trick.name, n=trick.version)
        await answer_privately(interaction, view=trick_card(trick, title, notes=notes))

    @app_commands.command(description="Delete a trick with all its examples")
    @app_commands.describe(name="The trick")
    @app_commands.autocomplete(name=name_choices)
    async def remove(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Remove the trick."""
        examples = await store_first(interaction, self._tricks.remove(managed_guild(interaction), name))
        sentence = ngettext(
            "**{name}** and its example were deleted.",
            "**{name}** and its {n} examples were deleted.",
            examples,
            name=escape_markdown(shorten(name, MAX_NAME_LENGTH)),
        )
        await answer_privately(interaction, content=sentence)
