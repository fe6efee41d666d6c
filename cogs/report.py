"""**Report** in the menu ⋯ under an answer: sends a report to the channel that the server's admins have set."""

from collections import OrderedDict
from collections.abc import Mapping
from time import monotonic
from typing import Any

import discord
from discord.ext import commands

from bot.answers.rendering import shown_text
from bot.core.errors import InputError, LimitError, NotFoundError
from bot.core.i18n import N_, _, guild_locale
from bot.core.text import escape_markdown, excerpt
from bot.llm.completion import Answer
from bot.services import Services, services_of
from bot.ui.actions import ID
from bot.ui.cards import Card
from bot.ui.views import LayoutView, PersistentModal
from cogs._store_first import answer_privately, store_first

REPORT = "report"
MAX_LENGTH = 500
# Characters of the answer in a report; its message may be deleted before a moderator reads the report.
EXCERPT = 1_200
# Reports of one person in so many seconds, in all servers.
MAX_REPORTS, PERIOD = 5, 3_600
# The newest reports are held in memory, for the limit and so that nobody reports an answer twice.
MAX_IN_MEMORY = 1_000
# A button's argument: the id of the answer's message (0 for a private one), and the id of its prompt.
ARGUMENT = rf"{ID}:[A-Za-z0-9_-]{{1,32}}"
NO_CHANNEL = N_("No channel takes reports here yet; a manager of this server can choose one with /settings channels.")
CHANNEL_CLOSED = N_(
    "The channel for reports was deleted, or I may not write in it; a manager of this server can choose another with "
    "/settings channels."
)


class Report(commands.Cog):
    """Reports are messages in the report channel. The bot stores them nowhere else."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # When each report was sent, by user and answer, oldest first.
        self._sent: OrderedDict[tuple[int, str], float] = OrderedDict()
        services.actions.register(REPORT, self.open, argument=ARGUMENT)
        services.actions.register_modal(REPORT, self.send, argument=ARGUMENT)

    async def open(self, interaction: discord.Interaction[Any], answer: str) -> None:
        """Ask what is wrong with the answer."""
        self._channel(interaction)
        self._check_limits(interaction, answer)
        modal = PersistentModal(REPORT, answer, title=_("Report this answer"))
        modal.add_text(
            "why",
            _("What is wrong with it?"),
            max_length=MAX_LENGTH,
            required=False,
            placeholder=_("The moderators of this server read it, with your name and the answer"),
        )
        await interaction.response.send_modal(modal)

    async def send(self, interaction: discord.Interaction[Any], answer: str, typed: Mapping[str, str]) -> None:
        """Send the report to the moderators' channel, then thank the user."""
        self._check_limits(interaction, answer)
        channel = interaction.client.get_partial_messageable(self._channel(interaction), guild_id=interaction.guild_id)
        message_id, _colon, prompt_id = answer.partition(":")
        prompt = await self._services.prompts.find(prompt_id)
        with guild_locale():
            card = _card(interaction, int(message_id), prompt, typed.get("why", "").strip())
        # The report is counted before it is sent, so that reports at the same time cannot exceed the limit.
        key = interaction.user.id, answer
        self._sent[key] = monotonic()
        try:
            await store_first(interaction, channel.send(view=card))
        except BaseException as error:
            del self._sent[key]
            if isinstance(error, discord.NotFound | discord.Forbidden):
                raise NotFoundError(CHANNEL_CLOSED) from error
            raise
        await answer_privately(interaction, content=_("Thank you. The moderators can see your report."))

    def _channel(self, interaction: discord.Interaction[Any]) -> int:
        """The id of the channel for reports; raises `NotFoundError` where there is none."""
        if interaction.guild_id is None:
            raise NotFoundError("Reports go to the moderators of a server, and this is not a server.")
        channel = self._services.guilds.of(interaction.guild_id).report_channel
        if channel is None:
            raise NotFoundError(NO_CHANNEL)
        return channel

    def _check_limits(self, interaction: discord.Interaction[Any], answer: str) -> None:
        """Raises `InputError` for a second report of an answer, `LimitError` for too many reports of one person."""
        while len(self._sent) > MAX_IN_MEMORY:
            self._sent.popitem(last=False)
        user, since = interaction.user.id, monotonic() - PERIOD
        if (user, answer) in self._sent:
            raise InputError("You have reported this answer already, and the moderators have it.")
        if sum(1 for (sender, _answer), at in self._sent.items() if sender == user and at > since) >= MAX_REPORTS:
            raise LimitError("You have sent {n} reports within an hour; try again later.", n=MAX_REPORTS)


def _card(interaction: discord.Interaction[Any], message_id: int, answer: Answer | None, why: str) -> LayoutView:
    """The report: sender, place, reason, and the answer."""
    card = Card(_("A report"), colour=discord.Colour.red())
    sender = _("**From** {user}", user=interaction.user.mention)
    where = _("**Where** in {channel}", channel=f"<#{interaction.channel_id}>")
    if message_id:
        link = f"https://discord.com/channels/{interaction.guild_id}/{interaction.channel_id}/{message_id}"
        where += " · " + _("[the answer]({link})", link=link)
    card.text(f"{sender}\n{where}")
    if why:
        card.text(_("**Why** {why}", why=escape_markdown(why)))
    if answer is not None:
        quoted = "\n> ".join(excerpt(shown_text(answer), EXCERPT).splitlines())
        asked = _("**Asked by** {user} · {trick}", user=f"<@{answer.caller.user_id}>", trick=answer.request.name)
        card.line().text(f"{asked}\n> {quoted}")
    return card.layout()


async def setup(bot: commands.Bot) -> None:
    """Add the cog."""
    await bot.add_cog(Report(services_of(bot)))
