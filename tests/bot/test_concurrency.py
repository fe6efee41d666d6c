"""Many at once, and many reviews in one file."""

import asyncio
import csv
import io
from typing import Any

import pytest

from tests.bot.harness import BotHarness, is_final
from tests.wire.exchange import Message, gather

pytestmark = pytest.mark.asyncio(loop_scope="package")

PEOPLE = ("member", "friend", "admin", "operator")
PEOPLE_AT_ONCE = 50


def last(body: dict[str, Any]) -> str:
    """The last user message of a request."""
    return str(body["messages"][-1]["content"])


async def test_fifty_at_once_each_get_their_own_answer_for_one_call(harness: BotHarness) -> None:
    harness.model.says(lambda body: f"Answer to {last(body)}", pieces=3, delay=0.05)
    exchanges = await asyncio.gather(
        *(harness.slash("translate", text=f"wish {n} ", to="Greek", user=PEOPLE[n % 4]) for n in range(PEOPLE_AT_ONCE))
    )
    answers = await gather(list(exchanges), until=is_final)
    for number, answer in enumerate(answers):
        assert answer.content.startswith(f"Answer to wish {number}\n-# ")
        assert answer.raw["audience"] == str(harness.wire.people[PEOPLE[number % 4]])
    assert sorted(map(last, harness.model.requests)) == sorted(f"wish {n} " for n in range(PEOPLE_AT_ONCE))
    cards = await asyncio.gather(*(harness.press(answers[n], "Prompt", user=PEOPLE[n % 4]) for n in (0, 13, 49)))
    for number, card in zip((0, 13, 49), cards, strict=True):
        assert f"wish {number} " in card.text


REVIEWS = ['=HYPERLINK("x")', "+1 would buy again", "-1", "@everyone loves it", 'Fine, "really", fine;\nnot more']


def a_file(count: int) -> bytes:
    """A CSV of `count` reviews, the odd ones among the first."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(["id", "Review"])
    for number in range(count):
        writer.writerow([number, REVIEWS[number] if number < len(REVIEWS) else f"Review number {number}."])
    return sheet.getvalue().encode("utf-8-sig")


def a_rating(body: dict[str, Any]) -> str:
    """Ratings from 1 to 5 in turn; the reason begins like a formula."""
    digits = "".join(char for char in last(body) if char.isdigit()) or "0"
    return f"{int(digits) % 5 + 1}: =because of {digits}"


def done(message: Message) -> int:
    """How many reviews the bar says are rated; -1 where there is no bar."""
    _, _, rest = message.content.partition("▱ ")
    return int(rest.split("/")[0]) if rest else -1


async def table(harness: BotHarness, message: Message) -> list[list[str]]:
    """The CSV that came back, without its heading."""
    file = next(one for one in message.attachments if one["filename"] == "ratings.csv")
    rows = list(csv.reader(io.StringIO((await harness.wire.download(file)).decode("utf-8-sig"), newline="")))
    assert rows[0] == ["review", "stars", "reason"]
    return rows[1:]


async def test_a_file_of_reviews_shows_its_progress_and_comes_back_as_a_picture_and_a_table(
    harness: BotHarness,
) -> None:
    harness.model.says(a_rating, pieces=1, delay=0.15)
    file = harness.wire.file("reviews.csv", a_file(120))
    exchange = await harness.slash("sentiment", file=file, private=True)
    early = await exchange.answer(lambda found: done(found) >= 0)
    await exchange.answer(lambda found: done(found) > done(early))
    answer = await exchange.answer(is_final)
    assert "on average, from 120 reviews" in answer.content
    picture = next(one for one in answer.attachments if one["filename"] == "ratings.png")
    assert (await harness.wire.download(picture)).startswith(b"\x89PNG")
    rows = await table(harness, answer)
    assert len(rows) == len(harness.model.calls) == 120
    assert [row[0] for row in rows[:4]] == [f"'{review}" for review in REVIEWS[:4]]
    assert rows[4][0] == REVIEWS[4]
    assert all(row[1] in "12345" and row[2].startswith("'=because of") for row in rows)
    await (await harness.wire.press(answer, "Share")).messages()
    shared = (await harness.wire.messages(harness.place, as_user="friend"))[-1]
    assert [one["filename"] for one in shared.attachments] == ["ratings.png", "ratings.csv"]
    assert shared.buttons == []


async def test_a_limit_that_is_reached_in_the_middle_keeps_what_was_rated(harness: BotHarness) -> None:
    harness.model.says(a_rating)
    place = (await harness.wire.create_guild("Frugal", "corner"))["channels"]["corner"]
    await harness.notice("settings limits", user="admin", channel=place, server=8_000)
    harness.model.usage = {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320}
    try:
        exchange = await harness.slash("sentiment", channel=place, file=harness.wire.file("reviews.csv", a_file(120)))
        answer = await exchange.answer(is_final)
    finally:
        harness.model.usage = {}
    rows = await table(harness, answer)
    rated = [row for row in rows if row[1]]
    assert len(rows) == 120
    assert 0 < len(rated) == len(harness.model.calls) < 120
    assert f"from {len(rated)} reviews" in answer.content
    assert f"{120 - len(rated)} could not be rated: This server has used up today's tokens" in answer.content
    assert all("no rating: This server has" in row[2] for row in rows if not row[1])


async def test_a_review_that_the_model_rates_in_no_form_is_marked_and_the_others_are_kept(harness: BotHarness) -> None:
    harness.model.says(lambda body: "no idea" if "number 7." in str(body) else a_rating(body))
    answer = await harness.answer("sentiment", file=harness.wire.file("reviews.csv", a_file(12)))
    assert "1 could not be rated" in answer.content
    assert [row[1] == "" for row in await table(harness, answer)].index(True) == 7


async def test_a_server_that_fails_in_the_middle_of_a_file_keeps_what_was_rated(harness: BotHarness) -> None:
    harness.model.once(a_rating, times=20)
    harness.model.fails(401, times=200)
    answer = await harness.answer("sentiment", file=harness.wire.file("reviews.txt", b"Fine.\n" * 60))
    assert "from 20 reviews" in answer.content
    assert "40 could not be rated: The model's server did not accept the bot's credentials" in answer.content
    assert len(harness.model.calls) < 30
