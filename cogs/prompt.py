"""The Prompt and Share buttons under every answer."""

from dataclasses import replace
from typing import Any

import discord
from discord.ext import commands

from bot.answers import asker_of, author
from bot.core.errors import NotAllowedError, NotFoundError
from bot.core.text import LIMIT, split
from bot.server.prompts import Prompt
from bot.services import Services, services_of
from bot.ui.actions import ActionButton
from bot.ui.prompt_card import prompt_card
from bot.ui.reply import attached
from bot.ui.safe import View

GONE = "The prompt behind this answer is not kept any more."


def figures(prompt: Prompt) -> list[str]:
    """Model, tokens, price and time as short phrases."""
    about = "about " if prompt.estimated else ""
    cached = f" ({prompt.cached_tokens:,} cached)" if prompt.cached_tokens else ""
    tokens = f"{about}{prompt.prompt_tokens:,} tokens in{cached}, {prompt.completion_tokens:,} out"
    price = "price not known" if prompt.usd is None else f"${float(prompt.usd):.6f}"
    return [author(prompt.model), tokens, price, f"{prompt.seconds:.1f} s"]


class PromptCog(commands.Cog, name="Prompt"):
    """Shows what stands behind an answer, to its asker and to those who manage the server."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def cog_load(self) -> None:
        """Serve the two buttons."""
        self._services.actions.register("prompt", self.show)
        self._services.actions.register("share", self.share)

    async def cog_unload(self) -> None:
        """Serve them no longer."""
        self._services.actions.unregister("prompt")
        self._services.actions.unregister("share")

    async def show(self, interaction: discord.Interaction[Any], prompt_id: str, _: list[str]) -> None:
        """The prompt as a card, for the one who pressed."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        prompt = await self._found(interaction, prompt_id)
        card, files = prompt_card(prompt.technique, prompt.messages, figures(prompt), parameters=prompt.parameters)
        await interaction.edit_original_response(view=card, attachments=attached(files))
        if interaction.message is not None and interaction.message.flags.ephemeral:
            # A private answer's prompt is kept from the moment that its asker wants to see it.
            await self._services.prompts.keep(prompt, new=False)

    async def share(self, interaction: discord.Interaction[Any], prompt_id: str, _: list[str]) -> None:
        """Post a private answer for all to see, once; its text is taken from the message itself where it fits."""
        message = interaction.message
        assert message is not None, "buttons stand under messages"
        # First the button goes, so that a second press finds nothing to press.
        await interaction.response.edit_message(
            view=View(ActionButton("prompt", prompt_id, label="Prompt", emoji="🔍"))
        )
        prompt = await self._services.prompts.find(prompt_id)
        files = [await attachment.to_file() for attachment in message.attachments]
        texts = [message.content]
        if prompt is not None and len(prompt.text) > len(message.content):
            texts = split(prompt.text, LIMIT - 100) or [message.content]
        texts[-1] = f"{texts[-1]}\n-# shared by {discord.utils.escape_markdown(interaction.user.display_name)}"
        for number, text in enumerate(texts):
            last = number == len(texts) - 1
            extra: dict[str, Any] = {}
            if last and prompt is not None:
                extra["view"] = View(ActionButton("prompt", prompt_id, label="Prompt", emoji="🔍"))
            sent = await interaction.followup.send(text[:LIMIT], files=files if last else [], wait=True, **extra)
            if last and prompt is not None:
                await self._services.prompts.keep(replace(prompt, message_id=sent.id), new=False)

    async def _found(self, interaction: discord.Interaction[Any], prompt_id: str) -> Prompt:
        """The prompt, if it is kept and the one who asks may see it."""
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None:
            raise NotFoundError(GONE)
        asker = asker_of(interaction)
        manages = prompt.asker.guild_id == asker.guild_id and interaction.permissions.manage_guild
        if asker.user_id != prompt.asker.user_id and not (asker.guild_id is not None and manages):
            raise NotAllowedError("Only the one who asked and those who manage this server may see this prompt.")
        return prompt

    @commands.Cog.listener()
    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """A deleted answer takes its prompt along."""
        await self._services.prompts.forget_message(event.message_id)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """The same for many at once."""
        await self._services.prompts.forget_message(*event.message_ids)


async def setup(bot: commands.Bot) -> None:
    """Serve the buttons."""
    await bot.add_cog(PromptCog(services_of(bot)))
