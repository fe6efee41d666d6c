"""`/usage`: tokens and dollars of today and of the last 30 days: of the user, of the server, or of the whole bot."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers.prompt_view import author
from bot.answers.rendering import dollars
from bot.core.errors import NotAllowedError
from bot.core.i18n import N_, _, ngettext
from bot.server.ledger import NANO, DayUse
from bot.services import Services, services_of
from bot.ui.caller import caller_of
from bot.ui.cards import Card
from bot.ui.files import to_files
from bot.ui.pictures import days_picture
from cogs._access import is_operator, managed_guild

DAYS = 30
# Models that are shown one by one.
MAX_MODELS = 10
ME, SERVER, BOT = "me", "server", "bot"
TITLES = {ME: N_("What you used"), SERVER: N_("What this server used"), BOT: N_("What the bot used")}
# The limits of today in each view, with their sentences.
TODAY = N_("**Today** {used:,} of {limit:,} tokens · {left:,} left · resets {when}")
TODAY_HERE = N_("**Today** in this server {used:,} of {limit:,} tokens · {left:,} left · resets {when}")
LIMITS = {ME: {"user": TODAY, "member": TODAY_HERE}, SERVER: {"guild": TODAY}, BOT: {"bot": TODAY}}
# Short names of the months for the picture.
MONTHS = (
    *(N_("Jan"), N_("Feb"), N_("Mar"), N_("Apr"), N_("May"), N_("Jun")),
    *(N_("Jul"), N_("Aug"), N_("Sep"), N_("Oct"), N_("Nov"), N_("Dec")),
)


class Usage(commands.Cog):
    """Shows the tokens and prices that the ledger counts."""

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
        days = await ledger.days(DAYS, **who)
        by_model = {model: use for model, use in (await ledger.by_model(DAYS, **who)).items() if use.tokens}
        await ledger.refresh(caller_of(interaction))
        limits = {key: value for key, value in ledger.today(caller_of(interaction)).items() if key in LIMITS[of]}
        card = Card(_(TITLES[of]))
        for key, (tokens, limit) in limits.items():
            left, when = max(limit - tokens, 0), f"<t:{ledger.resets_at}:R>"
            card.text(_(LIMITS[of][key], used=tokens, limit=limit, left=left, when=when))
        card.text(_sum_of([use for _day, use in days]))
        self._add_models(card, by_model)
        if of == BOT:
            spent, budget = ledger.month()
            usd = {"spent": dollars(Decimal(spent)), "budget": dollars(Decimal(budget))}
            card.text(_("**This month** {spent} of {budget}", **usd))
        if not any(use.tokens for _day, use in days):
            await interaction.edit_original_response(view=card.layout())
            return
        first, last = _short(days[0][0]), _short(days[-1][0])
        limit = next(iter(limits.values()))[1]
        picture = await days_picture(
            "usage.png", [use.tokens for _day, use in days], first, last, _("Tokens a day"), limit
        )
        card.picture(picture).text(_("-# Days are UTC days. A call counts from the moment it is made."))
        await interaction.edit_original_response(view=card.layout(), attachments=to_files([picture]))

    def _add_models(self, card: Card, by_model: Mapping[str, DayUse]) -> None:
        """What each model used, where there are several, and how those without a known price are counted."""
        ledger = self._services.ledger
        if len(by_model) > 1:
            lines = [self._line(model, use.tokens, use.nanodollars) for model, use in by_model.items()]
            card.text("\n".join(lines[:MAX_MODELS]))
        unknown = ledger.at_unknown_price(by_model)
        if unknown:
            counted = _(
                "{cost} of it is for models whose price is not known. They count {price} per million tokens.",
                cost=dollars(unknown),
                price=dollars(Decimal(str(ledger.unknown_price))),
            )
            card.text(f"-# {counted}")

    def _line(self, model: str, tokens: int, nanodollars: int) -> str:
        """What one model used."""
        name, cost = author(self._services.chat_models.shown(model)), dollars(Decimal(nanodollars) / NANO)
        return _("{model}: {tokens:,} tokens, {cost}", model=name, tokens=tokens, cost=cost)

    def _allowed(self, interaction: discord.Interaction[Any], of: str) -> dict[str, int]:
        """The id whose calls count, as an option of the ledger's methods; raises `NotAllowedError`."""
        if of == SERVER:
            return {"guild_id": managed_guild(interaction)}
        if of == BOT:
            if not is_operator(interaction, self._services.settings):
                raise NotAllowedError("Only those who run this bot may see what all of it used.")
            return {}
        return {"user_id": interaction.user.id}


def _sum_of(days: Sequence[DayUse]) -> str:
    """The tokens, calls and dollars of so many days."""
    tokens = sum(use.tokens for use in days)
    if not tokens:  # Calls that used nothing reached no model.
        return _("**In {days} days** nothing", days=DAYS)
    return ngettext(
        "**In {days} days** {tokens:,} tokens in one call of a model, {cost}",
        "**In {days} days** {tokens:,} tokens in {n:,} calls of a model, {cost}",
        sum(use.calls for use in days),
        days=DAYS,
        tokens=tokens,
        cost=dollars(Decimal(sum(use.nanodollars for use in days)) / NANO),
    )


def _short(day: str) -> str:
    """An ISO date as the picture shows it."""
    written = date.fromisoformat(day)
    # Translators: a date such as "22 Nov" in a picture.
    return _("{day} {month}", day=written.day, month=_(MONTHS[written.month - 1]))


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Usage(services_of(bot)))
