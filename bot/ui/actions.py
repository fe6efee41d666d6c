"""Buttons, selects and modals that survive a restart: the custom id holds the action and its argument.

A cog registers a handler for each action. discord.py keeps nothing in memory for these items.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import discord

from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import N_, _
from bot.core.metrics import Metrics
from bot.ui.errors import report_error, with_typed
from bot.ui.handling import begin
from bot.ui.inflight import InflightTasks
from bot.ui.locale import set_locale
from bot.ui.views import MAX_CHOICES, MODAL_PREFIX, NO_CHOICE

# Called with the interaction and the argument.
ButtonHandler = Callable[[discord.Interaction[Any], str], Awaitable[None]]
# Called with the interaction, the argument, and the chosen values, at least one.
SelectHandler = Callable[[discord.Interaction[Any], str, list[str]], Awaitable[None]]
# Called with the interaction, the argument, and the texts of the fields by name.
ModalHandler = Callable[[discord.Interaction[Any], str, Mapping[str, str]], Awaitable[None]]

NAME = r"(?P<action>[a-z-]{1,20}):(?P<argument>.{0,70})"
# Regular expressions for arguments and values. An id fits into 64 bits with a sign.
ANYTHING, ID = r"(?s:.*)", r"(?:[0-9]{1,18}|[1-8][0-9]{18})"
_BUTTON, _SELECT, _MODAL = (re.compile(f"{prefix}:{NAME}", re.DOTALL) for prefix in ("do", "pick", MODAL_PREFIX))
OUTDATED = N_("This button is from an older version of me and does nothing any more.")
# Stands in the metrics for actions without a handler: a custom id can be forged.
UNKNOWN = "unknown"
# The kinds of handlers.
BUTTON, SELECT, MODAL = "button", "select", "modal"
# The types of a select of texts and of a radio group among Discord's components.
STRING_SELECT, RADIO_GROUP = discord.ComponentType.select.value, discord.ComponentType.radio_group.value


@dataclass(frozen=True, slots=True)
class _Handler:
    """A handler, and the patterns of its argument and of a select's values."""

    call: Callable[..., Awaitable[None]]
    argument: re.Pattern[str]
    value: re.Pattern[str]


class ActionRegistry:
    """The handlers of all actions. One for the process."""

    def __init__(self, inflight: InflightTasks, metrics: Metrics) -> None:
        self._inflight, self._metrics = inflight, metrics
        # By kind and action.
        self._handlers: dict[tuple[str, str], _Handler] = {}

    @property
    def names(self) -> frozenset[tuple[str, str]]:
        """The kind (`button`, `select` or `modal`) and the action of each handler."""
        return frozenset(self._handlers)

    def register(self, action: str, handler: ButtonHandler, *, argument: str = ANYTHING) -> None:
        """Call `handler` for the buttons of `action`.

        `argument` is a regular expression. A custom id that does not match it (Discord delivers what a modified client
        sends) is answered with a sentence and does not reach the handler.
        """
        self._register(BUTTON, action, handler, argument)

    def register_select(
        self, action: str, handler: SelectHandler, *, argument: str = ANYTHING, value: str = ANYTHING
    ) -> None:
        """Call `handler` for the selects of `action`, whose `argument` and values match these regular expressions."""
        self._register(SELECT, action, handler, argument, value)

    def register_modal(self, action: str, handler: ModalHandler, *, argument: str = ANYTHING) -> None:
        """Call `handler` for each submitted `PersistentModal` of `action`, also after a restart.

        The handler must check permissions again: time has passed, and custom ids can be forged.
        """
        self._register(MODAL, action, handler, argument)

    def _register(
        self, kind: str, action: str, handler: Callable[..., Awaitable[None]], argument: str, value: str = ANYTHING
    ) -> None:
        if (kind, action) in self._handlers:
            raise ValueError(f"the {kind} {action} has a handler already")
        self._handlers[kind, action] = _Handler(handler, re.compile(argument), re.compile(value))

    async def dispatch_other(self, interaction: discord.Interaction[Any]) -> None:
        """Handle what discord.py does not: submitted modals, and components with unknown custom ids."""
        data: Any = interaction.data or {}
        custom_id = str(data.get("custom_id", ""))
        if interaction.type is discord.InteractionType.modal_submit:
            match = _MODAL.fullmatch(custom_id)
            action, argument = match.group("action", "argument") if match else (UNKNOWN, "")
            await self.run(interaction, MODAL, action, argument, modal_fields(interaction))
        elif interaction.type is discord.InteractionType.component and not (
            _BUTTON.fullmatch(custom_id) or _SELECT.fullmatch(custom_id)
        ):
            await self.run(interaction, BUTTON, UNKNOWN, "")

    async def run(
        self, interaction: discord.Interaction[Any], kind: str, action: str, argument: str, *given: Any
    ) -> None:
        """Run a handler; errors are reported to the user. `given` are the values of a select, or a modal's texts."""
        handler = self._handlers.get((kind, action))
        set_locale(interaction)
        begin(interaction, self._metrics, UNKNOWN if handler is None else action)
        try:
            with self._inflight.track(interaction):
                if handler is None or not handler.argument.fullmatch(argument):
                    if kind == MODAL:
                        await return_typed(interaction, *given)
                        return
                    raise NotFoundError(OUTDATED)
                if kind == SELECT and not (given[0] and all(map(handler.value.fullmatch, given[0]))):
                    raise InputError("This choice is not in the menu.")
                await handler.call(interaction, argument, *given)
        except Exception as error:  # noqa: BLE001 - discord.py would only log it, and the user would wait for ever
            await report_error(interaction, error, _texts(given[0]) if kind == MODAL else "")


