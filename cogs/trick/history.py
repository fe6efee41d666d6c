"""The versions of a trick: what each one changed, a look at one, and **Revert**."""

from collections.abc import Iterator, Sequence
from typing import Any

import discord

from bot.core.errors import FewshotError, NotFoundError
from bot.core.i18n import N_, _
from bot.core.text import escape_markdown, shorten
from bot.server.tricks import NO_VERSION, Version, differences
from bot.services import Services
from bot.ui.actions import ActionButton, ActionSelect
from bot.ui.cards import Card
from bot.ui.views import LayoutView
from cogs._access import managed_guild
from cogs._store_first import edit_pressed, store_first
from cogs.trick.cards import example_line, trick_card

# How a version was made, before its author and time.
KINDS: dict[str, str] = {
    "taught": N_("taught"),
    "example": N_("an example added"),
    "accepted": N_("a suggestion accepted"),
    "imported": N_("imported from a file"),
    "reverted": N_("back to version {note}"),
    "dropped": N_("idle examples dropped"),
    "stored": N_("as it was before versions were stored"),
}
# Versions on the card; the menu has 25. Lines of a version, so that twenty new examples do not hide the others.
MAX_SHOWN, MAX_LINES = 12, 5


def history_card(name: str, versions: Sequence[Version]) -> LayoutView:
    """What the newest versions changed, and a menu to look at one. `versions` begin with the newest."""
    card = Card(_("{name}, version {n}", name=name, n=versions[0].number))
    for place, new in enumerate(versions[:MAX_SHOWN], 1):
        card.text("\n".join([_heading(new), *(_changes(versions[place], new) if place < len(versions) else [])]))
    options = [
        discord.SelectOption(label=_("Version {n}", n=version.number), value=str(version.number))
        for version in versions
    ]
    return card.row(ActionSelect("trick-version", name, options, _("Look at a version, or go back to it"))).layout()


def _heading(version: Version) -> str:
    """Number, kind, author and time of a version; below it the note that its author typed."""
    how = _(KINDS[version.kind], note=version.note)
    who = f" · <@{version.user_id}>" if version.user_id else ""
    lines = [f"**{version.number}** · {how}{who} · <t:{int(version.at)}:R>"]
    if version.note and version.kind != "reverted":
        lines.append(f"-# {escape_markdown(version.note)}")
    return "\n".join(lines)


def _changes(old: Version, new: Version) -> list[str]:
    """A line for each difference; the last one counts those that are left out."""
    lines = list(_lines(old, new))
    if len(lines) > MAX_LINES:
        lines[MAX_LINES:] = [_("… and {n} more", n=len(lines) - MAX_LINES)]
    return lines


def _lines(old: Version, new: Version) -> Iterator[str]:
    found = differences(old, new)
    if found.instruction:
        yield _("✏️ the instruction")
    if found.form:
        yield _("✏️ the form of the answer, or the parameters")
    for example in found.added:
        yield f"➕ {example_line(example)}"
    for example in found.removed:
        yield f"➖ {example_line(example)}"
    for before, after in found.changed:
        yield f"✏️ {example_line(before)} ⇒ {escape_markdown(shorten(after.wanted, 70))}"


class History:
    """The handlers of the menu of versions, and of **Revert**."""

    def __init__(self, services: Services) -> None:
        self._tricks = services.tricks
        services.actions.register_select("trick-version", self.show)
        services.actions.register("trick-revert", self.revert)

    async def show(self, interaction: discord.Interaction[Any], name: str, chosen: list[str]) -> None:
        """Show a version, with **Revert** unless it is the newest."""
        name, versions = await self._tricks.history(managed_guild(interaction), name)
        version = next((version for version in versions if [str(version.number)] == chosen), None)
        if version is None:
            raise NotFoundError(NO_VERSION)
        title = _("{name}, version {n}", name=name, n=version.number)
        try:
            trick = version.trick(name)
        except FewshotError as error:
            card = Card(title).text(_("It cannot be used any more: {problem}", problem=error)).layout()
        else:
            argument = f"{name}:{version.number}"
            revert = ActionButton("trick-revert", argument, label=_("Revert to this version"), emoji="⏪")
            card = trick_card(trick, title, *([revert] if version is not versions[0] else []))
        await interaction.response.send_message(view=card, ephemeral=True)

    async def revert(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Make an old version the newest one."""
        name, _colon, number = argument.rpartition(":")
        guild = managed_guild(interaction)
        trick = await store_first(
            interaction, self._tricks.revert(guild, interaction.user.id, name, int(number) if number.isdecimal() else 0)
        )
        title = _("{name} is as it was in version {old}; this is version {n}", name=name, old=number, n=trick.version)
        await edit_pressed(interaction, trick_card(trick, title))
