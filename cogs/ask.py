"""`/ask`: the model chooses the trick that fits a request; the bot says which and why, and runs it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.model_option import MODEL_ABOUT, ModelOption
from bot.answers.service import Answering
from bot.core.errors import InputError, NotAllowedError, NotFoundError, ReplyError
from bot.core.i18n import N_, _
from bot.core.text import shorten
from bot.llm.completion import Answer, Display
from bot.llm.routing import describe_templates, parse_choice, without_unfillable_examples
from bot.llm.template import ChatTemplate
from bot.server.trick_form import Trick
from bot.services import Services, services_of
from bot.ui.actions import ActionSelect
from bot.ui.uploads import NOTHING, Attached

MAX_LENGTH = 6_000
MENU = "choose"
# The template for questions about a picture; it is offered only where there is one.
PICTURE = "picture"
# The model writes this for an input that is the whole attached text, instead of the text itself.
WHOLE_TEXT_PROMPT = "[attached text]"
TEXT_PROMPT = (
    f"\n\nThe attached text follows. For an input that is all of it, write only {WHOLE_TEXT_PROMPT} there.\n\n"
)
PICTURE_PROMPT = (
    "\n\nThe picture goes to the tool as well. For an input that is a text in it, write: the text in the picture"
)
UNREADABLE = N_(
    "The model's choice of a trick could not be read. Put your request in other words, or use the command you want."
)


@dataclass(frozen=True, slots=True)
class Tricks:
    """The tricks to choose from: the shipped templates, and the tricks of the server."""

    shipped: Mapping[str, ChatTemplate]
    own: Mapping[str, Trick]

    @property
    def views(self) -> dict[str, ChatTemplate]:
        """The templates that the routing prompt describes; for a server's trick, its purpose and its one input."""
        return {**self.shipped, **{name: trick.selector_view() for name, trick in self.own.items()}}

    def template(self, name: str, inputs: Mapping[str, str]) -> ChatTemplate:
        """The template to fill with `inputs`."""
        if name in self.own:
            return self.own[name].for_text(inputs[self.own[name].input])
        return without_unfillable_examples(self.shipped[name], inputs)


class Ask(commands.Cog):
    """Prompt selection: the model gets the descriptions of templates, and answers with a name and its inputs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.actions.register_select(MENU, self.choose)

    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.command(name="ask", description="Say what you want; I choose the trick that fits")
    @app_commands.describe(
        request="What you want, in your own words, with the text it is about",
        file="A picture, a PDF or a text that it is about",
        model=MODEL_ABOUT,
    )
    async def ask(
        self,
        interaction: discord.Interaction[Any],
        request: app_commands.Range[str, 1, MAX_LENGTH],
        file: discord.Attachment | None = None,
        model: ModelOption | None = None,
    ) -> None:
        """Choose a trick for `request` and run it."""
        if not request.strip():
            raise InputError("Ask for something, for example: “Translate into Greek: where is the station?”")
        await self._run(interaction, request, model, file=file)

    async def choose(self, interaction: discord.Interaction[Any], prompt_id: str, chosen: list[str]) -> None:
        """Run another trick on the same request, as a new answer. Only the asker may."""
        selection = await self._services.prompts.find(prompt_id)
        if selection is None:
            raise NotFoundError("That request is no longer stored; ask again.")
        if selection.caller.user_id != interaction.user.id:
            raise NotAllowedError("Only the one who asked can choose another trick; type /ask for one of your own.")
        text = selection.values.get("attached", "").removeprefix(TEXT_PROMPT)
        model = selection.request.parameters.get("model")
        request = selection.values["request"]
        await self._run(interaction, request, model, Attached(text, selection.first_request.pictures), chosen=chosen)

    async def _run(
        self,
        interaction: discord.Interaction[Any],
        request: str,
        model: str | None,
        attached: Attached = NOTHING,
        *,
        file: discord.Attachment | None = None,
        chosen: Collection[str] | None = None,
    ) -> None:
        """Select one of the `chosen` tricks, or of all, and run it. If no trick can be selected, show the menu."""
        private = self._services.guilds.private(interaction.guild_id, "ask")
        async with self._services.answers.open(interaction, private=private) as answering:
            if file is not None:
                attached = await self._services.attachments.read([file], interaction.user.id, max_characters=MAX_LENGTH)
            shipped = self._services.templates.tricks
            if not attached.pictures:
                shipped.pop(PICTURE, None)
            tricks = Tricks(shipped, await self._services.tricks.all(interaction.guild_id))
            among = {name: view for name, view in tricks.views.items() if chosen is None or name in chosen}
            if not among:
                raise NotFoundError("That trick no longer exists; ask again.")
            selection = await self._select(answering, request, model, attached, among)
            try:
                choice = parse_choice(_object(selection), among)
            except ReplyError as error:
                display = Display(heading=_none_fits(selection, str(error)), form="hidden")
                menu = _menu(selection, tricks)
                await answering.finish(replace(selection, display=display), items=[menu])
                return
            inputs = {name: value.replace(WHOLE_TEXT_PROMPT, attached.text) for name, value in choice.inputs.items()}
            if choice.template in tricks.shipped:
                inputs = self._services.templates.with_sample(inputs)
            asking = tricks.template(choice.template, inputs).fill(inputs).with_pictures(attached.pictures)
            answer = await answering.ask(asking.with_model_of(selection.request))
            heading = " · ".join(filter(None, (f"**{choice.template}**", shorten(choice.why, 200))))
            display = Display(heading=f"-# {heading}", note=" · ".join(attached.notes))
            answer = replace(answer, display=display)
            await answering.finish(answer, selection, items=[_menu(selection, tricks, choice.template)])

    async def _select(
        self,
        answering: Answering,
        request: str,
        model: str | None,
        attached: Attached,
        among: Mapping[str, ChatTemplate],
    ) -> Answer:
        """The model's choice of a trick. Raises `ReplyError` where it is not JSON."""
        values = {"tricks": describe_templates(among), "request": request}
        if attached.text:
            values["attached"] = f"{TEXT_PROMPT}{attached.text}"
        elif attached.pictures:
            values["attached"] = PICTURE_PROMPT
        selecting = self._services.templates.get("select").fill(values).with_pictures(attached.pictures)
        try:
            return await answering.ask(selecting.with_model(model))
        except ReplyError as error:
            unreadable = ReplyError(UNREADABLE)
            unreadable.answer = error.answer
            raise unreadable from error


def _none_fits(selection: Answer, why: str) -> str:
    """Why no trick was selected."""
    choice = _object(selection)
    note = choice.get("why", "") if choice.get("template") == "none" else ""
    text = _("None of my tricks fits this: {why}", why=shorten(str(note), 300)) if note else why
    return f"{text}\n{_('You can choose one yourself.')}"


def _menu(selection: Answer, tricks: Tricks, chosen: str = "") -> ActionSelect:
    """The menu of tricks, without the `chosen` one."""
    options = [
        # The purpose of a server's own trick is in the server's words.
        discord.SelectOption(
            label=name, description=shorten(view.about if name in tricks.own else _(view.about), 100), value=name
        )
        for name, view in tricks.views.items()
        if name != chosen
    ]
    return ActionSelect(MENU, selection.id, options, _("Choose another trick"))


def _object(selection: Answer) -> dict[str, Any]:
    """The JSON object that the selection template promises."""
    reply = selection.reply
    return reply if isinstance(reply, dict) else {}


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Ask(services_of(bot)))
