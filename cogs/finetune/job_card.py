"""How a job is shown: its step, a bar, tokens and price, the losses as a picture, and in the end its scores."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import discord

from bot.answers.rendering import bar
from bot.core.i18n import _, ngettext
from bot.core.text import escape_markdown
from bot.tuning import job_messages as cards
from bot.tuning.job_messages import STATUSES, STEPS
from bot.tuning.profiles import PROFILES
from bot.tuning.records import EventRow, JobRow, ModelRow
from bot.tuning.scorecard import Scorecard
from bot.tuning.service import Tuning
from bot.ui.actions import ActionButton
from bot.ui.cards import Card
from bot.ui.pictures import Picture, loss_picture
from bot.ui.views import LayoutView
from cogs import _scorecard

NANO = 1_000_000_000
LOSSES = "losses.png"
COLOURS = {"done": discord.Colour.green(), "failed": discord.Colour.red(), "cancelled": discord.Colour.greyple()}
Shown = tuple[LayoutView, list[Picture]]


@dataclass(frozen=True, slots=True)
class State:
    """All that a card shows of a job."""

    job: JobRow
    events: list[EventRow]
    model: ModelRow | None
    active: bool

    @property
    def scorecard(self) -> Scorecard | None:
        """The scores of the model that came of it."""
        return Scorecard.from_json(self.model.scorecard) if self.model and self.model.scorecard else None


async def state_of(tuning: Tuning, job: JobRow) -> State:
    """Read what a card of `job` needs."""
    models = await tuning.models(job.corpus) if job.model else []
    model = next((row for row in models if row.name == job.model), None)
    active = await tuning.active(job.corpus) if model else None
    events = await cards.metrics(tuning.database, job.id)
    return State(job, events, model, active is not None and model is not None and active.name == model.name)


async def job_card(state: State) -> Shown:
    """The card, and the pictures that belong to it."""
    job, scores = state.job, state.scorecard
    title = _("Training {corpus} · {step}", corpus=job.corpus, step=_(STEPS[job.state]))
    card = Card(title, colour=COLOURS.get(job.state, discord.Colour.gold()))
    pictures: list[Picture] = []
    for text in (_progress(job), _outcome(job, state.active)):
        card.text(text)
    if scores is not None and job.state == "done":
        card.text(_scorecard.lines(scores))
        picture = await _scorecard.picture(scores, _("{corpus}: answered rightly", corpus=job.corpus))
        if picture is not None:
            pictures.append(picture)
    training, validation = losses(state.events)
    if training or validation:
        # Translators: headlines of a picture of the loss, the measure of how wrong a model is while it learns.
        over, so_far = _("{corpus}: loss", corpus=job.corpus), _("{corpus}: loss so far", corpus=job.corpus)
        title = over if job.over else so_far
        pictures.append(await loss_picture(LOSSES, training, validation, title))
    for picture in pictures:
        card.picture(picture)
    card.row(*_buttons(state))
    return card.text(f"-# {' · '.join(_small(job))}").layout(), pictures


def losses(events: list[EventRow]) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """The losses by step, in training and on questions held aside, as far as the provider told them."""
    training: dict[int, float] = {}
    validation: dict[int, float] = {}
    for event in events:
        data: dict[str, Any] = json.loads(event.data)
        step = data.get("step")
        if not isinstance(step, int):
            continue
        for line, name in ((training, "train_loss"), (validation, "valid_loss")):
            loss = data.get(name)
            if isinstance(loss, (int, float)) and loss == loss:
                line[step] = float(loss)
    return sorted(training.items()), sorted(validation.items())


def price(job: JobRow) -> str:
    """What it cost, as people read it; nothing of a job that its provider never began."""
    if job.nanodollars is None:
        return _("price not known") if job.over and job.remote_id else ""
    return _("${usd:,.2f}", usd=Decimal(job.nanodollars) / NANO) if job.nanodollars else _("free")


def _progress(job: JobRow) -> str:
    """A bar, where there is something to count."""
    if job.state == "running" and job.total_steps:
        return _("{bar} steps", bar=bar(job.step, job.total_steps))
    if job.state == "scoring" and job.to_score:
        return _("{bar} questions", bar=bar(job.scored, job.to_score))
    if job.over:
        return ""
    # Translators: how a job stands at its provider: "The local engine: running".
    status = _(STATUSES.get(job.status, job.status))
    said = _("{provider}: {status}", provider=_(PROFILES[job.provider].title), status=status)
    return said if job.status else "…"


def _outcome(job: JobRow, active: bool) -> str:
    """What is to be said besides: the model, the error, or what holds it up."""
    lines = []
    if job.state == "done":
        if active:
            lines.append(_("The model is `{model}`. It answers now.", model=job.model))
        else:
            lines.append(_("The model is `{model}`. It does not answer yet: promote it.", model=job.model))
    if job.error:
        lines.append(f"⚠️ {escape_markdown(job.error)}")
    if job.note:
        lines.append(f"-# {escape_markdown(job.note)}")
    return "\n".join(lines)


def _small(job: JobRow) -> list[str]:
    """The last line: what, on what, since when, for how much."""
    begun = _("begun {when}", when=f"<t:{int(job.at)}:R>")
    parts = [_("job {job}", job=job.id), job.base, _("dataset {dataset}", dataset=job.dataset_id), begun]
    if job.ended is not None:
        parts[-1] = _("took {time}", time=duration(job.ended - job.at))
    if job.trained_tokens is not None:
        parts.append(ngettext("{n:,} token", "{n:,} tokens", job.trained_tokens))
    return [*parts, *filter(None, [price(job)])]


def _buttons(state: State) -> list[discord.ui.Item[Any]]:
    job = state.job
    if not job.over and job.state != "scoring":
        return [ActionButton("ft-cancel", job.id, label=_("Cancel"), style=discord.ButtonStyle.danger)]
    if job.state != "done":
        return []
    promote = ActionButton("ft-promote", job.id, label=_("Promote"), emoji="🏁", style=discord.ButtonStyle.success)
    return [
        ActionButton("ft-scores", job.id, label=_("Wrong answers"), emoji="🔎"),
        *([] if state.active else [promote]),
    ]


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 100:
        return _("{n:,.0f} s", n=max(seconds, 1.0))
    if seconds < 100 * 60:
        return _("{n:,.0f} min", n=seconds / 60)
    return _("{n:,.1f} h", n=seconds / 3600)
