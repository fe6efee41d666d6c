"""The windows in which people type instructions, examples and corrections."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.core.i18n import _
from bot.core.text import shorten
from bot.server.trick import Example
from bot.server.tricks import LONGEST_EXAMPLE, LONGEST_INSTRUCTION, LONGEST_NAME, Tricks
from bot.ui.views import MAX_LABEL, MAX_PLACEHOLDER, Modal
from cogs._access import managed_guild
from cogs.trick.cards import new_trick_card, trick_card


def _lines(name: str, label: str, longest: int, placeholder: str, default: str = "") -> discord.ui.TextInput[Any]:
    return discord.ui.TextInput(
        custom_id=name,
        label=shorten(label, MAX_LABEL),
        style=discord.TextStyle.long,
        max_length=longest,
        placeholder=shorten(placeholder, MAX_PLACEHOLDER) or None,
        default=default or None,
    )


class TeachModal(Modal):
    """What it should do, and one example."""

    def __init__(self, tricks: Tricks, name: str) -> None:
        # Translators: a window's title and the labels in it have at most 45 characters.
        super().__init__(title=_("Teach me a trick"))
        self._tricks, self._name = tricks, name
        self.instruction = _lines(
            "instruction", _("What should it do?"), LONGEST_INSTRUCTION, _("Turn what I say into a polite refusal.")
        )
        self.given = _lines("given", _("An example: what comes in"), LONGEST_EXAMPLE, _("Can you work on Sunday?"))
        self.wanted = _lines(
            "wanted", _("And the answer to it"), LONGEST_EXAMPLE, _("How kind of you to think of me! Sadly, …")
        )
        for item in (self.instruction, self.given, self.wanted):
            self.add_item(item)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Keep the trick and show it."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        example = Example(self.given.value, self.wanted.value)
        trick = await self._tricks.teach(guild, interaction.user.id, self._name, self.instruction.value, example)
        await interaction.edit_original_response(view=new_trick_card(trick))


class ExampleModal(Modal):
    """An input and its answer."""

    def __init__(self, tricks: Tricks, name: str) -> None:
        super().__init__(title=_("Another example"))
        self._tricks, self._name = tricks, name
        self.given = _lines("given", _("What comes in"), LONGEST_EXAMPLE, "")
        self.wanted = _lines("wanted", _("The answer to it"), LONGEST_EXAMPLE, "")
        for item in (self.given, self.wanted):
            self.add_item(item)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Add the example and show the trick."""
        guild = managed_guild(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        trick = await self._tricks.add_example(
            guild, interaction.user.id, self._name, self.given.value, self.wanted.value
        )
        title = _("One example more: {name}", name=trick.name)
        await interaction.edit_original_response(view=trick_card(trick, title))


class CorrectModal(Modal):
    """An input, and the answer that it should get."""

    def __init__(
        self,
        given: str,
        wanted: str,
        submit: Callable[[discord.Interaction[Any], str, str], Awaitable[None]],
    ) -> None:
        super().__init__(title=_("Not like that…"))
        self._submit = submit
        self.given = _lines("given", _("What came in"), LONGEST_EXAMPLE, "", given)
        self.wanted = _lines("wanted", _("What the answer should be"), LONGEST_EXAMPLE, "", wanted)
        for item in (self.given, self.wanted):
            self.add_item(item)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Run again with the correction."""
        await self._submit(interaction, self.given.value, self.wanted.value)


class NameModal(Modal):
    """What to call the trick that a suggestion becomes."""

    def __init__(self, name: str, submit: Callable[[discord.Interaction[Any], str], Awaitable[None]]) -> None:
        super().__init__(title=_("A new trick"))
        self._submit = submit
        self.name: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id="name",
            label=shorten(_("What to call it"), MAX_LABEL),
            max_length=LONGEST_NAME,
            default=name[:LONGEST_NAME],
        )
        self.add_item(self.name)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Keep it under that name."""
        await self._submit(interaction, self.name.value)
