"""`/usage`: tokens and dollars of today and of the last 30 days: of the user, of the server, or of the whole bot."""

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
from bot.server.ledger import NANO
from bot.services import Services, services_of
from bot.ui.caller import caller_of
from bot.ui.cards import Card
from bot.ui.pictures import days_picture
from bot.ui.reply import to_files
from cogs._access import is_operator, managed_guild

DAYS = 30
# Models that are shown one by one.
MODELS = 10
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
        used = await ledger.days(DAYS, **who)
        await ledger.refresh(caller_of(interaction))
        today = ledger.today(caller_of(interaction))
        card = Card(_(TITLES[of]))
        when = f"<t:{ledger.resets_at}:R>"
        for key, said in LIMITS[of].items():
            if key in today:
                tokens, limit = today[key]
                card.text(_(said, used=tokens, limit=limit, left=max(limit - tokens, 0), when=when))
        calls = sum(day.calls for _name, day in used)
        tokens = sum(day.tokens for _name, day in used)
        cost = dollars(Decimal(sum(day.nanodollars for _name, day in used)) / NANO)
        used_up = ngettext(
            "**In {days} days** {tokens:,} tokens in one call of a model, {cost}",
            "**In {days} days** {tokens:,} tokens in {n:,} calls of a model, {cost}",
            calls,
            days=DAYS,
            tokens=tokens,
            cost=cost,
        )
        # Calls that used nothing reached no model.
        card.text(used_up if tokens else _("**In {days} days** nothing", days=DAYS))
        by_model = {model: use for model, use in (await ledger.by_model(DAYS, **who)).items() if use.tokens}
        if len(by_model) > 1:
            lines = [self._line(model, use.tokens, use.nanodollars) for model, use in by_model.items()]
            card.text("\n".join(lines[:MODELS]))
        unknown = ledger.at_unknown_price(by_model)
        if unknown:
            counted = _(
                "{cost} of it is for models whose price is not known. They count {price} per million tokens.",
                cost=dollars(unknown),
                price=dollars(Decimal(str(ledger.unknown_price))),
            )
            card.text(f"-# {counted}")
        if of == BOT:
            spent, budget = ledger.month()
            usd = {"spent": dollars(Decimal(spent)), "budget": dollars(Decimal(budget))}
            card.text(_("**This month** {spent} of {budget}", **usd))
        if not tokens:
            await interaction.edit_original_response(view=card.layout())
            return
        limit = next(limit for key, (_used, limit) in today.items() if key in LIMITS[of])
        first, last = (_short(used[place][0]) for place in (0, -1))
        picture = await days_picture(
            "usage.png", [day.tokens for _name, day in used], first, last, _("Tokens a day"), limit
        )
        card.picture(picture).text(_("-# Days are UTC days. A call counts from the moment it is made."))
        await interaction.edit_original_response(view=card.layout(), attachments=to_files([picture]))

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


def _short(day: str) -> str:
    """An ISO date as the picture shows it."""
    written = date.fromisoformat(day)
    # Translators: a date such as "22 Nov" in a picture.
    return _("{day} {month}", day=written.day, month=_(MONTHS[written.month - 1]))


async def setup(bot: commands.Bot) -> None:
    """Add the command."""
    await bot.add_cog(Usage(services_of(bot)))
