"""The message menus **Use a trick…** and **Teach from this…**."""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.core.attached_picture import AttachedPicture
from bot.core.caller import SourceMessage
from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import N_, _
from bot.server.trick_form import MAX_EXAMPLE_LENGTH, MAX_INSTRUCTION_LENGTH, Example
from bot.server.tricks import MAX_NAME_LENGTH
from bot.services import Services
from bot.ui.actions import ID, return_typed
from bot.ui.views import MAX_CHOICES, PersistentModal
from cogs._access import managed_guild
from cogs._message_window import MAX_FIELD_LENGTH, read_for_window
from cogs._store_first import answer_privately, store_first
from cogs.trick.cards import new_trick_card, trick_card
from cogs.trick.using import guild_of, use_trick

USE, TEACH = "use-trick", "teach-from"
# Windows whose pictures are held until they are submitted.
MAX_WINDOWS = 20
# The names of the two selects of tricks: a server can have more tricks than a select has options.
SELECTS = ("trick", "more")
EMPTY = N_("This message has no text and no file that I can read.")


class TrickMenus(commands.Cog, name="Trick menus"):
    """The menus, and the handlers of their windows. The text that a window holds outlives a restart."""

    def __init__(self, services: Services) -> None:
        self._services, self._tricks = services, services.tricks
        self._pictures: OrderedDict[str, tuple[AttachedPicture, ...]] = OrderedDict()
        self.menus = [
            app_commands.ContextMenu(name="Use a trick…", callback=self.open_use),
            app_commands.ContextMenu(name="Teach from this…", callback=self.open_teach),
        ]
        for menu in self.menus:
            menu.guild_only = True
        self.menus[1].default_permissions = discord.Permissions(manage_guild=True)
        services.actions.register_modal(USE, self.use, argument=f"{ID}:{ID}:[0-9a-f]{{0,8}}")
        services.actions.register_modal(TEACH, self.teach, argument=ID)

    async def open_use(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Open a window with the tricks of the server and the text of the message."""
        guild = guild_of(interaction)
        attached = await read_for_window(self._services, interaction, message, EMPTY)
        names = await self._tricks.names(guild)
        if not names:
            raise NotFoundError("This server has no tricks yet; a manager can teach me one with /trick teach.")
        key = ""
        if attached.pictures:
            key = secrets.token_hex(4)
            self._pictures[key] = attached.pictures
            while len(self._pictures) > MAX_WINDOWS:
                self._pictures.popitem(last=False)
        argument = f"{message.id}:{message.author.id}:{key}"
        about = [_("The picture of the message is used as well.")] if attached.pictures else []
        # Translators: a window's title and the labels in it have at most 45 characters.
        modal = PersistentModal(USE, argument, title=_("Use a trick"))
        _add_tricks(modal, names, none=_("None of these") if len(names) > MAX_CHOICES else "")
        modal.add_text(
            "text",
            _("The text"),
            max_length=MAX_FIELD_LENGTH,
            required=not attached.pictures,
            default=attached.text,
            description=" · ".join([*about, *attached.notes]),
        )
        await interaction.response.send_modal(modal)

    async def use(self, interaction: discord.Interaction[Any], argument: str, typed: Mapping[str, str]) -> None:
        """Use the chosen trick on the text of the window, for the person alone."""
        message_id, author_id, key = argument.split(":")
        name = next((typed[select] for select in SELECTS if typed.get(select)), "")
        pictures = self._pictures.get(key, ())
        if key and not pictures:  # They were in memory before a restart.
            await return_typed(interaction, typed)
            return
        if not name:
            raise InputError("Choose a trick.")
        guild = guild_of(interaction)
        self._services.guilds.allow_menu(guild, interaction.user.id, int(author_id))
        source = SourceMessage(int(message_id), int(author_id))
        text = typed.get("text", "")
        await use_trick(self._services, interaction, guild, name, text, pictures=pictures, private=True, source=source)

    async def open_teach(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Open a window in which the message is the input of an example, and the answer is typed."""
        names = (await self._tricks.names(managed_guild(interaction)))[:MAX_CHOICES]
        attached = await read_for_window(self._services, interaction, message, EMPTY)
        modal = PersistentModal(TEACH, str(message.author.id), title=_("Teach me from this message"))
        if names:
            _add_tricks(modal, names, none=_("A new one, with the name below"))
        modal.add_text("given", _("What comes in"), max_length=MAX_EXAMPLE_LENGTH, default=attached.text)
        modal.add_text("wanted", _("The answer to it"), max_length=MAX_EXAMPLE_LENGTH)
        label = _("The name of a new trick")
        modal.add_text("name", label, max_length=MAX_NAME_LENGTH, multiline=False, required=not names)
        label = _("What the new trick should do")
        modal.add_text("instruction", label, max_length=MAX_INSTRUCTION_LENGTH, required=not names)
        await interaction.response.send_modal(modal)

    async def teach(self, interaction: discord.Interaction[Any], author: str, typed: Mapping[str, str]) -> None:
        """Add the example to the chosen trick, or to a new one."""
        guild, user = managed_guild(interaction), interaction.user.id
        given_by = int(author) if int(author) != user else None
        self._services.guilds.allow_menu(guild, user, int(author))
        given, wanted = typed.get("given", ""), typed.get("wanted", "")
        if name := typed.get("trick", ""):
            adding = self._tricks.add_example(guild, user, name, given, wanted, given_by=given_by)
            trick = await store_first(interaction, adding)
            card = trick_card(trick, _("One example more: {name}", name=trick.name))
        else:
            example, instruction = Example(given, wanted), typed.get("instruction", "")
            teaching = self._tricks.teach(guild, user, typed.get("name", ""), instruction, example, given_by=given_by)
            card = new_trick_card(await store_first(interaction, teaching))
        await answer_privately(interaction, view=card)


def _add_tricks(modal: PersistentModal, names: list[str], *, none: str) -> None:
    """Add a choice of the tricks; a second one where they are many."""
    for number, select in enumerate(SELECTS):
        shown = names[number * MAX_CHOICES : (number + 1) * MAX_CHOICES]
        if shown:
            options = [discord.SelectOption(label=name, value=name) for name in shown]
            label = _("Trick") if number == 0 else _("Or one of these")
            modal.add_choice(select, label, options, none=none)
