"""Base classes of views and modals. They report their errors to the user, which discord.py only logs."""

from typing import Any, Self

import discord
from discord.ui.view import BaseView

from bot.core.text import shorten
from bot.ui.errors import report_error
from bot.ui.locale import set_locale

# Discord's limits in characters: the title of a modal or the label of a field, and the hint in an empty field or the
# description under a label (2026-11-22).
MAX_LABEL, MAX_PLACEHOLDER = 45, 100
# Discord's limits on the choices of an option or a select, and on the characters of a choice.
MAX_CHOICES, MAX_CHOICE_LENGTH = 25, 100
# Discord's limits on the options of a radio group.
MIN_RADIOS, MAX_RADIOS = 2, 10
# The value of the option that stands for no choice: people cannot take back the choice in a radio group.
NO_CHOICE = "-"
MODAL_PREFIX = "modal"


class _Reporting(BaseView):
    """Has no timeout, sets the locale before an item's callback runs, and reports its error to the user."""

    def __init__(self, *items: discord.ui.Item[Any]) -> None:
        super().__init__(timeout=None)
        for item in items:
            self.add_item(item)

    async def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """Set the locale. Permissions are checked by the handler."""
        set_locale(interaction)
        return True

    async def on_error(self, interaction: discord.Interaction[Any], error: Exception, _item: Any, /) -> None:
        """Report the error to the user."""
        await report_error(interaction, error)


class PersistentModal(discord.ui.Modal):
    """A modal that can be submitted after a restart: `action` and `argument` are in its custom id.

    The handler that `bot.ui.actions.ActionRegistry.register_modal` has for `action` receives the submission.
    `argument` has at most 70 characters. discord.py keeps nothing of the modal in memory.
    """

    def __init__(self, action: str, argument: str = "", *, title: str) -> None:
        super().__init__(title=shorten(title, MAX_LABEL), custom_id=f"{MODAL_PREFIX}:{action}:{argument}", timeout=None)
        # discord.py stores no modal that is finished.
        self.stop()

    def add_text(
        self,
        name: str,
        label: str,
        *,
        max_length: int,
        multiline: bool = True,
        required: bool = True,
        placeholder: str = "",
        default: str = "",
        description: str = "",
    ) -> Self:
        """Add a text field; the handler finds its text under `name`."""
        field: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=name,
            style=discord.TextStyle.long if multiline else discord.TextStyle.short,
            max_length=max_length,
            required=required,
            placeholder=shorten(placeholder, MAX_PLACEHOLDER) or None,
            default=default[:max_length] or None,
        )
        return self._add(label, description, field)

    def add_choice(self, name: str, label: str, options: list[discord.SelectOption], *, none: str = "") -> Self:
        """Add up to `MAX_CHOICES` options: a radio group, or a select where they are more or fewer than that takes.

        The handler finds the chosen value under `name`, and an empty text where the option called `none` was chosen.
        Without `none` a choice is required.
        """
        radios = [discord.RadioGroupOption(label=none, value=NO_CHOICE)] if none else []
        radios += [
            discord.RadioGroupOption(
                label=option.label, value=option.value, description=option.description, default=option.default
            )
            for option in options
        ]
        choice: discord.ui.RadioGroup[Any] | discord.ui.Select[Any]
        if MIN_RADIOS <= len(radios) <= MAX_RADIOS:
            radios[0].default = bool(none) and not any(radio.default for radio in radios)
            choice = discord.ui.RadioGroup(custom_id=name, options=radios)
        else:
            choice = discord.ui.Select(
                custom_id=name,
                options=options,
                min_values=int(not none),
                required=not none,
                placeholder=shorten(none, MAX_PLACEHOLDER) or None,
            )
        return self._add(label, "", choice)

    def add_files(self, name: str, label: str, *, most: int = 1, description: str = "") -> Self:
        """Add an upload of up to `most` files, none required; `bot.ui.actions.modal_files` returns them."""
        upload: discord.ui.FileUpload[Any] = discord.ui.FileUpload(
            custom_id=name, required=False, min_values=0, max_values=most
        )
        return self._add(label, description, upload)

    def _add(self, label: str, description: str, component: discord.ui.Item[Any]) -> Self:
        return self.add_item(
            discord.ui.Label(
                text=shorten(label, MAX_LABEL),
                component=component,
                description=shorten(description, MAX_PLACEHOLDER) or None,
            )
        )


class View(_Reporting, discord.ui.View):
    """A view whose items keep their state in their custom ids."""


class LayoutView(_Reporting, discord.ui.LayoutView):
    """A view of Components V2."""
