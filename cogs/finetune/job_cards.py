"""The cards of tuning jobs: what a card shows, and the task that keeps the cards in channels up to date.

A card is a message. Its channel and message ids are stored with the job, so that it is also updated after a restart.
The jobs themselves are run by `bot.tuning.job_runner`.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import discord

from bot.core.errors import FewshotError
from bot.core.i18n import _, ngettext, pgettext, use_locale
from bot.core.json_text import read_json
from bot.core.text import escape_markdown, shorten
from bot.server.ledger import NANO
from bot.tuning.jobs import STATE_NAMES, EventRow, History, JobRow
from bot.tuning.models import ModelRow
from bot.tuning.profiles import is_pocket_gpt
from bot.tuning.scoring import Scorecard
from bot.tuning.service import Tuning
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.errors import CONNECTION_ERRORS, TEMPORARY_ERRORS, user_message
from bot.ui.files import to_files
from bot.ui.locale import locale_of_guild
from bot.ui.pictures import Picture, loss_picture
from bot.ui.stream_editor import TOO_OLD, UNKNOWN_MESSAGE, is_fresh
from bot.ui.views import LayoutView
from cogs import _scorecard
from cogs._job_progress import progress_line

_log = logging.getLogger(__name__)
LOSSES = "losses.png"
COLOURS = {"done": discord.Colour.green(), "failed": discord.Colour.red(), "cancelled": discord.Colour.greyple()}
# Characters of an error or a note on a card.
MAX_LENGTH = 1_500
# The answers of checkpoints on a card: how many steps, and characters of a question and of an answer.
SHOWN_STEPS, QUESTION_LENGTH, ANSWER_LENGTH = 5, 150, 60
# The action of the button and of the modal that pin a question.
PIN = "ft-pin"
# Seconds between two updates of the cards: Discord allows far more edits.
UPDATE_INTERVAL = 2.0
# Seconds to wait after a temporary error: Discord cannot be reached, the database is locked.
RETRY = 20.0
Shown = tuple[LayoutView, list[Picture]]


# --- what a card shows


@dataclass(frozen=True, slots=True)
class CardState:
    """Everything that a card shows of a job; `active` says that its model answers now."""

    job: JobRow
    events: list[EventRow]
    model: ModelRow | None
    active: bool
    answers: list[History]

    @property
    def scorecard(self) -> Scorecard | None:
        """The scores of the job's model."""
        return Scorecard.from_json(self.model.scorecard) if self.model and self.model.scorecard else None


async def state_of(tuning: Tuning, job: JobRow) -> CardState:
    """Read what a card of `job` needs."""
    model = await tuning.models.find(job.model) if job.model else None
    active = await tuning.models.active(job.corpus) if model else None
    events = await tuning.jobs.metrics(job.id)
    is_active = active is not None and model is not None and active.name == model.name
    return CardState(job, events, model, is_active, await tuning.jobs.answers_so_far(job))


async def job_card(state: CardState) -> Shown:
    """The card, and its pictures."""
    job, scores = state.job, state.scorecard
    title = _("Training {corpus} · {step}", corpus=job.corpus, step=_(STATE_NAMES[job.state]))
    card = Card(title, colour=COLOURS.get(job.state, discord.Colour.gold()))
    pictures: list[Picture] = []
    card.text(progress_line(job)).text(_outcome(job, state.active))
    if state.answers:
        card.line().text("\n".join([_("**Watch it learn**"), *map(_history, state.answers)]))
    if scores is not None and job.state == "done":
        card.text(_scorecard.lines(scores))
        picture = await _scorecard.picture(scores, _("{corpus}: answered rightly", corpus=job.corpus))
        if picture is not None:
            pictures.append(picture)
    training, validation = losses(state.events)
    if training or validation:
        # Translators: headlines of a picture of the loss, the measure of how wrong a model is while it learns.
        over, so_far = _("{corpus}: loss", corpus=job.corpus), _("{corpus}: loss so far", corpus=job.corpus)
        pictures.append(await loss_picture(LOSSES, training, validation, over if job.over else so_far))
    for picture in pictures:
        card.picture(picture)
    card.row(*_buttons(state))
    return card.text(f"-# {' · '.join(_small(job))}").layout(), pictures


