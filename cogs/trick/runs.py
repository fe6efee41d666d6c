"""Test runs: estimates, the runs with their card in the channel, and the buttons and menus of both."""

import asyncio
import contextvars
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import discord
from discord.ext import commands

from bot.core.errors import FewshotError, NotFoundError
from bot.core.i18n import _, use_locale
from bot.server.trick_form import main_input
from bot.server.trick_runs import Prepared, TrickRun
from bot.services import Services
from bot.ui.caller import caller_of
from bot.ui.cards import notice
from bot.ui.errors import DELIVERY_ERRORS, TEMPORARY_ERRORS
from bot.ui.files import to_files
from bot.ui.locale import locale_of_guild
from bot.ui.pictures import Picture
from bot.ui.stream_editor import TOO_OLD, UNKNOWN_MESSAGE
from bot.ui.views import LayoutView
from cogs._access import managed_guild
from cogs._store_first import edit_pressed, store_first
from cogs.trick.run_cards import (
    EXAMPLES,
    INPUT,
    SCORE,
    Choice,
    estimate_card,
    failures_card,
    progress_card,
    result_card,
)

_log = logging.getLogger(__name__)
# Seconds between two updates of the card of a run.
UPDATE_INTERVAL = 2.0


class Runs:
    """The handlers of test runs, and the tasks of those that are running."""

    def __init__(self, bot: commands.Bot, services: Services) -> None:
        self._bot, self._services, self._runs = bot, services, services.trick_runs
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._resuming: asyncio.Task[None] | None = None
        services.actions.register("test-open", self.open)
        services.actions.register_select("test-judge", self.set_judge)
        services.actions.register_select("test-repeat", self.set_repeat)
        services.actions.register("test-run", self.run)
        services.actions.register("test-stop", self.stop)
        services.actions.register("test-go-on", self.go_on)
        services.actions.register("test-failures", self.failures)
        services.actions.register("test-again", self.again)
        services.actions.register("examples-open", self.open_examples)
        services.actions.register("examples-input", self.try_input)

    def begin(self) -> None:
        """Let the runs that a stop or a crash of the bot has interrupted go on, once the servers are known."""
        self._resuming = contextvars.Context().run(asyncio.create_task, self._resume())

    async def end(self) -> None:
        """Cancel the running tasks. Their runs go on at the next start."""
        tasks = {*self._tasks.values(), *([self._resuming] if self._resuming else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- before a run

    async def open(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Show what a run of a trick's tests takes."""
        await self._show_estimate(interaction, Choice(SCORE, name))

    async def open_examples(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Show what it takes to leave out each example in turn."""
        await self._show_estimate(interaction, Choice(EXAMPLES, name))

    async def try_input(self, interaction: discord.Interaction[Any], prompt_id: str) -> None:
        """Show what it takes to leave out each example in turn on the input of an answer."""
        await self._show_estimate(interaction, Choice(INPUT, "", source=prompt_id))

    async def again(self, interaction: discord.Interaction[Any], run_id: str) -> None:
        """Show what it takes to run the failures of a run again."""
        run = await self._runs.find(run_id, managed_guild(interaction))
        await self._show_estimate(interaction, Choice(SCORE, run.name, run.row.judge, run.row.repeat, run_id))

    async def set_judge(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Show the estimate with another judge."""
        await self._show_estimate(interaction, replace(Choice.read(argument), judge=chosen[0]), edit=True)

    async def set_repeat(self, interaction: discord.Interaction[Any], argument: str, chosen: list[str]) -> None:
        """Show the estimate with another number of repetitions."""
        await self._show_estimate(interaction, replace(Choice.read(argument), repeat=int(chosen[0])), edit=True)

    async def _show_estimate(
        self, interaction: discord.Interaction[Any], choice: Choice, *, edit: bool = False
    ) -> None:
        guild = managed_guild(interaction)
        await (interaction.response.defer() if edit else interaction.response.defer(ephemeral=True, thinking=True))
        prepared = await self._prepare(guild, choice)
        estimate = await self._runs.estimate(caller_of(interaction), prepared.plan)
        await interaction.edit_original_response(view=estimate_card(choice, prepared, estimate))

    async def _prepare(self, guild: int, choice: Choice) -> Prepared:
        if choice.about == INPUT:
            prompt = await self._services.prompts.find(choice.source)
            if prompt is None or prompt.template is None or prompt.caller.guild_id != guild:
                raise NotFoundError("The prompt of this answer is no longer stored.")
            text = prompt.values[main_input(prompt.template, prompt.values)]
            plan = await self._runs.prepare_input(guild, prompt.caller.user_id, prompt.template.name, text)
            return Prepared(plan, ())
        return await self._runs.prepare(
            guild,
            choice.name,
            kind="examples" if choice.about == EXAMPLES else "score",
            judge=choice.judge,
            repeat=choice.repeat,
            source=choice.source,
        )

    # --- a run

    async def run(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Start a run."""
        prepared = await self._prepare(managed_guild(interaction), Choice.read(argument))
        run = await store_first(interaction, self._runs.start(caller_of(interaction), prepared.plan))
        await edit_pressed(interaction, notice(_("The test runs"), [_("Its card is in this channel.")]))
        await self._post(run)

    async def _post(self, run: TrickRun) -> None:
        """Post the card of a run, and execute the run. Raises `FewshotError` where the card cannot be posted."""
        channel, results = self._channel(run), await self._runs.results(run)
        with use_locale(self._locale(run)):
            card = progress_card(run, len(results.cells), len(results.plan.cells))
        try:
            # Discord ignores a second message with the same nonce for some minutes.
            message = await channel.send(view=card, nonce=run.row.id)
        except discord.HTTPException as error:
            await self._runs.stop(run.row.id)
            raise FewshotError("I cannot write in this channel, so the test has no card. Try another one.") from error
        await self._runs.set_message(run.row.id, message.id)
        self._launch(await self._runs.find(run.row.id))

    def _launch(self, run: TrickRun) -> None:
        """Execute a run in a task of its own."""
        if run.row.id not in self._tasks:
            # Not in the context of the interaction, whose language may be another one.
            task = contextvars.Context().run(asyncio.create_task, self._execute(run))
            self._tasks[run.row.id] = task
            task.add_done_callback(lambda _task: self._tasks.pop(run.row.id, None))

    async def _execute(self, run: TrickRun) -> None:
        with use_locale(self._locale(run)):
            showing = asyncio.create_task(self._show_progress(run, progress := _Progress()))
            try:
                try:
                    ended = await self._runs.execute(run, progress.set)
                finally:  # No progress is shown after the result.
                    showing.cancel()
                    await asyncio.wait([showing])
                await self._show_result(ended)
            except TEMPORARY_ERRORS as error:  # The trick was removed, or the database or Discord cannot be reached.
                _log.warning("the result of the run %s cannot be shown: %s", run.row.id, error)

    async def _show_progress(self, run: TrickRun, progress: "_Progress") -> None:
        """Edit the card while the run goes on."""
        seen = -1
        while True:
            await asyncio.sleep(UPDATE_INTERVAL)
            if progress.done != seen:
                seen = progress.done
                try:
                    await self._edit(run, progress_card(run, progress.done, progress.total), [])
                except DELIVERY_ERRORS as error:  # The next edit shows everything.
                    _log.debug("the card of the run %s was not edited: %s", run.row.id, error)

    async def _show_result(self, run: TrickRun) -> None:
        """Show the result on the card; post it again where the card was deleted or is too old to be edited."""
        card, pictures = await result_card(run, await self._runs.results(run))
        try:
            await self._edit(run, card, pictures)
        except discord.HTTPException as error:
            if error.code not in (UNKNOWN_MESSAGE, TOO_OLD):
                raise
            message = await self._channel(run).send(view=card, files=to_files(pictures))
            await self._runs.set_message(run.row.id, message.id)

    async def _edit(self, run: TrickRun, card: LayoutView, pictures: Sequence[Picture]) -> None:
        if run.row.message_id is not None:
            message = self._channel(run).get_partial_message(run.row.message_id)
            await message.edit(view=card, attachments=to_files(pictures))

    async def _resume(self) -> None:
        await self._bot.wait_until_ready()
        for run in await self._runs.running():
            if self._bot.get_guild(run.guild_id) is None:  # Another process serves this server.
                continue
            if run.row.kind == "watch":
                if not self._is_watched(run.guild_id):
                    await self._runs.stop(run.row.id)
                continue
            if run.row.message_id is not None:
                self._launch(run)
                continue
            try:
                await self._post(run)
            except TEMPORARY_ERRORS as error:
                _log.warning("the card of the run %s cannot be shown: %s", run.row.id, error)

    def _is_watched(self, guild_id: int) -> bool:
        """Whether the model watch lets its runs go on in a server."""
        has_channel = self._services.guilds.of(guild_id).report_channel is not None
        return has_channel and bool(self._services.model_watch.most_usd)

    def _channel(self, run: TrickRun) -> discord.PartialMessageable:
        return self._bot.get_partial_messageable(run.row.channel_id, guild_id=run.guild_id)

    def _locale(self, run: TrickRun) -> str:
        return locale_of_guild(self._bot, self._bot.get_guild(run.guild_id))

    # --- the buttons of a run's card

    async def stop(self, interaction: discord.Interaction[Any], run_id: str) -> None:
        """End a run; its answers stay, and it may go on."""
        run = await self._runs.find(run_id, managed_guild(interaction))
        await interaction.response.defer()
        task = self._tasks.get(run_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._runs.stop(run_id)
        with use_locale(self._locale(run)):
            await self._show_result(await self._runs.find(run_id))

    async def go_on(self, interaction: discord.Interaction[Any], run_id: str) -> None:
        """Let a stopped run go on where it ended."""
        await self._runs.find(run_id, managed_guild(interaction))
        run = await store_first(interaction, self._runs.go_on(caller_of(interaction), run_id))
        results = await self._runs.results(run)
        with use_locale(self._locale(run)):
            await edit_pressed(interaction, progress_card(run, len(results.cells), len(results.plan.cells)))
        self._launch(run)

    async def failures(self, interaction: discord.Interaction[Any], run_id: str) -> None:
        """Show the failures to the manager who pressed."""
        run = await self._runs.find(run_id, managed_guild(interaction))
        await interaction.response.defer(ephemeral=True, thinking=True)
        card, files = failures_card(run, await self._runs.results(run))
        await interaction.edit_original_response(view=card, attachments=to_files(files))


class _Progress:
    """How far a run is."""

    def __init__(self) -> None:
        self.done = self.total = 0

    def set(self, done: int, total: int) -> None:
        """Note the finished and all answers."""
        self.done, self.total = done, total
