"""Extends `/sentiment`, whose template is a JSON file: rates a file of reviews, with a histogram and a CSV."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import discord
from discord.ext import commands

from bot.answers.model_option import MODEL
from bot.answers.prompt_view import author
from bot.answers.rendering import bar, stars
from bot.answers.service import Answering
from bot.answers.techniques import Extension, Options
from bot.core.concurrency import for_each
from bot.core.errors import (
    AnswerStoppedError,
    FewshotError,
    InputError,
    LimitError,
    ModelError,
    NoModelError,
    ReplyError,
)
from bot.core.i18n import N_, _, ngettext
from bot.core.tables import to_csv
from bot.llm.errors import is_permanent
from bot.llm.output_parsers import Rating
from bot.llm.template import ChatTemplate
from bot.server.moderation import BlockedError
from bot.services import Services, services_of
from bot.ui.actions import ActionButton
from bot.ui.files import OutgoingFile
from bot.ui.pictures import histogram_picture
from bot.ui.reply import Page
from bot.ui.uploads import read_entries

TEMPLATE = "sentiment"
FILE = N_("A .txt with a review a line, or a .csv with a column “review”; up to 500")
MAX_REVIEWS = 500
MAX_LENGTH = 6_000
# Bytes of a file: 500 reviews of 2,000 characters on average.
MAX_FILE_BYTES = 1_000_000
# Reviews that are sent to the gateway at the same time. The gateway admits CALLS_PER_PERSON of them at a time.
CONCURRENT_REVIEWS = 8
# Failures in a row after which the other reviews are not tried. Otherwise a server that is down would be called 500
# times, each time until the time-out.
MAX_FAILURES_IN_A_ROW = 2 * CONCURRENT_REVIEWS


@dataclass(slots=True)
class Row:
    """A review with its rating, or with the error that prevented one."""

    review: str
    rating: Rating | None = None
    problem: FewshotError | None = None


def _summary(rows: list[Row], ratings: list[int]) -> str:
    """The mean of the ratings, and the number of reviews without one."""
    mean = sum(ratings) / len(ratings)
    said = ngettext(
        "{stars} **{mean:,.2f}** on average, from {n:,} review",
        "{stars} **{mean:,.2f}** on average, from {n:,} reviews",
        len(ratings),
        stars=stars(round(mean)),
        mean=mean,
    )
    if len(ratings) == len(rows):
        return said
    failed = ngettext(
        "{n:,} could not be rated: {why} It is marked in the table.",
        "{n:,} could not be rated: {why} They are marked in the table.",
        len(rows) - len(ratings),
        why=next(row.problem for row in rows if row.problem),
    )
    return f"{said}\n{failed}"


def _is_for_all(error: FewshotError) -> bool:
    """Whether every other review would fail, too: stopped, a limit is reached, or no model can be used."""
    if isinstance(error, ModelError):
        return is_permanent(error)
    return isinstance(error, LimitError | AnswerStoppedError)


def _table(rows: list[Row]) -> bytes:
    """The ratings as CSV."""
    return to_csv(
        ["review", "stars", "reason"],
        (
            (row.review, str(row.rating.stars), row.rating.reason)
            if row.rating
            else (row.review, "", _("no rating: {why}", why=row.problem))
            for row in rows
        ),
    )


class Batch:
    """Rates the reviews of one file with one model, by default that of the channel."""

    def __init__(self, services: Services, template: ChatTemplate, model: str | None) -> None:
        self._services, self._template, self._model = services, template, model
        self._by = ""
        self._done = self._failed_in_a_row = 0
        self._stop: FewshotError | None = None

    async def run(self, interaction: discord.Interaction[Any], file: discord.Attachment, *, private: bool) -> None:
        """Read `file`, rate its reviews, answer with a picture and a CSV."""
        async with self._services.answers.open(interaction, private=private) as answering:
            rows = await self._read(file)
            await self._rate_all(answering, rows)
            await answering.finish_page(await self._page(rows, private=private))

    async def _read(self, file: discord.Attachment) -> list[Row]:
        reviews = await read_entries(file, max_bytes=MAX_FILE_BYTES, column="review", max_length=MAX_LENGTH)
        if not reviews:
            raise InputError("The file contains no review.")
        if len(reviews) > MAX_REVIEWS:
            raise InputError(
                "The file contains {n:,} reviews; up to {most} can be rated at once.", n=len(reviews), most=MAX_REVIEWS
            )
        return [Row(review) for review in reviews]

    async def _rate_all(self, answering: Answering, rows: list[Row]) -> None:
        """Rate `rows` in place. Stop at an error that every other review would also get; earlier ratings stay."""
        self._show_progress(answering, rows)

        async def rate(row: Row) -> None:
            if self._stop is not None:
                row.problem = self._stop
                return
            await self._rate(answering, row)
            self._done += 1
            self._show_progress(answering, rows)

        await for_each(rows, rate, at_once=CONCURRENT_REVIEWS)

    def _show_progress(self, answering: Answering, rows: list[Row]) -> None:
        answering.reply.show(_("Rating reviews\n{bar}", bar=bar(self._done, len(rows))), writing=False)

    async def _rate(self, answering: Answering, row: Row) -> None:
        try:
            request = self._template.fill({"review": row.review}).with_model(self._model)
            answer = await answering.ask(request, show=False, cache=False)
        except NoModelError:
            raise
        except (LimitError, ModelError, BlockedError, AnswerStoppedError) as error:
            row.problem = error
            self._failed_in_a_row += 1
            if _is_for_all(error) or self._failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
                self._stop = error
        else:
            assert isinstance(answer.reply, Rating), "the template asks for ratings"
            row.rating, self._by = answer.reply, answer.shown_model
            self._failed_in_a_row = 0

    async def _page(self, rows: list[Row], *, private: bool) -> Page:
        """The summary, the histogram and the CSV."""
        ratings = [row.rating.stars for row in rows if row.rating]
        if not ratings:
            raise ReplyError("None of the {n} reviews could be rated. {why}", n=len(rows), why=rows[0].problem)
        counts = Counter(ratings)
        picture = await histogram_picture(
            "ratings.png",
            [counts[star] for star in range(1, 6)],
            [f"{star} ★" for star in range(1, 6)],
            ngettext("{n:,} review", "{n:,} reviews", len(ratings)),
        )
        name = author(self._by)
        technique = _(self._template.with_examples(99).fill({"review": ""}).technique)
        files: list[OutgoingFile] = [picture, ("ratings.csv", _table(rows))]
        items = [ActionButton("share", "", label=_("Share"), emoji="📣")] if private else []
        return Page(_summary(rows, ratings), f"-# {name} · {technique}", items, files)


class Sentiment(commands.Cog):
    """Few-shot: three reviews with their ratings show the model what is wanted."""

    def __init__(self, services: Services) -> None:
        self._services = services
        services.techniques.extend(TEMPLATE, Extension(self.prepare, {"file": (discord.Attachment, FILE)}))

    async def prepare(
        self, interaction: discord.Interaction[Any], options: Options, private: bool
    ) -> Mapping[str, str] | None:
        """Return the review, or rate every review in the file and return None."""
        review, file = options.get("review"), options.get("file")
        if file is None:
            return {"review": review or ""}
        if review is not None:
            raise InputError("Give either a review or a file, not both.")
        batch = Batch(self._services, self._services.templates.get(TEMPLATE), options.get(MODEL))
        await batch.run(interaction, file, private=private)
        return None


async def setup(bot: commands.Bot) -> None:
    """Extend the template's command."""
    await bot.add_cog(Sentiment(services_of(bot)))
