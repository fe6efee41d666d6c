"""The buttons under a turn, the card that ⋯ opens (branch, switch, notes, dice, moderation), and the modals."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.core.i18n import N_, _
from bot.core.text import escape_markdown, shorten
from bot.play import Story
from bot.play.action_parser import MAX_ACTION
from bot.play.adventures import MAX_BRANCH, MAX_NOTE, Status
from bot.play.history import SWITCH, Destination
from bot.play.permissions import is_leader
from bot.services import Services
from bot.ui.actions import ID, ActionButton, ActionSelect
from bot.ui.caller import caller_of
from bot.ui.cards import Card
from bot.ui.views import LayoutView, PersistentModal
from cogs.adventure.controller import Controller, check_is_head, finish_interaction
from cogs.adventure.rendering import TURN_ACTION

SWITCH_ACTION, UNPIN_ACTION, REMOVE_ACTION, MODAL_ACTION = "story-switch", "story-unpin", "story-remove", "story-form"
# KIND:STORY in the custom id of a modal, and STORY:TURN in that of a button or select.
MODAL_ARGUMENT = r"(act|branch|note):[\w-]{1,16}"
TURN_ARGUMENT = rf"[\w-]{{1,16}}:{ID}"
OPENING = "opening"


def switch_menu(story: Story, destinations: Sequence[Destination]) -> ActionSelect:
    """A menu of the turns to switch to."""
    options = [
        discord.SelectOption(
            label=shorten(one.name, 100),
            description=shorten(one.description, 100),
            value=OPENING if one.turn_id is None else str(one.turn_id),
        )
        for one in destinations
    ]
    return ActionSelect(SWITCH_ACTION, f"{story.id}:{story.head or 0}", options, _("Switch to…"))


class Menu:
    """Handles the buttons, the menus and the modals; one for the process."""

    def __init__(self, services: Services, controller: Controller) -> None:
        self._services, self._controller, self._adventures = services, controller, services.adventures
        actions = services.actions
        actions.register(TURN_ACTION, self.press, argument=f"{TURN_ARGUMENT}:[a-z]+")
        actions.register_select(SWITCH_ACTION, self.switch, argument=TURN_ARGUMENT, value=f"{OPENING}|{ID}")
        actions.register_select(UNPIN_ACTION, self.unpin, argument=TURN_ARGUMENT, value=ID)
        actions.register_select(REMOVE_ACTION, self.remove, argument=TURN_ARGUMENT, value=f"{ID}:(in|out)")
        actions.register_modal(MODAL_ACTION, self.submit, argument=MODAL_ARGUMENT)

    async def press(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """A button under a turn, or on the card."""
        story, seen, verb = await self._controller.parse_button(interaction, argument)
        if verb in ("act", "dice", "branch", "note"):
            check_is_head(story, seen)
            await self._adventures.check_player(story, caller_of(interaction))
            await interaction.response.send_modal(_modal_of(verb, story))
        elif verb == "more":
            await interaction.response.defer(ephemeral=True, thinking=True)
            check_is_head(story, seen)
            await interaction.edit_original_response(view=await self._card(interaction, story))
        elif verb == "end":
            await self._controller.end(story, caller_of(interaction), interaction)
        elif verb in ("lock", "unlock"):
            await self._adventures.set_locked(story, caller_of(interaction), verb == "lock")
            await self._update_card(interaction, story)
        elif verb == "continue":
            check_is_head(story, seen)
            await self._controller.act(interaction, story, None)
        else:
            await self._controller.move(interaction, story, seen, verb)

    async def switch(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Switch to a branch, or to another leaf of the tree."""
        story, seen, _verb = await self._controller.parse_button(interaction, f"{argument}:{SWITCH}")
        to = None if chosen[0] == OPENING else int(chosen[0])
        await self._controller.move(interaction, story, seen, SWITCH, to)

    async def unpin(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Remove a note."""
        story = await self._controller.require_story_here(interaction, argument.partition(":")[0])
        await self._adventures.unpin(story, caller_of(interaction), int(chosen[0]))
        await self._update_card(interaction, story)

    async def remove(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Exclude a player, or admit them again."""
        story = await self._controller.require_story_here(interaction, argument.partition(":")[0])
        player_id, _colon, direction = chosen[0].partition(":")
        await self._adventures.set_removed(story, caller_of(interaction), int(player_id), direction == "out")
        await self._update_card(interaction, story)

    async def submit(self, interaction: discord.Interaction[Any], argument: str, fields: Mapping[str, str]) -> None:
        """A submitted modal: an action, a branch's name, a note."""
        kind, _colon, story_id = argument.partition(":")
        story = await self._controller.require_story_here(interaction, story_id)
        text = fields.get("text", "")
        if kind == "act":
            await self._controller.act(interaction, story, text)
        elif kind == "branch":
            branch = await self._adventures.name_branch(story, caller_of(interaction), text)
            name = escape_markdown(branch.name)
            await finish_interaction(interaction, _("This place is the branch “{name}” now.", name=name))
        else:
            await self._adventures.pin(story, caller_of(interaction), text)
            await finish_interaction(interaction, _("The note is pinned: every turn's prompt has it from now on."))

    async def _update_card(self, interaction: discord.Interaction[Any], story: Story) -> None:
        """Show the card as it is after a change of the story."""
        story = await self._adventures.require_running(story.id)
        await interaction.response.edit_message(view=await self._card(interaction, story))

    async def _card(self, interaction: discord.Interaction[Any], story: Story) -> LayoutView:
        """The story's status, with the menus that the caller may use."""
        status = await self._adventures.status(story)
        destinations = await self._services.history.destinations(story)
        prefix = f"{story.id}:{story.head or 0}"
        card = Card(escape_markdown(story.title)).text(_status_text(status))
        buttons = [
            ActionButton(TURN_ACTION, f"{prefix}:branch", label=_("Branch here…"), emoji="🌿"),
            ActionButton(TURN_ACTION, f"{prefix}:note", label=_("Pin a note…"), emoji="📌"),
            ActionButton(TURN_ACTION, f"{prefix}:dice", label=_("Roll dice…"), emoji="🎲"),
        ]
        turn = (await self._adventures.view_of_head(story)).turn
        if interaction.guild_id is not None and turn is not None:
            answer = f"{turn.message_id or 0}:{turn.prompt_id}"
            buttons.append(ActionButton("report", answer, label=_("Report"), emoji="🚩"))
        card.row(*buttons)
        if destinations:
            card.row(switch_menu(story, destinations))
        if status.notes:
            options = [discord.SelectOption(label=shorten(note.text, 100), value=str(note.id)) for note in status.notes]
            card.row(ActionSelect(UNPIN_ACTION, prefix, options, _("Unpin a note…")))
        if is_leader(caller_of(interaction), story):
            _add_moderation(card, status, prefix)
        return card.layout()


def _modal_of(verb: str, story: Story) -> PersistentModal:
    """The modal that a button opens, with one text field."""
    kind, title, default, most = verb, story.title, "", MAX_ACTION
    if verb == "branch":
        title, label, most = _("Name this place"), _("The branch's name"), MAX_BRANCH
    elif verb == "note":
        title, label, most = _("Pin a note"), _("What every turn's prompt should contain"), MAX_NOTE
    else:
        # Translators: the player goes on after it. Keep "roll 1d20" as it is, the bot looks for these words.
        kind, default = "act", _("roll 1d20 to") + " " if verb == "dice" else ""
        # Translators: in quotation marks as what is put in them is spoken. At most 45 characters.
        label = _("What do you do, or “say”?")
    modal = PersistentModal(MODAL_ACTION, f"{kind}:{story.id}", title=title)
    return modal.add_text("text", label, max_length=most, multiline=most > 100, default=default)


def _add_moderation(card: Card, status: Status, prefix: str) -> None:
    """The buttons and the menu of the story's leaders: lock, end, and who plays."""
    lock, label = ("unlock", _("Unlock")) if status.story.locked else ("lock", _("Lock"))
    card.row(
        ActionButton(TURN_ACTION, f"{prefix}:{lock}", label=label, emoji="🔒"),
        ActionButton(TURN_ACTION, f"{prefix}:end", label=_("End the story"), style=discord.ButtonStyle.danger),
    )
    options = [
        discord.SelectOption(
            label=shorten(
                _("Readmit {name}", name=player.name) if player.removed else _("Remove {name}", name=player.name), 100
            ),
            value=f"{player.user_id}:{'in' if player.removed else 'out'}",
        )
        for player in status.players
        if player.user_id not in (0, status.story.starter_id)
    ]
    if options:
        card.row(ActionSelect(REMOVE_ACTION, prefix, options, _("Players…")))


def _status_text(status: Status) -> str:
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
