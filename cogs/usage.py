"""`/usage`: what was used today and in the last thirty days: by oneself, by the server, by the whole bot."""

from datetime import date
from decimal import Decimal
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import asker_of
from bot.core.errors import NotAllowedError
from bot.core.speech import ngettext
from bot.rendering import dollars
from bot.server.ledger import NANO
from bot.services import Services, services_of
from bot.ui.cards import Card
from bot.ui.pictures import days
from bot.ui.reply import attached
from cogs._access import is_operator, managed_guild

DAYS = 30
ME, SERVER, BOT = "me", "server", "bot"
TITLES = {ME: "What you used", SERVER: "What this server used", BOT: "What the bot used"}
# Which of today's limits belong to which view, and what they are called.
LIMITS = {ME: {"user": "", "member": "in this server "}, SERVER: {"guild": ""}, BOT: {"bot": ""}}


class Usage(commands.Cog):
    """Reads the ledger."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(name="usage", description="What was used today and in the last 30 days, and what is left")
    @app_commands.describe(of="Whose use: yours, this server's (for its managers), the bot's (for its operator)")
    @app_commands.choices(
        of=[
            app_commands.Choice(name="me", value=ME),
            app_commands.Choice(name="this server", value=SERVER),
            app_commands.Choice(name="the bot", value=BOT),
        ]
    )
    async def usage(self, interaction: discord.Interaction[Any], of: str = ME) -> None:
        """Show tokens, calls and dollars, and a picture of the days."""
        who = self._allowed(interaction, of)
        await interaction.response.defer(ephemeral=True, thinking=True)
        ledger = self._services.ledger
        used = await ledger.days(DAYS, **who)
        today = ledger.today(asker_of(interaction))
        card = Card(TITLES[of])
        for key, where in LIMITS[of].items():
            if key in today:
                tokens, limit = today[key]
                left = max(limit - tokens, 0)
                when = f"<t:{ledger.frees_up}:R>"
                card.text(f"**Today** {where}{tokens:,} of {limit:,} tokens · {left:,} left · new ones {when}")
        calls = sum(day.calls for _, day in used)
        tokens = sum(day.tokens for _, day in used)
        cost = dollars(Decimal(sum(day.nanodollars for _, day in used)) / NANO)
        card.text(
            ngettext(
                "**In {days} days** {tokens:,} tokens in one call of a model, {cost}",
                "**In {days} days** {tokens:,} tokens in {n:,} calls of a model, {cost}",
                calls,
                days=DAYS,
                tokens=tokens,
                cost=cost,
            )
        )
        if of == BOT:
            spent, budget = ledger.month()
            card.text(f"**This month** {dollars(Decimal(spent))} of {dollars(Decimal(budget))}")
        if not tokens:
            await interaction.edit_original_response(view=card.layout())
            return
        limit = next(limit for key, (_, limit) in today.items() if key in LIMITS[of])
        first, last = (_short(used[place][0]) for place in (0, -1))
        picture = await days([day.tokens for _, day in used], first, last, "Tokens a day", limit)
        card.picture("usage.png").text("-# Days are UTC days. A call counts from the moment it is made.")
        await interaction.edit_original_response(view=card.layout(), attachments=attached([("usage.png", picture)]))

    def _allowed(self, interaction: discord.Interaction[Any], of: str) -> dict[str, int]:
        """Whose calls to count; raises `NotAllowedError`."""
        if of == SERVER:
            return {"guild_id": managed_guild(interaction)}
        if of == BOT:
            if not is_operator(interaction, self._services.settings):
                raise NotAllowedError("Only those who run this bot may see what all of it used.")
            return {}
        return {"user_id": interaction.user.id}


def _short(day: str) -> str:
    """An ISO date as people write it in a picture."""
    written = date.fromisoformat(day)
    return f"{written.day} {written:%b}"


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Usage(services_of(bot)))
