"""The Prompt and Share buttons under every answer, and on the prompt's card the shot selector and Export."""

import json
import re
from collections import deque
from dataclasses import replace
from typing import Any

import discord
from discord.ext import commands

from bot.answers.prompt_view import prompt_card
from bot.answers.rendering import shown_text
from bot.answers.service import buttons
from bot.core.errors import NoModelError, NotAllowedError, NotFoundError, ReplyError
from bot.core.i18n import N_, _, guild_locale
from bot.core.text import MESSAGE_LIMIT, code_block, escape_markdown, split_message
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.server.model_gateway import dry_run
from bot.services import Services, services_of
from bot.ui.actions import actions_in
from bot.ui.caller import caller_of
from bot.ui.cards import Card
from bot.ui.files import to_files
from bot.ui.views import View

NOT_STORED = N_("The prompt of this answer is no longer stored.")
SHOTS = {
    "0": N_("Running the same input with no example …"),
    "1": N_("Running the same input with one example …"),
    "3": N_("Running the same input with three examples …"),
    "all": N_("Running the same input with all examples …"),
    "tuned": N_("Running the same input with the tuned model …"),
}
# Runs in the folder of the exported template, if the package is installed and a model is configured.
CODE_PROGRAM = """\
import asyncio
from bot.llm import ChatTemplate
completion = asyncio.run(ChatTemplate.from_file({file!r}).completion({values!r}))
print(completion.choices[0].message.content)
"""


