"""`/trick test`: the test set of a trick. Tests are added, imported and listed, and answers are kept as tests."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands

from bot.answers.rendering import pair_line
from bot.core.errors import InputError, NotAllowedError, NotFoundError
from bot.core.i18n import _, ngettext
from bot.core.tables import to_csv
from bot.server.prompt_files import FileRow
from bot.server.trick_form import MAX_EXAMPLE_LENGTH, Trick, main_input
from bot.server.trick_tests import (
    MAX_EXPECTED_LENGTH,
    MAX_TESTS,
    MAX_TESTS_BY_OPERATORS,
    TrickTest,
    read_tests,
)
from bot.services import Services
from bot.ui.actions import ActionButton, ActionSelect
from bot.ui.cards import Card, notice
from bot.ui.files import OutgoingFile, to_files
from bot.ui.uploads import read_text
from bot.ui.views import LayoutView, PersistentModal
from cogs._access import is_operator, managed_guild
from cogs._store_first import answer_privately, edit_pressed, store_first
from cogs.trick.cards import name_choices
from cogs.trick.runs import Runs

TEST = "add-test"
TABLE = "tests.csv"
# Bytes of a file of tests: 500 of 2,000 characters on both sides, most of them ASCII.
MAX_FILE_BYTES = 2_000_000
# Tests on the card; the file has all.
MAX_SHOWN = 20


def list_card(trick: Trick, tests: Sequence[TrickTest]) -> LayoutView:
    """The newest tests, a menu to remove one, and buttons to run them and to add one."""
    card = Card(ngettext("{name}: {n} test", "{name}: {n} tests", len(tests), name=trick.name))
    newest = list(enumerate(tests, 1))[-MAX_SHOWN:]
    card.text("\n".join(f"{number}. {pair_line(test.input, test.expected)}" for number, test in newest))
    if tests:
        card.file(TABLE)
        options = [
            discord.SelectOption(label=f"{number}. {test.input}"[:100], value=test.id) for number, test in newest
        ]
        card.row(ActionSelect("test-drop", trick.name, options, _("Remove a test")))
    else:
        card.text(_("None yet. Until there is one, a run asks for each example and shows the others."))
    run = ActionButton("test-open", trick.name, label=_("Run"), emoji="▶️", style=discord.ButtonStyle.primary)
    return card.row(run, ActionButton("test-add", trick.name, label=_("Add a test"), emoji="➕")).layout()


def table(tests: Sequence[TrickTest]) -> OutgoingFile:
    """All tests as CSV."""
    return TABLE, to_csv(["input", "expected"], [(test.input, test.expected) for test in tests])


def modal_for_test(name: str, text: str = "", expected: str = "") -> PersistentModal:
    """The window for a test."""
    modal = PersistentModal(TEST, name, title=_("A test"))
    modal.add_text("input", _("What comes in"), max_length=MAX_EXAMPLE_LENGTH, default=text)
    return modal.add_text("expected", _("The answer that is right"), max_length=MAX_EXPECTED_LENGTH, default=expected)


class TestSets:
    """The handlers of the window, of the list's buttons and menu, and of **Keep as a test**."""

    def __init__(self, services: Services) -> None:
        self._services, self._tests = services, services.trick_tests
        services.actions.register("test-add", self.open)
        services.actions.register_select("test-drop", self.drop)
        services.actions.register("keep-test", self.keep)
        services.actions.register_modal(TEST, self.add)

    def limit(self, interaction: discord.Interaction[Any]) -> int:
        """The number of tests that the person may add to a trick."""
        return MAX_TESTS_BY_OPERATORS if is_operator(interaction, self._services.settings) else MAX_TESTS

    async def open(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Open the window for a test."""
        managed_guild(interaction)
        await interaction.response.send_modal(modal_for_test(name))

    async def add(self, interaction: discord.Interaction[Any], name: str, typed: Mapping[str, str]) -> None:
        """Store the test."""
        guild, text, expected = managed_guild(interaction), typed.get("input", ""), typed.get("expected", "")
        adding = self._tests.add(guild, interaction.user.id, name, text, expected, limit=self.limit(interaction))
        count = await store_first(interaction, adding)
        sentence = ngettext("**{name}** has {n} test now.", "**{name}** has {n} tests now.", count, name=name)
        await answer_privately(interaction, content=sentence)

    async def import_rows(
        self, interaction: discord.Interaction[Any], guild: int, name: str, found: Sequence[FileRow]
    ) -> list[str]:
        """Add the rows of a file; returns how many were added, and what is wrong with the others."""
        user, limit = interaction.user.id, self.limit(interaction)
        count, problems = await self._tests.import_rows(guild, user, name, found, limit=limit)
        return [ngettext("{n} test was added.", "{n} tests were added.", count), *problems]

    async def drop(self, interaction: discord.Interaction[Any], name: str, chosen: list[str]) -> None:
        """Remove the chosen test."""
        guild = managed_guild(interaction)
        await store_first(interaction, self._tests.remove(guild, chosen[0]))
        trick, tests = await self._tests.all(guild, name)
        removed = ngettext(
            "Removed. {name} has {n} test.", "Removed. {name} has {n} tests.", len(tests), name=trick.name
        )
        await edit_pressed(interaction, notice(_("The tests of a trick"), [removed]))

    async def keep(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Open the window with the input and the answer of a prompt, which a manager may correct."""
        guild = managed_guild(interaction)
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None or prompt.template is None:
            raise NotFoundError("The prompt of this answer is no longer stored.")
        if prompt.caller.guild_id != guild:
            raise NotAllowedError("This answer belongs to another server.")
        text = prompt.values[main_input(prompt.template, prompt.values)]
        if len(text) > MAX_EXAMPLE_LENGTH:
            raise InputError("A window has room for {n:,} characters; this input has more.", n=MAX_EXAMPLE_LENGTH)
        await interaction.response.send_modal(modal_for_test(prompt.template.name, text, prompt.text))


class TestGroup(app_commands.Group, name="test", description="Test a trick on inputs with known answers"):
    """The commands below `/trick test`."""

    def __init__(self, services: Services, sets: TestSets, runs: Runs) -> None:
        self._services, self._tests, self._sets, self._runs = services, services.trick_tests, sets, runs
        super().__init__()

    @app_commands.command(description="Add a test: an input and the answer that is right")
    @app_commands.describe(name="The trick")
    @app_commands.autocomplete(name=name_choices)
    async def add(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Open the window for a test."""
        trick = await self._services.tricks.get(managed_guild(interaction), name)
        await interaction.response.send_modal(modal_for_test(trick.name))

    @app_commands.command(name="import", description="Add the tests in a file")
    @app_commands.describe(name="The trick", file="A .csv or .jsonl with “input” and “expected”")
    @app_commands.autocomplete(name=name_choices)
    async def import_(self, interaction: discord.Interaction[Any], name: str, file: discord.Attachment) -> None:
        """Add the rows that are tests, and say what is wrong with the others."""
        guild = managed_guild(interaction)

        async def store() -> list[str]:
            text = await read_text(file, max_bytes=MAX_FILE_BYTES)
            found = await asyncio.to_thread(read_tests, text, file.filename)
            return await self._sets.import_rows(interaction, guild, name, found)

        lines = await store_first(interaction, store())
        await answer_privately(interaction, view=notice(_("Tests of {name}", name=name), ["\n".join(lines)]))

    @app_commands.command(name="list", description="The tests of a trick")
    @app_commands.describe(name="The trick")
    @app_commands.autocomplete(name=name_choices)
    async def list_(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Show the newest tests, and all as a file."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        trick, tests = await self._tests.all(guild, name)
        files = to_files([table(tests)]) if tests else []
        await interaction.edit_original_response(view=list_card(trick, tests), attachments=files)

    @app_commands.command(description="Run the tests of a trick: with no, one, three and all examples")
    @app_commands.describe(name="The trick")
    @app_commands.autocomplete(name=name_choices)
    async def run(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Show what a run takes, and a button to start it."""
        await self._runs.open(interaction, name)
