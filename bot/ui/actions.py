"""Buttons and menus that outlive a restart: which action, and its argument, stand in the custom id.

A cog registers what an action does; this file knows none of them. discord.py keeps nothing in memory for
such items, so ten thousand answers with buttons cost what one does.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

import discord

from bot.core.errors import NotFoundError
from bot.ui.errors import report_error
from bot.ui.inflight import InflightTasks
from bot.ui.locale import set_locale

# A handler gets the interaction, the argument, and what was chosen in a menu (nothing for a button).
Handler = Callable[[discord.Interaction[Any], str, list[str]], Awaitable[None]]
NAME = r"(?P<action>[a-z-]{1,20}):(?P<argument>.{0,70})"


class ActionRegistry:
    """What each action does; one for the process."""

    def __init__(self, inflight: InflightTasks) -> None:
        self._inflight = inflight
        self._handlers: dict[str, Handler] = {}

    def register(self, action: str, handler: Handler) -> None:
        """Let `handler` serve the buttons and menus of `action`."""
        if action in self._handlers:
            raise ValueError(f"the action {action} has a handler already")
        self._handlers[action] = handler

    def unregister(self, action: str) -> None:
        """Serve `action` no longer."""
        self._handlers.pop(action, None)

    async def act(self, interaction: discord.Interaction[Any], action: str, argument: str, chosen: list[str]) -> None:
        """Run the handler; what it raises is told to the one who pressed."""
        set_locale(interaction)
        try:
            handler = self._handlers.get(action)
            if handler is None:
                raise NotFoundError("This button is from an older version of me and does nothing any more.")
            with self._inflight.track(interaction):
                await handler(interaction, argument, chosen)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it, and the person would wait for ever
            await report_error(interaction, error)


class HasActions(Protocol):
    """The client, as far as a button knows it."""

    actions: ActionRegistry


class ActionButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=re.compile(f"do:{NAME}", re.DOTALL)):
    """A button for `action` with `argument` (70 characters at most)."""

    def __init__(
        self,
        action: str,
        argument: str = "",
        *,
        label: str | None = None,
        emoji: str | discord.PartialEmoji | discord.Emoji | None = None,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        disabled: bool = False,
    ) -> None:
        self.action, self.argument = action, argument
        super().__init__(
            discord.ui.Button(
                label=label, emoji=emoji, style=style, disabled=disabled, custom_id=f"do:{action}:{argument}"
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> "ActionButton":
        """The button again, from a message of any age."""
        button = cast("discord.ui.Button[Any]", item)
        return cls(match["action"], match["argument"], label=button.label, emoji=button.emoji, style=button.style)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run what the action's cog has registered."""
        await cast(HasActions, interaction.client).actions.act(interaction, self.action, self.argument, [])


class ActionSelect(discord.ui.DynamicItem[discord.ui.Select[Any]], template=re.compile(f"pick:{NAME}", re.DOTALL)):
    """A menu for `action`: one of `options` (25 at most)."""

    def __init__(self, action: str, argument: str, options: list[discord.SelectOption], placeholder: str = "") -> None:
        self.action, self.argument = action, argument
        super().__init__(
            discord.ui.Select(
                custom_id=f"pick:{action}:{argument}", options=options[:25], placeholder=placeholder or None
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> "ActionSelect":
        """The menu again, from a message of any age."""
        menu = cast("discord.ui.Select[Any]", item)
        return cls(match["action"], match["argument"], menu.options, menu.placeholder or "")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run what the action's cog has registered."""
        chosen = list(self.item.values)
        await cast(HasActions, interaction.client).actions.act(interaction, self.action, self.argument, chosen)
