"""The windows in which people type instructions, examples and corrections."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.server.trick import Example
from bot.server.tricks import LONGEST_EXAMPLE, LONGEST_INSTRUCTION, LONGEST_NAME, Tricks
from bot.ui.safe import Modal
from cogs._access import managed_guild
from cogs.trick.cards import trick_card


def _lines(name: str, label: str, longest: int, placeholder: str, default: str = "") -> discord.ui.TextInput[Any]:
    return discord.ui.TextInput(
        custom_id=name,
        label=label,
        style=discord.TextStyle.long,
        max_length=longest,
        placeholder=placeholder or None,
        default=default or None,
    )


class TeachModal(Modal, title="Teach me a trick"):
    """What it should do, and one example."""

    def __init__(self, tricks: Tricks, name: str) -> None:
        super().__init__()
        self._tricks, self._name = tricks, name
        self.instruction = _lines(
            "instruction", "What should it do?", LONGEST_INSTRUCTION, "Turn what I say into a polite refusal."
        )
        self.given = _lines("given", "An example: what comes in", LONGEST_EXAMPLE, "Can you work on Sunday?")
        self.wanted = _lines(
            "wanted", "And the answer to it", LONGEST_EXAMPLE, "How kind of you to think of me! Sadly, …"
        )
        for item in (self.instruction, self.given, self.wanted):
            self.add_item(item)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Keep the trick and show it."""
        guild = managed_guild(interaction)
        example = Example(self.given.value, self.wanted.value)
        trick = await self._tricks.teach(guild, interaction.user.id, self._name, self.instruction.value, example)
        await interaction.response.send_message(view=trick_card(trick, "This server has a new trick"), ephemeral=True)


class ExampleModal(Modal, title="Another example"):
    """An input and its answer."""

    def __init__(self, tricks: Tricks, name: str) -> None:
        super().__init__()
        self._tricks, self._name = tricks, name
        self.given = _lines("given", "What comes in", LONGEST_EXAMPLE, "")
        self.wanted = _lines("wanted", "The answer to it", LONGEST_EXAMPLE, "")
        for item in (self.given, self.wanted):
            self.add_item(item)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Add the example and show the trick."""
        guild = managed_guild(interaction)
        trick = await self._tricks.add_example(
            guild, interaction.user.id, self._name, self.given.value, self.wanted.value
        )
        await interaction.response.send_message(view=trick_card(trick, "One example more"), ephemeral=True)


class CorrectModal(Modal, title="Not like that…"):
    """An input, and the answer that it should get."""

    def __init__(
        self,
        given: str,
        wanted: str,
        submit: Callable[[discord.Interaction[Any], str, str], Awaitable[None]],
    ) -> None:
        super().__init__()
        self._submit = submit
        self.given = _lines("given", "What came in", LONGEST_EXAMPLE, "", given)
        self.wanted = _lines("wanted", "What the answer should be", LONGEST_EXAMPLE, "", wanted)
        for item in (self.given, self.wanted):
            self.add_item(item)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Run again with the correction."""
        await self._submit(interaction, self.given.value, self.wanted.value)


class NameModal(Modal, title="A new trick"):
    """What to call the trick that a suggestion becomes."""

    def __init__(self, name: str, submit: Callable[[discord.Interaction[Any], str], Awaitable[None]]) -> None:
        super().__init__()
        self._submit = submit
        self.name: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id="name", label="What to call it", max_length=LONGEST_NAME, default=name[:LONGEST_NAME]
        )
        self.add_item(self.name)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Keep it under that name."""
        await self._submit(interaction, self.name.value)