def losses(events: list[EventRow]) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The training and the validation losses that the provider reported, by step."""
    training: dict[int, float] = {}
    validation: dict[int, float] = {}
    for event in events:
        data: dict[str, Any] = read_json(event.data)
        step = data.get("step")
        if not isinstance(step, int):
            continue
        for line, name in ((training, "train_loss"), (validation, "valid_loss")):
            loss = data.get(name)
            if isinstance(loss, (int, float)) and loss == loss:
                line[step] = float(loss)
    return sorted(training.items()), sorted(validation.items())


def _history(history: History) -> str:
    """A question, and the answers to it: the first, the last, and some between, with their steps."""
    question = escape_markdown(shorten(history.question, QUESTION_LENGTH))
    count = len(history.answers)
    shown = sorted({round(at * (count - 1) / (SHOWN_STEPS - 1)) for at in range(SHOWN_STEPS)}) if count else []
    said = []
    for step, text, right in (history.answers[at] for at in shown):
        answer = escape_markdown(shorten(text, ANSWER_LENGTH)) or pgettext("in place of an answer", "nothing")
        said.append(f"`{step}` {answer}{' ✅' if right else ''}")
    return f"{question}\n-# {' · '.join(said) or '…'}"


def price(job: JobRow) -> str:
    """The job's cost for people; empty for a job that its provider never began."""
    if job.nanodollars is None:
        return _("price not known") if job.over and job.remote_id else ""
    return _("${usd:,.2f}", usd=Decimal(job.nanodollars) / NANO) if job.nanodollars else _("free")


def _outcome(job: JobRow, active: bool) -> str:
    """The job's model, its error, and its note."""
    lines = []
    if job.state == "done":
        if active:
            lines.append(_("The model is `{model}`. It answers now.", model=job.model))
        else:
            lines.append(_("The model is `{model}`. It does not answer yet: promote it.", model=job.model))
    if job.error:
        lines.append(f"⚠️ {escape_markdown(job.error[:MAX_LENGTH])}")
    if job.note:
        lines.append(f"-# {escape_markdown(job.note[:MAX_LENGTH])}")
    return "\n".join(lines)


def _small(job: JobRow) -> list[str]:
    """The parts of the last line: job, base, dataset, time, tokens and price."""
    begun = _("begun {when}", when=f"<t:{int(job.at)}:R>")
    parts = [_("job {job}", job=job.id), job.base, _("dataset {dataset}", dataset=job.dataset_id), begun]
    if job.ended is not None:
        parts[-1] = _("took {time}", time=duration(job.ended - job.at))
    if job.trained_tokens is not None:
        parts.append(ngettext("{n:,} token", "{n:,} tokens", job.trained_tokens))
    return [*parts, *filter(None, [price(job)])]


def _buttons(state: CardState) -> list[discord.ui.Item[Any]]:
    job = state.job
    if not job.over and job.state != "scoring":
        pin = ActionButton(PIN, job.id, label=_("Pin a question…"), emoji="📌")
        cancel = ActionButton("ft-cancel", job.id, label=_("Cancel"), style=discord.ButtonStyle.danger)
        has_checkpoints = is_pocket_gpt(job.base, job.provider)
        return [cancel, pin] if has_checkpoints and not job.pinned else [cancel]
    if job.state != "done":
        return []
    promote = ActionButton("ft-promote", job.id, label=_("Promote"), emoji="🏁", style=discord.ButtonStyle.success)
    return [
        ActionButton("ft-scores", job.id, label=_("Wrong answers"), emoji="🔎"),
        *([] if state.active else [promote]),
    ]


def duration(seconds: float) -> str:
    """Seconds, minutes or hours for people."""
    if seconds < 100:
        return _("{n:,.0f} s", n=max(seconds, 1.0))
    if seconds < 100 * 60:
        return _("{n:,.0f} min", n=seconds / 60)
    return _("{n:,.1f} h", n=seconds / 3600)


# --- cards in channels


