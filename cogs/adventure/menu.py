"""⋯ under a turn: how the story stands, and what is done less often: branch, switch, notes, dice, order."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.core.i18n import N_, _
from bot.core.text import escape_markdown, shorten
from bot.play import permissions as rights
from bot.play.action_parser import LONGEST
from bot.play.adventures import LONGEST_BRANCH, LONGEST_NOTE, Status
from bot.play.history import SWITCH, Place
from bot.play.records import Story
from bot.services import Services
from bot.ui.actions import ActionButton, ActionSelect
from bot.ui.cards import Card
from bot.ui.views import LayoutView, PersistentModal
from cogs.adventure.controller import Play, person_of, told
from cogs.adventure.rendering import PRESS

GOTO, UNPIN, REMOVE, SENT_IN = "story-switch", "story-unpin", "story-remove", "story-form"
FORM_ARGUMENT = r"(act|branch|note):[\w-]{1,16}"
OPENING = "opening"


def switch_menu(story: Story, places: Sequence[Place]) -> ActionSelect:
    """The places to go to in a story, from its newest turn."""
    return ActionSelect(GOTO, f"{story.id}:{story.head or 0}", [_option(place) for place in places], _("Switch to…"))


class Menu:
    """Serves ⋯, what is on its card, and the forms. One for the process."""

    def __init__(self, services: Services, play: Play) -> None:
        self._services, self._play, self._adventures = services, play, services.adventures
        self.actions = {
            PRESS: self.press,
            GOTO: self.switch,
            UNPIN: self.unpin,
            REMOVE: self.remove,
        }

    async def press(self, interaction: discord.Interaction[Any], argument: str, _chosen: list[str]) -> None:
        """Any button under a turn, or on the card."""
        verb = argument.rpartition(":")[2]
        forms = {"act": self._act, "dice": self._act, "branch": self._branch, "note": self._note}
        if verb in forms:
            story, seen, _verb = await self._play.pressed(interaction, argument)
            await self._play.refuse_if_past(story, seen)
            await self._adventures.refuse_unless_player(story, person_of(interaction))
            await interaction.response.send_modal(forms[verb](story, verb))
        elif verb == "more":
            story, seen, _verb = await self._play.pressed(interaction, argument)
            await interaction.response.defer(ephemeral=True, thinking=True)
            await self._play.refuse_if_past(story, seen)
            await interaction.edit_original_response(view=await self._card(interaction, story))
        elif verb in ("lock", "unlock", "end"):
            await self._lead(interaction, argument, verb)
        else:
            await self._play.press(interaction, argument)

    async def switch(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Go to a branch, or to another end of the tree."""
        story, seen, _verb = await self._play.pressed(interaction, f"{argument}:switch")
        await interaction.response.defer()
        to = None if chosen[0] == OPENING else int(chosen[0])
        await self._play.move(interaction, story, seen, SWITCH, to)

    async def unpin(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Take a note away."""
        story, *_seen = await self._play.pressed(interaction, f"{argument}:unpin")
        await interaction.response.defer()
        await self._adventures.unpin(story, person_of(interaction), int(chosen[0]))
        await interaction.edit_original_response(view=await self._card(interaction, story))

    async def remove(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Take a player out, or let them in again."""
        story, *_seen = await self._play.pressed(interaction, f"{argument}:remove")
        await interaction.response.defer()
        player_id, _colon, out = chosen[0].partition(":")
        await self._adventures.set_removed(story, person_of(interaction), int(player_id), out == "out")
        await interaction.edit_original_response(view=await self._card(interaction, story))

    async def sent_in(self, interaction: discord.Interaction[Any], argument: str, fields: Mapping[str, str]) -> None:
        """A submitted modal: an action, a branch's name or a note."""
        kind, _colon, story_id = argument.partition(":")
        story = await self._adventures.running(story_id)
        text = fields.get("text", "")
        await interaction.response.defer()
        if kind == "act":
            await self._play.act(interaction, story, text)
        elif kind == "branch":
            branch = await self._adventures.name_branch(story, person_of(interaction), text)
            name = escape_markdown(branch.name)
            await told(interaction, _("This place is the branch “{name}” now.", name=name))
        else:
            await self._adventures.pin(story, person_of(interaction), text)
            await told(interaction, _("The note is pinned: every turn's prompt has it from now on."))

    async def _lead(self, interaction: discord.Interaction[Any], argument: str, verb: str) -> None:
        story, *_seen = await self._play.pressed(interaction, argument)
        await interaction.response.defer()
        person = person_of(interaction)
        if verb == "end":
            await self._play.end(story, person)
            return
        await self._adventures.set_locked(story, person, verb == "lock")
        story = await self._adventures.running(story.id)
        await interaction.edit_original_response(view=await self._card(interaction, story))

    def _act(self, story: Story, verb: str) -> PersistentModal:
        # Translators: the player goes on after it. Keep "roll 1d20" as it is, the bot looks for these words.
        text = _("roll 1d20 to") + " " if verb == "dice" else ""
        # Translators: in quotation marks as what is put in them is spoken. At most 45 characters.
        return _form("act", story, story.title, _("What do you do, or “say”?"), most=LONGEST, text=text)

    def _branch(self, story: Story, _verb: str) -> PersistentModal:
        return _form("branch", story, _("Name this place"), _("The branch's name"), most=LONGEST_BRANCH)

    def _note(self, story: Story, _verb: str) -> PersistentModal:
        return _form("note", story, _("Pin a note"), _("What must never be forgotten"), most=LONGEST_NOTE)

    async def _card(self, interaction: discord.Interaction[Any], story: Story) -> LayoutView:
        """The story's status with the menus that fit the one who looks."""
        status = await self._adventures.status(story)
        places = await self._services.history.places(story)
        of = f"{story.id}:{story.head or 0}"
        card = Card(escape_markdown(story.title)).text(_told(status))
        buttons = [
            ActionButton(PRESS, f"{of}:branch", label=_("Branch here…"), emoji="🌿"),
            ActionButton(PRESS, f"{of}:note", label=_("Pin a note…"), emoji="📌"),
            ActionButton(PRESS, f"{of}:dice", label=_("Roll dice…"), emoji="🎲"),
        ]
        turn = (await self._adventures.scene(story)).turn
        if interaction.guild_id is not None and turn is not None:
            answer = f"{turn.message_id or 0}:{turn.prompt_id}"
            buttons.append(ActionButton("report", answer, label=_("Report"), emoji="🚩"))
        card.row(*buttons)
        if places:
            card.row(switch_menu(story, places))
        if status.notes:
            options = [discord.SelectOption(label=shorten(note.text, 100), value=str(note.id)) for note in status.notes]
            card.row(ActionSelect(UNPIN, of, options, _("Unpin a note…")))
        if rights.leads(person_of(interaction), story):
            self._order(card, status, of)
        return card.layout()

    def _order(self, card: Card, status: Status, of: str) -> None:
        """For those who lead: lock, end, and who plays."""
        lock, label = ("unlock", _("Unlock")) if status.story.locked else ("lock", _("Lock"))
        card.row(
            ActionButton(PRESS, f"{of}:{lock}", label=label, emoji="🔒"),
            ActionButton(PRESS, f"{of}:end", label=_("End the story"), style=discord.ButtonStyle.danger),
        )
        others = [player for player in status.players if player.user_id not in (0, status.story.starter_id)]
        options = [
            discord.SelectOption(
                label=shorten(
                    _("Let in {name}", name=player.name) if player.removed else _("Take out {name}", name=player.name),
                    100,
                ),
                value=f"{player.user_id}:{'in' if player.removed else 'out'}",
            )
            for player in others
        ]
        if options:
            card.row(ActionSelect(REMOVE, of, options, _("Players…")))


def _form(kind: str, story: Story, title: str, label: str, *, most: int, text: str = "") -> PersistentModal:
    """A modal with one text field."""
    modal = PersistentModal(SENT_IN, f"{kind}:{story.id}", title=title)
    return modal.add_text("text", label, max_length=most, multiline=most > 100, default=text)


def _told(status: Status) -> str:
    names = ", ".join(player.name for player in status.players if not player.removed)
    names = escape_markdown(shorten(names, 300)) or _("nobody yet")
    size = (
        N_("-# The next prompt takes about {tokens:,} of {budget:,} tokens · locked")
        if status.story.locked
        else N_("-# The next prompt takes about {tokens:,} of {budget:,} tokens")
    )
    lines = [
        _("Turn {n} · players: {names}", n=status.depth, names=names),
        _(size, tokens=status.tokens, budget=status.budget),
        *(f"📌 {escape_markdown(note.text)}" for note in status.notes),
    ]
    return "\n".join(lines)


def _option(place: Place) -> discord.SelectOption:
    value = OPENING if place.turn_id is None else str(place.turn_id)
    return discord.SelectOption(label=shorten(place.name, 100), description=shorten(place.about, 100), value=value)
