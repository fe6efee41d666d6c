"""Blind comparisons in Discord: the card with the vote, the votes, and the card that names the models."""

import asyncio
import logging
from collections.abc import Sequence
from time import time
from typing import Any

import discord

from bot.answers.service import Answering
from bot.core.errors import FewshotError
from bot.core.i18n import _, ngettext, use_locale
from bot.core.text import excerpt
from bot.llm.completion import Answer
from bot.server.arena import MAX_VOTES, Arena, Contestant
from bot.services import Services
from bot.ui.actions import ActionButton
from bot.ui.caller import caller_of
from bot.ui.cards import Card
from bot.ui.errors import TEMPORARY_ERRORS
from bot.ui.locale import locale_of_guild
from bot.ui.views import LayoutView
from cogs._store_first import answer_privately, edit_pressed, store_first

_log = logging.getLogger(__name__)
VOTE, REVEAL = "arena-vote", "arena-reveal"
ARGUMENT = r"[A-Za-z0-9_-]{1,32}"
# Seconds between two searches for votes whose time is over: the fewest, and the most. A new vote is open for longer.
MIN_INTERVAL, MAX_INTERVAL = 10.0, 60.0
# Statuses of Discord that are worth another try; the second one and all above it.
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500
# Characters of all answers on a card.
MAX_ANSWERS_LENGTH = 3_000


class BlindComparisons:
    """Opens votes, counts them, and reveals them in time, over restarts."""

    def __init__(self, bot: discord.Client, services: Services) -> None:
        self._bot, self._arenas = bot, services.arenas
        services.actions.register(VOTE, self.vote, argument=rf"{ARGUMENT}:[0-9]")
        services.actions.register(REVEAL, self.reveal, argument=ARGUMENT)

    async def open(
        self, answering: Answering, title: str, contestants: list[Contestant], answers: Sequence[Answer]
    ) -> None:
        """Show the answers without names, with a button for each."""
        arena = await self._arenas.open(answering.caller, title, contestants)
        message = await answering.finish_card(_open_card(arena), answers=answers)
        if message is None:
            await self._arenas.remove(arena.row.id)
        else:
            await self._arenas.set_message(arena, message.id)

    async def vote(self, interaction: discord.Interaction[Any], argument: str) -> None:
        """Count a vote, and say so to the voter alone."""
        arena_id, _colon, choice = argument.rpartition(":")
        voting = self._arenas.vote(arena_id, caller_of(interaction), int(choice))
        last = await store_first(interaction, voting, thinking=True)
        counted = _(
            "Your vote for **{letter}** is counted. Until the end you can change it.", letter=_letter(int(choice))
        )
        await answer_privately(interaction, content=counted)
        if last:
            await self._show(await self._arenas.close(arena_id))

    async def reveal(self, interaction: discord.Interaction[Any], arena_id: str) -> None:
        """End the vote now."""
        arena = await store_first(interaction, self._arenas.close(arena_id, caller_of(interaction)))
        with use_locale(locale_of_guild(self._bot, interaction.guild)):
            await edit_pressed(interaction, _revealed_card(arena))
        await self._arenas.remove(arena_id)

    async def run(self) -> None:
        """Reveal the votes whose time is over, until cancelled."""
        await self._bot.wait_until_ready()
        while True:
            try:
                due, next_close = await self._arenas.due(), await self._arenas.next_close()
            except FewshotError as error:
                _log.warning("votes cannot be revealed yet: %s", error)
                due, next_close = [], None
            for row in due:
                if self._bot.get_guild(row.guild_id) is None:  # Another process serves the server.
                    continue
                try:
                    await self._show(await self._arenas.close(row.id))
                except TEMPORARY_ERRORS as error:  # One vote must not hold up the others.
                    _log.warning("the vote %s cannot be revealed yet: %s", row.id, error)
            # Those that could not be revealed are tried again soon.
            left = 0.0 if due else MAX_INTERVAL if next_close is None else next_close - time()
            await asyncio.sleep(min(max(left, MIN_INTERVAL), MAX_INTERVAL))

    async def _show(self, arena: Arena) -> None:
        """Show the result in the card's message, then forget the vote. Raises `discord.HTTPException`."""
        row = arena.row
        channel = self._bot.get_partial_messageable(row.channel_id, guild_id=row.guild_id)
        with use_locale(locale_of_guild(self._bot, self._bot.get_guild(row.guild_id))):
            card = _revealed_card(arena)
        if row.message_id is not None:
            try:
                await channel.get_partial_message(row.message_id).edit(view=card)
            except discord.HTTPException as error:
                if error.status == TOO_MANY_REQUESTS or error.status >= SERVER_ERROR:
                    raise  # It is tried again.
                _log.info("the message of a vote cannot be edited any more: %s", error)
        await self._arenas.remove(row.id)


def _letter(choice: int) -> str:
    return chr(ord("A") + choice)


def _open_card(arena: Arena) -> LayoutView:
    """The answers under letters."""
    card = Card(_("{trick}, compared blindly", trick=arena.title))
    for number, contestant in enumerate(arena.contestants):
        card.text(f"**{_letter(number)}**\n{_shown(contestant, arena)}").line()
    buttons = [
        ActionButton(VOTE, f"{arena.row.id}:{number}", label=_letter(number), style=discord.ButtonStyle.primary)
        for number in range(len(arena.contestants))
    ]
    card.rows(buttons)
    card.row(ActionButton(REVEAL, arena.row.id, label=_("Reveal"), emoji="🎭"))
    closes = f"<t:{int(arena.row.closes)}:R>"
    note = _(
        "-# Which answer is best? Each person has one vote. The answers are revealed {time}, or after {n} votes.",
        time=closes,
        n=MAX_VOTES,
    )
    return card.text(note).layout()


def _revealed_card(arena: Arena) -> LayoutView:
    """The answers with their votes, the most votes first, and with what was behind them."""
    votes = arena.votes or (0,) * len(arena.contestants)
    card = Card(_("{trick}, revealed", trick=arena.title))
    prompts: list[discord.ui.Item[Any]] = []
    for number in sorted(range(len(votes)), key=lambda at: (-votes[at], at)):
        contestant = arena.contestants[number]
        won = "🏆 " if votes[number] and votes[number] == max(votes) else ""
        counted = ngettext("{n:,} vote", "{n:,} votes", votes[number])
        head = f"{won}**{_letter(number)}** · {contestant.name} · {counted}"
        card.text(f"{head}\n{_shown(contestant, arena)}\n-# {contestant.figures}").line()
        label = _("Prompt {letter}", letter=_letter(number))
        prompts.append(ActionButton("prompt", contestant.prompt_id, label=label, emoji="🔍"))
    card.rows(prompts)
    return card.text(_("-# Only the counts are kept.")).layout()


def _shown(contestant: Contestant, arena: Arena) -> str:
    return excerpt(contestant.text, MAX_ANSWERS_LENGTH // len(arena.contestants))