class JobCards:
    """Keeps the cards in channels up to date; one for the process. `owns` says which servers this process serves."""

    def __init__(self, bot: discord.Client, tuning: Tuning, owns: Callable[[int | None], bool]) -> None:
        self._bot, self._tuning, self._jobs, self._owns = bot, tuning, tuning.jobs, owns
        # The cards that are kept up to date, by job: its time of change and state when the card was last shown.
        self._cards: dict[str, tuple[float, str] | None] = {}
        self._added = asyncio.Event()

    async def run(self) -> None:
        """Update all cards, those from before a restart first, until cancelled."""
        # Before the bot is ready, the servers and their languages are not known.
        await self._bot.wait_until_ready()
        await self._load()
        while True:
            if not self._cards:
                await self._added.wait()
            self._added.clear()
            pause = UPDATE_INTERVAL
            for job_id in list(self._cards):
                if not await self._update(job_id):
                    pause = RETRY
            await asyncio.sleep(pause)

    async def post(self, job: JobRow) -> None:
        """Post the card of a new job, and keep it up to date.

        Raises `FewshotError` with the reason where the card cannot be posted in its channel; the job is cancelled
        then, before its first step.
        """
        refused = False
        try:
            await self._show(job)
        except discord.HTTPException as error:
            refused = True
            await self._jobs.cancel(job.id)
            await self._jobs.close_card(job.id)
            raise FewshotError("The job's card cannot be shown here. {reason}", reason=user_message(error)) from error
        except CONNECTION_ERRORS as error:
            _log.warning("the card of job %s cannot be shown yet: %s", job.id, error)
        finally:  # After any other error, the job exists and continues.
            if not refused:
                self._cards[job.id] = None
                self._added.set()

    async def _load(self) -> None:
        """The cards of jobs that were not over, or whose end was not shown, when the bot stopped."""
        while True:
            try:
                found = await self._jobs.with_cards()
                self._cards |= {job.id: None for job in found if self._owns(job.guild_id)}
                return
            except FewshotError as error:
                _log.error("the cards of jobs cannot be read yet: %s", error)
                await asyncio.sleep(RETRY)

    async def _update(self, job_id: str) -> bool:
        """Update the card of a job if the job has changed; False if it must be tried again later."""
        try:
            job = await self._jobs.get(job_id)
            if not job.over:
                await self._jobs.runner.begin(job_id)
            if (job.touched, job.state) != self._cards[job_id]:
                await self._show(job)
                self._cards[job_id] = (job.touched, job.state)
            if job.over:
                await self._jobs.close_card(job_id)
                del self._cards[job_id]
        except (discord.NotFound, discord.Forbidden) as error:
            # The channel was deleted, or the bot may not write in it. The job continues, and /finetune job shows it.
            _log.warning("the channel of the card of job %s was deleted or is closed to the bot: %s", job_id, error)
            await self._jobs.close_card(job_id)
            del self._cards[job_id]
        except TEMPORARY_ERRORS as error:
            _log.warning("the card of job %s cannot be shown yet: %s", job_id, error)
            return False
        return True

    async def _show(self, job: JobRow) -> None:
        """Edit the card; post it again where it is too old to be edited, or was deleted."""
        layout, pictures = await self._drawn(job)
        assert job.channel_id is not None, "a job with a card has a channel"
        channel = self._bot.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        if job.message_id is not None:
            old = channel.get_partial_message(job.message_id)
            if is_fresh(old.id) and await _edited(old, layout, pictures):
                return
            await _deleted(old)
        message = await channel.send(view=layout, files=to_files(pictures), nonce=_nonce(job))
        await self._jobs.set_card(job, message.id)

    async def _drawn(self, job: JobRow) -> Shown:
        """The card of `job` in the language of its server. The job is read again: its texts are in that language."""
        guild = self._bot.get_guild(job.guild_id) if job.guild_id is not None else None
        with use_locale(locale_of_guild(self._bot, guild)):
            return await job_card(await state_of(self._tuning, await self._jobs.get(job.id)))


def _nonce(job: JobRow) -> str:
    """Discord ignores a second message with the same nonce for some minutes, so that a crash posts no card twice.

    At most 25 characters. A card that replaces another one has another nonce.
    """
    return job.id if job.message_id is None else hashlib.sha256(f"{job.id} {job.message_id}".encode()).hexdigest()[:25]


async def _edited(message: discord.PartialMessage, layout: LayoutView, pictures: list[Picture]) -> bool:
    """Edit a card; False where it was deleted, or Discord finds it too old."""
    try:
        await message.edit(view=layout, attachments=to_files(pictures))
    except discord.HTTPException as error:
        if error.code not in (UNKNOWN_MESSAGE, TOO_OLD):
            raise
        return False
    return True


async def _deleted(message: discord.PartialMessage) -> None:
    """Delete an old card, if it is there."""
    try:
        await message.delete()
    except discord.NotFound:
        return
