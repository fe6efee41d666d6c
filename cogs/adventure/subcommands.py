"""The subcommands of `/adventure`."""

from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.prompt_view import author
from bot.core.errors import NoModelError
from bot.core.i18n import N_, _, ngettext
from bot.core.text import escape_markdown, shorten
from bot.play.action_parser import LONGEST, shown
from bot.play.records import PAUSED, RUNNING, Branch, Story, Turn
from bot.play.transcript import transcript
from bot.play.tree_layout import shape
from bot.services import Services
from bot.ui.pictures import tree_picture
from bot.ui.reply import Page, Reply, to_files
from bot.ui.views import View
from cogs.adventure.controller import Play, person_of, told
from cogs.adventure.menu import switch_menu

# Turns that stand for a recap where no model is connected to tell one.
LAST = 6


class Adventure(commands.GroupCog, name="adventure", description="Play a story together, turn by turn"):
    """Starting, acting, looking back, ending; the rest are buttons under the newest turn."""

    def __init__(self, services: Services, play: Play) -> None:
        self._services, self._play, self._adventures = services, play, services.adventures
        super().__init__()

    @app_commands.command(description="Begin a story, in a thread of its own or in a channel set aside for them")
    @app_commands.describe(scenario="Which story")
    async def start(self, interaction: discord.Interaction[Any], scenario: app_commands.Range[str, 1, 80]) -> None:
        """Begin the story `scenario`."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        with self._services.inflight.track(interaction):
            story = await self._play.start(interaction, scenario)
        here = story.channel_id == interaction.channel_id
        await told(interaction, "" if here else _("The story begins in {channel}.", channel=f"<#{story.channel_id}>"))

    @start.autocomplete("scenario")
    async def scenarios(self, _interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Scenarios by title."""
        found = self._adventures.scenarios.suggested(typed)
        return [app_commands.Choice(name=shorten(f"{one.title}: {_(one.about)}", 100), value=one.name) for one in found]

    @app_commands.command(description="Say what you do, or put what you say in quotation marks")
    @app_commands.describe(text="What you do; “roll 2d6+1” in it is rolled by me. “exit” ends the story")
    async def act(self, interaction: discord.Interaction[Any], text: app_commands.Range[str, 1, LONGEST]) -> None:
        """Take a turn."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        with self._services.inflight.track(interaction):
            await self._play.act(interaction, await self._played(interaction), text)

    @app_commands.command(description="The tree of the story as a picture: every turn, taken back or not")
    async def branches(self, interaction: discord.Interaction[Any]) -> None:
        """Draw the tree, with a menu to go elsewhere in it."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._last(interaction)
        tree, named = await self._adventures.tree(story)
        picture = await tree_picture(shape(tree, named, story.head), story.title)
        places = await self._services.history.places(story) if story.state == RUNNING else []
        more: dict[str, Any] = {"view": View(switch_menu(story, places))} if places else {}
        await interaction.edit_original_response(
            content=_counted(len(tree), named), attachments=to_files([("branches.png", picture)]), **more
        )

    @app_commands.command(description="What happened so far")
    async def recap(self, interaction: discord.Interaction[Any]) -> None:
        """Tell the story so far, to the one who asks."""
        async with Reply(interaction, private=True) as reply:
            with self._services.inflight.track(interaction):
                story = await self._last(interaction)
                try:
                    recap = await self._adventures.recap(story, person_of(interaction))
                except NoModelError:
                    path = await self._adventures.path(story)
                    note = _("-# No model is connected to tell it, so here are the last turns.")
                    await reply.finish(Page("\n".join(map(_short, path[-LAST:])), note))
                    return
                note = _("-# {model} · recap of {title}", model=author(recap.model), title=story.title)
                await reply.finish(Page(recap.text, note))

    @app_commands.command(description="The story as a Markdown file")
    async def transcript(self, interaction: discord.Interaction[Any]) -> None:
        """The path that is played, whole."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._last(interaction)
        path = await self._adventures.path(story)
        text = transcript(story, path).encode()
        await interaction.edit_original_response(
            content=ngettext(
                "{n} turn of “{title}”.",
                "{n} turns of “{title}”.",
                len(path),
                title=escape_markdown(story.title),
            ),
            attachments=to_files([(f"{story.scenario}.md", text)]),
        )

    @app_commands.command(description="Let the story rest")
    async def pause(self, interaction: discord.Interaction[Any]) -> None:
        """Take no turns until it is resumed."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._played(interaction)
        await self._adventures.set_state(story, person_of(interaction), PAUSED)
        self._play.stage.remove_buttons(story)
        await self._play.stage.say(story, N_("The story is paused. `/adventure resume` goes on with it."))
        await told(interaction)

    @app_commands.command(description="Go on with a story that was paused or ended; or show its newest turn again")
    async def resume(self, interaction: discord.Interaction[Any]) -> None:
        """Take the channel's last story up again."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        story = await self._last(interaction)
        if story.state == RUNNING:
            await self._adventures.refuse_unless_player(story, person_of(interaction), known=True)
        else:
            await self._adventures.set_state(story, person_of(interaction), RUNNING)
        await self._adventures.post(await self._adventures.scene(story), self._play.stage)
        await told(interaction)

    @app_commands.command(description="End the story")
    async def end(self, interaction: discord.Interaction[Any]) -> None:
        """End it for everyone."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._play.end(await self._played(interaction), person_of(interaction))
        await told(interaction)

    async def _played(self, interaction: discord.Interaction[Any]) -> Story:
        """The story that is played where the command was used."""
        return await self._adventures.played(interaction.channel_id or 0)

    async def _last(self, interaction: discord.Interaction[Any]) -> Story:
        """That story, or the last one that ended there."""
        return await self._adventures.last(interaction.channel_id or 0)


def _counted(turns: int, named: Sequence[Branch]) -> str:
    """How large a story's tree is, and which of its places have names."""
    if not named:
        return ngettext(
            "{n} turn. Branches: none yet; ⋯ under the newest turn gives one.",
            "{n} turns. Branches: none yet; ⋯ under the newest turn gives one.",
            turns,
        )
    names = ", ".join(f"`{branch.name}`" for branch in named)
    return ngettext("{n} turn. Branches: {names}.", "{n} turns. Branches: {names}.", turns, names=names)


def _short(turn: Turn) -> str:
    words = escape_markdown(shorten(f"{turn.player} › {shown(turn)}", 120))
    return f"> {words}\n{shorten(turn.reply or '…', 180)}"