class PromptCog(commands.Cog, name="Prompt"):
    """The buttons under an answer: Prompt, Share, the shot selector and Export, for the asker and managers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # Ids of messages that were shared or are being shared, so that a second press does nothing.
        self._shared: deque[int] = deque(maxlen=1_000)
        services.actions.register("prompt", self.show)
        services.actions.register("share", self.share)
        services.actions.register("shots", self.rerun)
        # The action of the shot selector in earlier versions; old messages still have it.
        services.actions.register("rung", self.rerun)
        services.actions.register("export", self.export)

    async def show(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """The prompt as a card, for the one who pressed."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        prompt = await self._found(interaction, prompt_id)
        card, files = prompt_card(prompt, tuned=await self._services.answers.has_tuned(prompt))
        await interaction.edit_original_response(view=card, attachments=to_files(files))
        if interaction.message is not None and interaction.message.flags.ephemeral:
            # The prompt of a private answer is stored only once its asker has opened it.
            await self._services.prompts.persist(prompt, new=False)

    async def share(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Post a private answer publicly, once. The text is that of the message, if it has the whole answer."""
        message = interaction.message
        assert message is not None, "every button belongs to a message"
        prompt = await self._services.prompts.find(prompt_id)
        asked_by = message.interaction_metadata.user.id if message.interaction_metadata else interaction.user.id
        if (prompt.caller.user_id if prompt is not None else asked_by) != interaction.user.id:
            raise NotAllowedError("Only the one who asked can share this answer.")
        # A second press may arrive before the button is removed.
        if message.id in self._shared:
            raise NotFoundError("This answer is shared already.")
        self._shared.append(message.id)
        try:
            others = [item for item in actions_in(message) if item.action != "share"]
            await interaction.response.edit_message(view=View(*others) if others else None)
            with guild_locale():
                await self._post(interaction, message, prompt)
        except BaseException:  # It can be tried again.
            self._shared.remove(message.id)
            await interaction.edit_original_response(view=View(*actions_in(message)))
            raise

    async def _post(
        self, interaction: discord.Interaction[Any], message: discord.Message, prompt: Answer | None
    ) -> None:
        """Send the answer in `message` publicly."""
        files = [await attachment.to_file() for attachment in message.attachments]
        texts = _whole(message, prompt)
        name = escape_markdown(interaction.user.display_name)
        texts[-1] += "\n" + _("-# shared by {name}", name=name)
        for number, text in enumerate(texts):
            last = number == len(texts) - 1
            extra: dict[str, Any] = {"view": View(*buttons(prompt.id))} if last and prompt is not None else {}
            sent = await interaction.followup.send(
                text[:MESSAGE_LIMIT], files=files if last else [], wait=True, **extra
            )
            if last and prompt is not None:
                await self._services.prompts.persist(replace(prompt, message_id=sent.id), new=False)

    async def rerun(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Run the same input again with another number of examples, in place of the card."""
        prompt_id, _colon, shots = argument.partition(":")
        base = await self._found(interaction, prompt_id)
        template = await self._with_shots(base, shots)
        tuned = await self._services.answers.has_tuned(base)
        running = Card(_(SHOTS[shots]))
        await interaction.response.edit_message(view=running.layout(), attachments=[])
        shown = prompt_card(base, tuned=tuned)
        try:
            answer, text = await self._run(interaction, template, base)
            shown = prompt_card(answer, base=base, shots=shots, text=text, tuned=tuned)
        finally:  # The shot selector is shown again, also after a failure.
            card, files = shown
            await interaction.edit_original_response(view=card, attachments=to_files(files))

    async def _run(
        self, interaction: discord.Interaction[Any], template: ChatTemplate, base: Answer
    ) -> tuple[Answer, str]:
        """The answer, and its text to show; no text where no model is connected."""
        caller = caller_of(interaction, base.caller.source)
        request = base.first_request.with_template(template).with_model_of(base.request)
        try:
            gateway = await self._services.tuning.models.gateway_for(template)
            answer = await gateway.ask(caller, request)
        except NoModelError as error:
            if error.request is None:
                raise
            return dry_run(caller, request), ""
        except ReplyError as error:
            if not isinstance(error.answer, Answer):
                raise
            return error.answer, f"{error}\n\n{error.answer.text}"
        return answer, shown_text(answer)

    async def _with_shots(self, base: Answer, shots: str) -> ChatTemplate:
        """The template of `base` with the chosen examples; raises `NotFoundError` for a choice that does not exist."""
        if base.template is None or shots not in SHOTS:
            raise NotFoundError(NOT_STORED)
        if shots == "all":
            return base.template
        if shots != "tuned":
            return base.template.with_examples(int(shots))
        tuned = await self._services.answers.find_tuned(base.request)
        if tuned is None:
            raise NotFoundError("No model is tuned for this any more.")
        return tuned

    async def export(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """The template as JSON, and four lines of Python that run it on the same input."""
        prompt = await self._found(interaction, prompt_id)
        if prompt.template is None:
            raise NotFoundError(NOT_STORED)
        name = re.sub(r"[^a-z0-9-]", "", prompt.request.name) or "template"
        code = CODE_PROGRAM.format(file=f"{name}.json", values=dict(prompt.values))
        data = json.dumps(prompt.template.to_dict(), ensure_ascii=False, indent=2) + "\n"
        shown = code_block(code.strip(), "python") if len(code) < MESSAGE_LIMIT - 300 else ""
        text = _(
            "The template, and four lines that run it. Put both files into one folder and type `python {name}.py` "
            "there, where Fewshot is installed and `OPENAI_API_KEY` is set.",
            name=name,
        )
        await interaction.response.send_message(
            f"{text}\n{shown}",
            files=to_files([(f"{name}.json", data.encode()), (f"{name}.py", code.encode())]),
            ephemeral=True,
        )

    async def _found(self, interaction: discord.Interaction[Any], prompt_id: str) -> Answer:
        """The prompt. Raises `NotFoundError` if it is not stored, `NotAllowedError` if the person may not see it."""
        prompt = await self._services.prompts.find(prompt_id)
        if prompt is None:
            raise NotFoundError(NOT_STORED)
        caller = caller_of(interaction)
        manages = prompt.caller.guild_id == caller.guild_id and interaction.permissions.manage_guild
        if caller.user_id != prompt.caller.user_id and not (caller.guild_id is not None and manages):
            raise NotAllowedError("Only the one who asked and those who manage this server may see this prompt.")
        return prompt

    @commands.Cog.listener()
    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Delete the prompt of a deleted answer."""
        await self._services.privacy.messages_deleted(event.message_id)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Delete the prompts of answers that were deleted in bulk."""
        await self._services.privacy.messages_deleted(*event.message_ids)


def _whole(message: discord.Message, prompt: Answer | None) -> list[str]:
    """The texts to share: the text of `message`, or all pieces of an answer that needed several messages."""
    text = shown_text(prompt) if prompt is not None else ""
    if len(text) <= max(len(message.content), MESSAGE_LIMIT - 200):
        text = message.content
    # The pieces leave room for the line that says who shared it.
    return split_message(text, MESSAGE_LIMIT - 100) or [message.content]


async def setup(bot: commands.Bot) -> None:
    """Register the buttons."""
    await bot.add_cog(PromptCog(services_of(bot)))
