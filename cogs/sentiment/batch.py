"""A file of reviews: rated side by side, with a progress bar, a histogram and a CSV at the end."""

import asyncio
import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import discord

from bot.answers.prompt_view import author
from bot.answers.rendering import bar, stars
from bot.answers.service import Answering
from bot.core.errors import FewshotError, InputError, LimitError, ModelError, NoModelError, ReplyError
from bot.core.i18n import _, ngettext
from bot.llm.errors import is_permanent
from bot.llm.output_parsers import Rating
from bot.llm.template import ChatTemplate
from bot.server.moderation import BlockedError
from bot.services import Services
from bot.ui.actions import ActionButton
from bot.ui.pictures import histogram_picture
from bot.ui.reply import OutgoingFile, Page
from bot.ui.uploads import csv_cell, read_entries

MOST_REVIEWS = 500
LONGEST = 6_000
# Bytes of a file: 500 reviews of 2,000 characters; single reviews may be longer.
LARGEST = 1_000_000
# Reviews at one time, so that one file leaves most of the model's places to everyone else.
SIDE_BY_SIDE = 8
# Reviews that fail one after the other until the rest is left alone: two rounds, or a server that is down would be
# asked 500 times, each time as long as the client has patience.
MOST_IN_A_ROW = 2 * SIDE_BY_SIDE


@dataclass(slots=True)
class Row:
    """A review and what became of it: a rating, or the error that says why there is none."""

    review: str
    rating: Rating | None = None
    problem: FewshotError | None = None


class Batch:
    """Rates the reviews of one file."""

    def __init__(self, services: Services, template: ChatTemplate) -> None:
        self._services, self._template = services, template
        self._done = self._failed_in_a_row = 0
        self._stop: FewshotError | None = None

    async def run(self, interaction: discord.Interaction[Any], file: discord.Attachment, *, private: bool) -> None:
        """Read `file`, rate its reviews, answer with a picture and a CSV."""
        async with self._services.answers.open(interaction, private=private) as answering:
            rows = await self._read(file)
            await self._rate_all(answering, rows)
            await answering.finish_page(await self._page(rows, private=private))

    async def _read(self, file: discord.Attachment) -> list[Row]:
        reviews = await read_entries(file, most=LARGEST, column="review", longest=LONGEST)
        if not reviews:
            raise InputError("The file holds no review.")
        if len(reviews) > MOST_REVIEWS:
            raise InputError(
                "The file holds {n:,} reviews; up to {most} can be rated at once.", n=len(reviews), most=MOST_REVIEWS
            )
        return [Row(review) for review in reviews]

    async def _rate_all(self, answering: Answering, rows: list[Row]) -> None:
        """Rate `rows` in place. What would refuse every other review as well stops the rest; what was rated stays."""
        waiting = iter(rows)
        self._show_progress(answering, rows)

        async def worker() -> None:
            for row in waiting:
                if self._stop is not None:
                    row.problem = self._stop
                    continue
                await self._rate(answering, row)
                self._done += 1
                self._show_progress(answering, rows)

        try:
            async with asyncio.TaskGroup() as group:
                for _worker in range(min(SIDE_BY_SIDE, len(rows))):
                    group.create_task(worker())
        except* FewshotError as errors:
            raise _first(errors) from None

    def _show_progress(self, answering: Answering, rows: list[Row]) -> None:
        answering.reply.show(_("Rating reviews\n{bar}", bar=bar(self._done, len(rows))), writing=False)

    async def _rate(self, answering: Answering, row: Row) -> None:
        try:
            answer = await answering.ask(self._template.fill({"review": row.review}), show=False, cache=False)
        except NoModelError:
            raise
        except (LimitError, ModelError, BlockedError) as error:
            row.problem = error
            self._failed_in_a_row += 1
            if _is_for_all(error) or self._failed_in_a_row >= MOST_IN_A_ROW:
                self._stop = error
        else:
            assert isinstance(answer.reply, Rating), "the template asks for ratings"
            row.rating = answer.reply
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
        name = author(self._services.gateway.model)
        technique = _(self._template.with_examples(99).fill({"review": ""}).technique)
        files: list[OutgoingFile] = [picture, ("ratings.csv", _table(rows))]
        items = [ActionButton("share", "", label=_("Share"), emoji="📣")] if private else []
        return Page(_summary(rows, ratings), f"-# {name} · {technique}", items, files)


def _summary(rows: list[Row], ratings: list[int]) -> str:
    """The mean of the ratings, and how many reviews have none."""
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
    """Whether a limit is reached, or the account or the model cannot be used: no other review would be rated."""
    return isinstance(error, LimitError) or (isinstance(error, ModelError) and is_permanent(error))


def _first(errors: BaseExceptionGroup[FewshotError]) -> FewshotError:
    """The first error of a group of groups."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _table(rows: list[Row]) -> bytes:
    """The ratings as CSV with a byte order mark, which spreadsheets want for anything but ASCII."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(["review", "stars", "reason"])
    for row in rows:
        rating = row.rating
        cells = (str(rating.stars), rating.reason) if rating else ("", _("no rating: {why}", why=row.problem))
        writer.writerow([csv_cell(row.review), cells[0], csv_cell(cells[1])])
    return sheet.getvalue().encode("utf-8-sig")
