"""**Follow up…** under an answer; and conversations by mentions, direct messages and replies to answers."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import discord
from discord.ext import commands

from bot.answers.service import Answering
from bot.core.caller import Caller
from bot.core.errors import InputError, NotAllowedError, NotFoundError, StorageError
from bot.core.i18n import N_, _
from bot.core.text import MAX_PIECES, escape_markdown, shorten
from bot.llm.completion import Answer, Display
from bot.llm.conversation import follow_up, start
from bot.services import Services, services_of
from bot.ui.actions import actions_in, modal_files
from bot.ui.caller import caller_of, caller_of_message
from bot.ui.errors import DELIVERY_ERRORS, report_to_author
from bot.ui.inflight import StoppingError
from bot.ui.locale import set_locale_of_message
from bot.ui.message_text import attachments_of, readable_text
from bot.ui.uploads import MAX_ATTACHMENTS, NOT_READABLE, readable
from bot.ui.views import PersistentModal

FOLLOW, MODAL = "follow", "follow-up"
# Characters of a follow-up: the limit of a field in a modal. Messages may have as many.
MAX_LENGTH = 4_000
# Characters of a follow-up above its answer.
MAX_QUOTED = 200
# Characters of a part of an answer that needs several messages; no sentence of the bot has as many.
MIN_PART = 600
# Characters of the names of files that were not read.
MAX_NAMES = 100
NOT_STORED = N_("The prompt of this answer is no longer stored, so I cannot follow up on it; ask again.")


class Conversations(commands.Cog, name="Conversations"):
    """Continues the exchange that led to an answer, or begins one without a template."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._bot, self._services = bot, services
        services.actions.register(FOLLOW, self.open)
        services.actions.register_modal(MODAL, self.submit)

    async def open(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Open the window for a follow-up."""
        caller = caller_of(interaction)
        self._services.gateway.refuse_blocked(caller)
        await self._answer_to_continue(caller, prompt_id)
        modal = PersistentModal(MODAL, prompt_id, title=_("Follow up"))
        hint = _("Shorter, please. Or: why?")
        modal.add_text("text", _("What do you want to say?"), max_length=MAX_LENGTH, placeholder=hint, required=False)
        about = _("A picture, a PDF or a text that it is about")
        await interaction.response.send_modal(
            modal.add_files("files", _("Files"), most=MAX_ATTACHMENTS, description=about)
        )

    async def submit(self, interaction: discord.Interaction[Any], prompt_id: str, typed: Mapping[str, str]) -> None:
        """Answer the follow-up in a new message, which only the asker sees if the first answer is private."""
        text, files = typed.get("text", "").strip(), modal_files(interaction)
        if not text and not files:
            raise InputError("There is nothing to follow up with: the text is empty.")
        earlier = await self._answer_to_continue(caller_of(interaction), prompt_id)
        private = interaction.message is not None and interaction.message.flags.ephemeral
        async with self._services.answers.open(interaction, private=private) as answering:
            said = text or ", ".join(file.filename for file in files)
            heading = f"> {escape_markdown(shorten(said, MAX_QUOTED))}\n"
            await self._continue(answering, earlier, text, files, heading=heading)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a mention, a direct message, or a reply to an answer, outside of adventures."""
        if message.author.bot or message.type not in (discord.MessageType.default, discord.MessageType.reply):
            return
        me = self._bot.user
        assert me is not None, "messages come after the login"
        is_direct = message.guild is None
        mention = re.compile(rf"<@!?{me.id}>")
        text = mention.sub("", readable_text(message)).strip()
        may_fetch = is_direct or me in message.mentions
        replied = await _replied_to(message, may_fetch=may_fetch)
        prompt_id = None
        if replied is not None and replied.author == me:
            prompt_id = _prompt_in(replied) or (await _prompt_after(replied) if may_fetch else None)
        is_for_me = is_direct or prompt_id is not None or mention.search(message.content)
        if not is_for_me or not (text or attachments_of(message)):
            return
        is_on = self._services.guilds.has_conversations(caller_of_message(message)) and _can_be_answered(message)
        if not is_on:
            return
        set_locale_of_message(self._bot, message)
        try:
            is_of_story = await self._is_of_story(message)
        except StorageError as error:
            await report_to_author(message, error)
            return
        if not is_of_story:
            with suppress(StoppingError):
                await self._answer(message, text, prompt_id)

    async def _answer(self, message: discord.Message, text: str, prompt_id: str | None) -> None:
        """Answer `message`: a follow-up to the answer with the prompt `prompt_id`, or the start of a conversation."""
        async with self._services.answers.open_message(message) as answering:
            # Before files are read, which takes a processor's time.
            self._services.gateway.refuse_blocked(answering.caller)
            earlier = None if prompt_id is None else await self._answer_to_continue(answering.caller, prompt_id)
            files = readable(message)
            unread = [escape_markdown(file.filename) for file in attachments_of(message) if file not in files]
            if not text and not files:
                raise InputError(NOT_READABLE, name=shorten(unread[0], MAX_NAMES))
            note = _("not read: {files}", files=shorten(", ".join(unread), MAX_NAMES)) if unread else ""
            await self._continue(answering, earlier, text, files, note=note)

    async def _continue(
        self,
        answering: Answering,
        earlier: Answer | None,
        text: str,
        files: Sequence[discord.Attachment],
        *,
        heading: str = "",
        note: str = "",
    ) -> None:
        """Answer `text` and `files`, which follow the answer `earlier`, or begin a conversation without a template.

        `heading` stands above the answer and `note` in its footer.
        """
        user_id = answering.caller.user_id
        attached = await self._services.attachments.read(files, user_id, max_characters=MAX_LENGTH)
        text, budget = "\n\n".join(filter(None, (text, attached.text))), self._services.settings.story_tokens
        request = start(text) if earlier is None else follow_up(earlier, text, user_id, budget)
        request = request.with_pictures(attached.pictures)
        gateway = await self._services.tuning.models.gateway_for(request.template) if request.template else None
        display = Display(heading=heading, note=" · ".join(filter(None, (note, *attached.notes))))
        answer = replace(await answering.ask(request, gateway=gateway), display=display)
        await answering.finish(answer)
        if earlier is not None and answering.reply.private:  # Both answers outlive a restart, as their buttons do.
            for one in (earlier, answer):
                await self._services.prompts.persist(await self._services.prompts.find(one.id) or one, new=False)

    async def _answer_to_continue(self, caller: Caller, prompt_id: str) -> Answer:
        """The answer that `caller` follows up on. Raises `NotAllowedError`, or `NotFoundError` if it is not stored."""
        guilds = self._services.guilds
        if not guilds.has_conversations(caller):
            raise NotAllowedError(
                "This server has no follow-ups here; its managers can allow them with /settings privacy and /settings "
                "channels."
            )
        earlier = await self._services.prompts.find(prompt_id)
        if earlier is None:
            raise NotFoundError(NOT_STORED)
        if earlier.caller.guild_id != caller.guild_id:
            raise NotAllowedError("This answer is from another server.")
        guilds.allow_menu(caller.guild_id, caller.user_id, earlier.caller.user_id)
        return earlier

    async def _is_of_story(self, message: discord.Message) -> bool:
        """Whether an adventure takes the message: it is in a story's channel, or replies to a turn."""
        adventures = self._services.adventures
        if await adventures.active_in(message.channel.id) is not None:
            return True
        replied = message.reference.message_id if message.reference is not None else None
        return replied is not None and await adventures.story_of_message(replied) is not None


def _can_be_answered(message: discord.Message) -> bool:
    """Whether the bot may write in the channel of `message`; in direct messages it always may."""
    if message.guild is None:
        return True
    permissions = message.channel.permissions_for(message.guild.me)
    if not isinstance(message.channel, discord.Thread):
        return permissions.send_messages
    return permissions.send_messages_in_threads and (permissions.manage_threads or not message.channel.locked)


async def _replied_to(message: discord.Message, *, may_fetch: bool) -> discord.Message | None:
    """The message that `message` replies to. It almost always comes along with the reply."""
    reference = message.reference
    if message.type is not discord.MessageType.reply or reference is None or reference.message_id is None:
        return None
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    if not may_fetch or isinstance(reference.resolved, discord.DeletedReferencedMessage):
        return None
    with suppress(*DELIVERY_ERRORS):
        return await message.channel.fetch_message(reference.message_id)
    return None


def _prompt_in(message: discord.Message) -> str | None:
    """The id of the prompt of the answer that `message` shows; None if it is no answer."""
    return next((item.argument for item in actions_in(message) if item.action == "prompt"), None)


async def _prompt_after(part: discord.Message) -> str | None:
    """The id of the prompt of an answer of several messages, of which `part` is not the last: that has the buttons."""
    if part.components or len(part.content) < MIN_PART:
        return None
    with suppress(*DELIVERY_ERRORS):
        async for later in part.channel.history(after=part, limit=MAX_PIECES - 1):
            if later.author != part.author:
                break
            if prompt_id := _prompt_in(later):
                return prompt_id
    return None


async def setup(bot: commands.Bot) -> None:
    """Add the button and the listener."""
    await bot.add_cog(Conversations(bot, services_of(bot)))
