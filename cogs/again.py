"""**Stop** while an answer is written, and **Again** afterwards, with ◀ 2/3 ▶ between the versions of the answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import discord
from discord.ext import commands

from bot.answers.service import STOP, final_page
from bot.core.errors import FewshotError, InputError, NotAllowedError, NotFoundError
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.services import Services, services_of
from bot.ui.actions import ActionButton, ActionSelect, actions_in
from bot.ui.caller import caller_of
from bot.ui.errors import report_error
from bot.ui.reply import fits_message, in_one_message

AGAIN, VERSION = "again", "version"
# The buttons that every answer has; its command may have added others.
COMMON = frozenset({"share", "prompt", AGAIN, "follow", "more", VERSION, STOP})
# Versions of one answer, so that paging reads few rows.
MAX_VERSIONS = 10
# Without these, a model does not answer the same request with the same words.
REPEATING = frozenset({"temperature", "top_p", "seed"})


class Again(commands.Cog):
    """The buttons that stop an answer, ask once more, and page among the versions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # The messages in which another version is being written.
        self._busy: set[int] = set()
        services.actions.register(STOP, self.stop)
        services.actions.register(AGAIN, self.again)
        services.actions.register(VERSION, self.page)

    async def stop(self, interaction: discord.Interaction[Any], key: str) -> None:
        """Stop the answer that is being written. Its last edit comes from the command that asked."""
        self._services.answers.stop(key, caller_of(interaction))
        await interaction.response.defer()

    async def again(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Answer the same request once more, in the same message; after a failure the answer stays that was shown.

        An answer that is a card or needs several messages stays, and the new one follows it.
        """
        message, shown = await self._shown(interaction, prompt_id)
        in_place = not message.flags.components_v2 and fits_message(final_page(shown, share=False))
        versions = await self._services.prompts.versions(shown, message.id)
        if len(versions) >= MAX_VERSIONS:
            raise InputError("This answer has {n} versions already. Send the command again for more.", n=MAX_VERSIONS)
        if message.id in self._busy:
            raise NotFoundError("Another version of this answer is being written already.")
        self._busy.add(message.id)
        try:
            await self._ask_again(interaction, message, shown, versions if in_place else None)
        finally:
            self._busy.remove(message.id)

    async def _ask_again(
        self,
        interaction: discord.Interaction[Any],
        message: discord.Message,
        shown: Answer,
        versions: Sequence[Answer] | None,
    ) -> None:
        """Ask once more. `versions` are those in the message that the new one joins; None for a message of its own."""
        request, private = _once_more(shown), message.flags.ephemeral
        gateway = await self._services.tuning.models.gateway_for(request.template) if request.template else None
        if versions is not None:
            await interaction.response.defer()
        async with self._services.answers.open(interaction, private=private, source=shown.caller.source) as answering:
            if versions is None:
                new = await answering.ask(request, gateway=gateway)
                items = _added_by_command(message, shown.id, new.id)
                await answering.finish(replace(new, display=replace(shown.display, problem="")), items=items)
                return
            answering.reply.in_place = True
            shown_number = versions.index(shown) + 1, len(versions)
            answer: Answer | None = None
            try:
                answer = await answering.ask(request, gateway=gateway)
            except FewshotError as error:
                await report_error(interaction, error)
            finally:
                if answer is None:
                    await answering.show(shown, items=_added_by_command(message), version=shown_number)
            if answer is not None:
                new = replace(answer, display=replace(shown.display, problem=""))
                items = _added_by_command(message, shown.id, new.id)
                await answering.finish(new, items=items, version=(len(versions) + 1, len(versions) + 1))
                if private:  # The versions outlive a restart, as their buttons do.
                    for version in (shown, replace(new, message_id=message.id)):
                        await self._services.prompts.persist(version, new=False)

    async def page(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Show the version before or after the one that is shown."""
        prompt_id, _colon, direction = argument.partition(":")
        message, shown = await self._shown(interaction, prompt_id)
        versions = await self._services.prompts.versions(shown, message.id)
        number = versions.index(shown) + (1 if direction == "on" else -1)
        if not 0 <= number < len(versions):
            raise NotFoundError("There is no other version on this side any more.")
        share = any(item.action == "share" for item in actions_in(message))
        items = _added_by_command(message, shown.id, versions[number].id)
        page = final_page(versions[number], share=share, items=items, version=(number + 1, len(versions)))
        await interaction.response.edit_message(**in_one_message(page))

    async def _shown(self, interaction: discord.Interaction[Any], prompt_id: str) -> tuple[discord.Message, Answer]:
        """The message and the answer in it. Raises `NotFoundError`, or `NotAllowedError` unless the person asked."""
        message = interaction.message
        assert message is not None, "every button belongs to a message"
        shown = await self._services.prompts.find(prompt_id)
        if shown is None:
            raise NotFoundError("The prompt of this answer is no longer stored; ask again.")
        if shown.caller.user_id != interaction.user.id:
            raise NotAllowedError("Only the one who asked can ask again and choose the version that is shown.")
        # A custom id can be forged, and no other message may be replaced. Cards are not replaced.
        here = [item.argument for item in actions_in(message) if item.action == AGAIN]
        is_here = message.flags.components_v2 or prompt_id in here or shown.message_id == message.id
        if not is_here:
            raise NotFoundError("This message does not show that answer any more.")
        return message, shown


def _once_more(shown: Answer) -> Request:
    """The request of `shown`, without what makes a model repeat its words."""
    request = shown.first_request
    kept = {name: value for name, value in request.parameters.items() if name not in REPEATING}
    return replace(request, parameters=kept)


def _added_by_command(message: discord.Message, old: str = "", new: str = "") -> list[ActionButton | ActionSelect]:
    """The buttons and menus that a command added to those of every answer, for the prompt `new` in place of `old`."""
    added = [item for item in actions_in(message, {old: new}) if item.action not in COMMON]
    for item in added:
        item.row = None
    return added


async def setup(bot: commands.Bot) -> None:
    """Register the buttons."""
    await bot.add_cog(Again(services_of(bot)))