def modal_fields(interaction: discord.Interaction[Any]) -> dict[str, str]:
    """The texts and the chosen values of a submitted modal by the names of its fields; empty where none was chosen."""

    def fields(part: Any) -> Iterator[tuple[str, str]]:
        if isinstance(part, list):
            for each in part:
                yield from fields(each)
        elif isinstance(part, dict):
            if isinstance(part.get("custom_id"), str):
                value, chosen = part.get("value"), part.get("values")
                if isinstance(value, str):
                    is_none = part.get("type") == RADIO_GROUP and value == NO_CHOICE
                    yield part["custom_id"], "" if is_none else value
                elif part.get("type") == STRING_SELECT and isinstance(chosen, list):
                    yield part["custom_id"], str(chosen[0]) if chosen else ""
            yield from fields(part.get("components"))
            yield from fields(part.get("component"))

    data: Any = interaction.data or {}
    return dict(fields(data.get("components")))


def modal_files(interaction: discord.Interaction[Any]) -> list[discord.Attachment]:
    """The files that were uploaded in a submitted modal."""
    data: Any = interaction.data or {}
    files = (data.get("resolved") or {}).get("attachments") or {}
    return [discord.Attachment(data=file, state=interaction._state) for file in files.values()]


async def return_typed(interaction: discord.Interaction[Any], fields: Mapping[str, str]) -> None:
    """Answer a modal that cannot be used after a restart with what the user typed."""
    sentence = _("I was restarted after you opened this window, so I could not use it. Please open it again.")
    await interaction.response.send_message(**with_typed(sentence, _texts(fields)), ephemeral=True)


def _texts(fields: Mapping[str, str]) -> str:
    """What was typed into a modal."""
    return "\n\n".join(value for value in fields.values() if value.strip())


class ActionButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=_BUTTON):
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
        row: int | None = None,
    ) -> None:
        self.action, self.argument = action, argument
        custom_id = f"do:{action}:{argument}"
        super().__init__(
            discord.ui.Button(label=label, emoji=emoji, style=style, disabled=disabled, custom_id=custom_id, row=row)
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> "ActionButton":
        """Recreate the button of a message, for discord.py."""
        if not isinstance(item, discord.ui.Button):  # The custom id was forged.
            return cls(match["action"], match["argument"], label="?")
        return cls(match["action"], match["argument"], label=item.label, emoji=item.emoji, style=item.style)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the action's handler."""
        await interaction.client.actions.run(interaction, BUTTON, self.action, self.argument)


def actions_in(
    message: discord.Message, arguments: Mapping[str, str] = MappingProxyType({})
) -> "list[ActionButton | ActionSelect]":
    """The buttons and selects of a message that is no card, from top to bottom. `arguments` replaces some arguments."""
    found: list[ActionButton | ActionSelect] = []
    for number, row in enumerate(message.components):
        for part in row.children if isinstance(row, discord.ActionRow) else ():
            custom_id = getattr(part, "custom_id", None) or ""
            if isinstance(part, discord.Button) and (match := _BUTTON.fullmatch(custom_id)):
                looks: dict[str, Any] = {"label": part.label, "emoji": part.emoji, "style": part.style}
                argument = arguments.get(match["argument"], match["argument"])
                found.append(ActionButton(match["action"], argument, **looks, disabled=part.disabled, row=number))
            elif isinstance(part, discord.SelectMenu) and (match := _SELECT.fullmatch(custom_id)):
                placeholder = part.placeholder or ""
                found.append(ActionSelect(match["action"], match["argument"], part.options, placeholder))
    return found


class ActionSelect(discord.ui.DynamicItem[discord.ui.Select[Any]], template=_SELECT):
    """A select for `action` with up to `MAX_CHOICES` options; one of them can be chosen, or any number of `several`."""

    def __init__(
        self,
        action: str,
        argument: str,
        options: list[discord.SelectOption],
        placeholder: str = "",
        *,
        several: bool = False,
    ) -> None:
        self.action, self.argument = action, argument
        options = options[:MAX_CHOICES]
        super().__init__(
            discord.ui.Select(
                custom_id=f"pick:{action}:{argument}",
                options=options,
                placeholder=placeholder or None,
                max_values=len(options) if several else 1,
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> "ActionSelect":
        """Recreate the select of a message, for discord.py."""
        if not isinstance(item, discord.ui.Select):  # The custom id was forged.
            return cls(match["action"], match["argument"], [])
        return cls(match["action"], match["argument"], item.options, item.placeholder or "")

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Run the action's handler."""
        chosen = list(self.item.values)
        await interaction.client.actions.run(interaction, SELECT, self.action, self.argument, chosen)
