"""**Get a model**, where none is connected: an operator chooses one; the bot downloads it and answers the question."""

import asyncio
import time
from typing import Any

import discord
from discord.ext import commands

from bot.answers.rendering import bar, shown_text
from bot.answers.service import buttons, footer
from bot.core.errors import FewshotError, NotFoundError
from bot.core.i18n import _, format_number
from bot.core.settings import LOCAL_SUFFIX
from bot.core.text import escape_markdown
from bot.llm.request import Request
from bot.services import Services, services_of
from bot.ui.actions import ActionButton, ActionSelect
from bot.ui.cards import Card, notice
from bot.ui.errors import DELIVERY_ERRORS
from bot.ui.views import LayoutView
from cogs._access import for_operators

GIGABYTE = 1_000_000_000
MEGABYTE = 1_000_000
# Seconds between two edits of the progress card.
EDIT_INTERVAL = 2.0


class StoppedError(NotFoundError):
    """The operator stopped the download."""


class LocalModelCog(commands.Cog, name="Local models"):
    """Offers the recommended models to those who operate the bot, and fetches the chosen one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # The download under way, once it has begun. A second one is refused and must not undo its Stop.
        self._download: _Done | None = None
        services.actions.register("local-models", for_operators(services.settings, self.offer))
        services.actions.register_select("local-model", for_operators(services.settings, self.ask_licence))
        services.actions.register("local-fetch", for_operators(services.settings, self.fetch))
        services.actions.register("local-stop", for_operators(services.settings, self.stop))

    async def offer(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Show the models with their sizes, only for the operator."""
        self._services.local_models.check()
        await interaction.response.defer(ephemeral=True, thinking=True)
        options = []
        for each in await self._services.local_models.offers():
            note = _("installed") if each.installed else _(each.problem) if each.problem else each.purpose
            size = _("{n:,.1f} GB", n=each.size / GIGABYTE)
            options.append(
                discord.SelectOption(label=f"{each.label} · {size}", value=each.name, description=note[:100])
            )
        card = Card(_("Get a model"))
        card.text(
            _(
                "A language model that runs on the bot's machine, without an account. Larger ones answer better and "
                "slower; each needs a little more memory than its size."
            )
        )
        card.row(ActionSelect("local-model", prompt_id, options[:25], _("Choose a model")))
        await interaction.edit_original_response(view=card.layout())

    async def ask_licence(self, interaction: discord.Interaction[Any], prompt_id: str, chosen: list[str]) -> None:
        """Show the licence of the chosen model, with the button that accepts it."""
        (name,) = chosen
        offers = await self._services.local_models.offers()
        each = next((each for each in offers if each.name == name), None)
        if each is None:
            raise NotFoundError("This model is not in the list any more.")
        lines = [
            _("{n:,.1f} GB on disk, about {m:,.1f} GB of memory.", n=each.size / GIGABYTE, m=each.memory / GIGABYTE),
            _("Licence: {license}", license=escape_markdown(each.license)),
        ]
        if each.problem:
            lines.append("⚠️ " + _(each.problem))
        label = _("Use it") if each.installed else _("Accept the licence and fetch")
        fetch = ActionButton("local-fetch", f"{name}:{prompt_id}", label=label, style=discord.ButtonStyle.success)
        card = Card(escape_markdown(each.label)).text("\n".join(lines)).row(fetch)
        await interaction.response.edit_message(view=card.layout())

    async def fetch(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Fetch the model with a progress card, let it chat, and answer the question that was asked."""
        name, _colon, prompt_id = argument.partition(":")
        await interaction.response.edit_message(view=_progress(name, 0, 1))
        done = _Done()
        if self._download is None:  # else this one will be refused, and Stop is for the other
            self._download = done
        editing = asyncio.create_task(_show_progress(interaction, name, done), name="download-progress")
        try:
            model = await self._services.local_models.fetch(name, done.report)
        except FewshotError as error:
            editing.cancel()
            await asyncio.wait([editing])
            again = ActionButton("local-fetch", argument, label=_("Try again"))
            card = notice(_("No model was fetched"), [str(error)], again)
            await interaction.edit_original_response(view=card)
            return
        finally:
            editing.cancel()
            if self._download is done:
                self._download = None
        self._services.local_models.use(model.name)
        self._services.gateway.use_model(f"{model.name}{LOCAL_SUFFIX}")
        lines = [_("{model} answers from now on.", model=escape_markdown(model.label))]
        if model.warning:
            lines.append("⚠️ " + _(model.warning))
        text = "\n".join(lines)
        await interaction.edit_original_response(view=_connected(text).layout())
        asked = await self._services.prompts.find(prompt_id) if prompt_id else None
        if asked is not None:
            await self._answer(interaction, asked.request, text)

    async def stop(self, interaction: discord.Interaction[Any], _argument: str) -> None:
        """Stop the download; what was fetched is kept."""
        if self._download is not None:
            self._download.stopped = True
        await interaction.response.defer()

    async def _answer(self, interaction: discord.Interaction[Any], request: Request, text: str) -> None:
        """Answer the question that was asked first, on the card: a card cannot become a plain message."""
        async with self._services.answers.open(interaction, private=True) as answering:
            answer = await answering.ask(request, show=False)
            card = _connected(text).line().text(shown_text(answer)).text(footer(answer)).row(*buttons(answer.id))
            await answering.finish_card(card.layout(), answers=[answer])


class _Done:
    """Bytes that are fetched, and bytes in all; written by the thread that fetches."""

    so_far = 0
    total = 1
    stopped = False

    def report(self, so_far: int, total: int) -> None:
        """Note the progress, in the thread that fetches. Raises `StoppedError` after Stop."""
        if self.stopped:
            raise StoppedError("The download was stopped. What was fetched is kept, and the next try goes on there.")
        self.so_far, self.total = so_far, total


async def _show_progress(interaction: discord.Interaction[Any], name: str, done: _Done) -> None:
    """Edit the card every two seconds, until cancelled. An edit that fails is followed by the next one."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(EDIT_INTERVAL)
        try:
            view = _progress(name, done.so_far, done.total, time.monotonic() - began)
            await interaction.edit_original_response(view=view)
        except DELIVERY_ERRORS:
            continue


def _connected(text: str) -> Card:
    return Card(_("Model connected")).text(text)


def _progress(name: str, done: int, total: int, seconds: float = 0.0) -> LayoutView:
    """The card while a model is fetched: a bar, megabytes, and the time that is left."""
    card = Card(_("Fetching {model}", model=escape_markdown(name)))
    card.text(bar(done // MEGABYTE, max(total // MEGABYTE, 1)) + " MB")
    if done and seconds > EDIT_INTERVAL:
        left = seconds * (total - done) / done
        card.text(_("-# about {n} s left", n=format_number(left, ",.0f")))
    return card.row(ActionButton("local-stop", label=_("Stop"), emoji="⏹️")).layout()


async def setup(bot: commands.Bot) -> None:
    """Add the buttons."""
    await bot.add_cog(LocalModelCog(services_of(bot)))
