"""Report, in the ⋯ of an answer: it goes to the channel that the server's moderators have chosen."""

from collections import deque
from typing import Any

import discord
from discord.ext import commands

from bot.answers.rendering import page_of
from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import N_, _, guild_locale
from bot.core.text import close_markup, escape_markdown
from bot.llm.completion import Answer
from bot.services import Services, services_of
from bot.ui.cards import Card
from bot.ui.views import LayoutView, Modal

REPORT = "report"
LONGEST = 500
# Characters of the answer in a report; the message itself may be gone by the time that somebody reads it.
EXCERPT = 1_200
NO_CHANNEL = N_("No channel takes reports here yet; a server admin can choose one with /settings channels.")
GONE = N_(
    "The channel for reports is gone, or closed to me; a server admin can choose another with /settings channels."
)


class Report(commands.Cog):
    """Nothing of a report is kept but the message in that channel."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # Who has reported which answer, so that one answer fills no channel.
        self._reported: deque[tuple[int, str]] = deque(maxlen=1_000)

    async def cog_load(self) -> None:
        """Serve the button."""
        self._services.actions.register(REPORT, self.open)

    async def cog_unload(self) -> None:
        """Serve it no longer."""
        self._services.actions.unregister(REPORT)

    async def open(self, interaction: discord.Interaction[Any], answer: str, _chosen: list[str]) -> None:
        """Ask what is wrong with the `answer`: its message (0 for a private one) and its prompt, by id."""
        self._channel(interaction)
        self._refuse_if_known(interaction, answer)
        await interaction.response.send_modal(ReportModal(self, answer))

    async def send(self, interaction: discord.Interaction[Any], answer: str, why: str) -> None:
        """Put the report in front of the moderators."""
        self._refuse_if_known(interaction, answer)
        channel = interaction.client.get_partial_messageable(self._channel(interaction), guild_id=interaction.guild_id)
        message_id, _colon, prompt_id = answer.partition(":")
        prompt = await self._services.prompts.find(prompt_id)
        await interaction.response.defer(ephemeral=True, thinking=True)
        try:
            with guild_locale():
                await channel.send(view=_card(interaction, int(message_id), prompt, why))
        except (discord.NotFound, discord.Forbidden) as error:
            raise NotFoundError(GONE) from error
        self._reported.append((interaction.user.id, answer))
        await interaction.edit_original_response(content=_("Thank you. The moderators have it in front of them."))

    def _channel(self, interaction: discord.Interaction[Any]) -> int:
        """Where reports go; raises `NotFoundError` where nobody takes any."""
        if interaction.guild_id is None:
            raise NotFoundError("Reports go to the moderators of a server, and this is none.")
        channel = self._services.guilds.of(interaction.guild_id).report_channel
        if channel is None:
            raise NotFoundError(NO_CHANNEL)
        return channel

    def _refuse_if_known(self, interaction: discord.Interaction[Any], answer: str) -> None:
        if (interaction.user.id, answer) in self._reported:
            raise InputError("You have reported this answer already, and the moderators have it.")


class ReportModal(Modal):
    """What is wrong with it."""

    def __init__(self, cog: Report, answer: str) -> None:
        super().__init__(title=_("Report this answer"))
        self._cog, self._answer = cog, answer
        self.why: discord.ui.TextInput[Any] = discord.ui.TextInput(
            label=_("What is wrong with it?"),
            custom_id="why",
            style=discord.TextStyle.long,
            required=False,
            max_length=LONGEST,
            placeholder=_("The moderators of this server read it, with your name and the answer"),
        )
        self.add_item(self.why)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Send it."""
        await self._cog.send(interaction, self._answer, self.why.value.strip())


def _card(interaction: discord.Interaction[Any], message_id: int, answer: Answer | None, why: str) -> LayoutView:
    """Who reports what, where, and why."""
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
        text = page_of(answer).text
        excerpt = text if len(text) <= EXCERPT else close_markup(text[:EXCERPT].rstrip()) + " …"
        quoted = "\n> ".join(excerpt.splitlines())
        asked = _("**Asked by** {user} · {trick}", user=f"<@{answer.caller.user_id}>", trick=answer.request.name)
        card.line().text(f"{asked}\n> {quoted}")
    return card.layout()


async def setup(bot: commands.Bot) -> None:
    """Serve the button."""
    await bot.add_cog(Report(services_of(bot)))
