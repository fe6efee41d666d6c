"""`/ask`: the model chooses the trick that fits a request; the bot says which and why, and runs it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.rendering import page_of
from bot.answers.service import footer
from bot.core.errors import InputError, NoModelError, NotFoundError, ReplyError
from bot.core.i18n import N_, _
from bot.core.text import shorten
from bot.llm.completion import Answer
from bot.llm.routing import describe_templates, parse_choice, without_unfillable_examples
from bot.llm.template import ChatTemplate
from bot.server.trick import Trick
from bot.services import Services, services_of
from bot.ui.actions import ActionSelect
from bot.ui.caller import caller_of
from bot.ui.reply import Page, Reply

LONGEST = 6_000
MENU = "choose"
UNREADABLE = N_(
    "The model's choice of a trick could not be read. Put your request in other words, or use the command you want."
)


@dataclass(frozen=True, slots=True)
class Tricks:
    """What can be chosen in one place: the shipped templates, and what the server taught."""

    shipped: Mapping[str, ChatTemplate]
    own: Mapping[str, Trick]

    @property
    def faces(self) -> dict[str, ChatTemplate]:
        """What the model is told of each: of a server's trick its purpose and its one input."""
        return {**self.shipped, **{name: trick.selector_view() for name, trick in self.own.items()}}

    def template(self, name: str, inputs: Mapping[str, str]) -> ChatTemplate:
        """The template to fill with `inputs`."""
        if name in self.own:
            return self.own[name].for_text(inputs[self.own[name].input])
        return without_unfillable_examples(self.shipped[name], inputs)


class Ask(commands.Cog):
    """Prompt selection: templates described to the model, which answers with a name and its inputs."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def cog_load(self) -> None:
        """Serve the menu to choose another trick."""
        self._services.actions.register(MENU, self.choose)

    async def cog_unload(self) -> None:
        """Serve it no longer."""
        self._services.actions.unregister(MENU)

    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.command(name="ask", description="Say what you want; I choose the trick that fits")
    @app_commands.describe(request="What you want, in your own words, with the text it is about")
    async def ask(self, interaction: discord.Interaction[Any], request: app_commands.Range[str, 1, LONGEST]) -> None:
        """Choose a trick for `request` and run it."""
        if not request.strip():
            raise InputError("Ask for something, say: “Translate into Greek: where is the station?”")
        await self._run(interaction, request)

    async def choose(self, interaction: discord.Interaction[Any], prompt_id: str, chosen: list[str]) -> None:
        """Run another trick on the same request, as a new answer."""
        selection = await self._services.prompts.find(prompt_id)
        if selection is None:
            raise NotFoundError("I do not keep that request any more; ask again.")
        await self._run(interaction, selection.messages[-1]["content"], chosen)

    async def _run(
        self, interaction: discord.Interaction[Any], request: str, chosen: Collection[str] | None = None
    ) -> None:
        """Select a trick, of those `chosen` or of all, and run it; a selection that fails leaves the menu."""
        answers = self._services.answers
        with self._services.inflight.track(interaction):
            hidden = self._services.guilds.private(interaction.guild_id, "ask")
            async with Reply(interaction, private=hidden) as reply:
                tricks = await self._tricks(interaction.guild_id)
                among = {
                    name: selector_view
                    for name, selector_view in tricks.faces.items()
                    if chosen is None or name in chosen
                }
                if not among:
                    raise NotFoundError("I do not know that trick any more; ask again.")
                try:
                    selection = await self._select(interaction, request, among)
                except NoModelError as error:
                    await answers.show_prompt_instead(reply, interaction, error)
                    return
                except ReplyError as error:
                    raise ReplyError(UNREADABLE) from error
                try:
                    choice = parse_choice(_object(selection), among)
                except ReplyError as error:
                    await self._none_fits(reply, selection, tricks, str(error))
                    return
                inputs = dict(choice.inputs)
                if choice.template in tricks.shipped:
                    inputs = self._services.templates.with_sample(inputs)

                def render(answer: Answer) -> Page:
                    head = f"**{choice.template}** · {shorten(choice.why, 200)}"
                    page = page_of(answer)
                    menu = _menu(selection, tricks, choice.template)
                    return replace(page, text=f"-# {head}\n{page.text}", items=(menu,))

                template = tricks.template(choice.template, inputs)
                earlier = [selection]
                await answers.give_in(reply, interaction, template, inputs, render=render, earlier=earlier)

    async def _select(
        self, interaction: discord.Interaction[Any], request: str, tricks: Mapping[str, ChatTemplate]
    ) -> Answer:
        """Ask the model which of `tricks` fits; the menu finds the request in the prompt of this."""
        template = self._services.templates.get("select")
        return await self._services.gateway.ask(
            caller_of(interaction), template.fill({"tricks": describe_templates(tricks), "request": request})
        )

    async def _none_fits(self, reply: Reply, selection: Answer, tricks: Tricks, why: str) -> None:
        """Say what went wrong and let the person choose."""
        note = _object(selection).get("why", "") if _object(selection).get("template") == "none" else ""
        text = _("None of my tricks fits this: {why}", why=shorten(str(note), 300)) if note else why
        text += "\n" + _("You can choose one yourself.")
        page = Page(text, footer(selection), (_menu(selection, tricks),))
        message = await reply.finish(page)
        await self._services.answers.keep(message, selection, private=reply.private)

    async def _tricks(self, guild_id: int | None) -> Tricks:
        """The templates that people use, and the server's own."""
        return Tricks(self._services.templates.tricks, await self._services.tricks.all(guild_id))


def _menu(selection: Answer, tricks: Tricks, chosen: str = "") -> ActionSelect:
    """The tricks to choose from, less the one that was chosen."""
    options = [
        discord.SelectOption(label=name, description=shorten(_about(name, template, tricks), 100), value=name)
        for name, template in tricks.faces.items()
        if name != chosen
    ]
    return ActionSelect(MENU, selection.id, options, _("Choose another trick"))


def _about(name: str, template: ChatTemplate, tricks: Tricks) -> str:
    """What a trick is for: of a shipped one in the reader's language, of the server's own as it was taught."""
    return template.about if name in tricks.own else _(template.about)


def _object(selection: Answer) -> dict[str, Any]:
    """The JSON object that the selection template promises."""
    reply = selection.reply
    return reply if isinstance(reply, dict) else {}


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Ask(services_of(bot)))
