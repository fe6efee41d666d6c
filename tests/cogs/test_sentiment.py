"""A file of reviews where some of them, or all, get no rating."""

import csv
import json

import pytest

from tests.simulated import Simulated


async def rated(sim: Simulated, reviews: list[str]) -> tuple[str, list[list[str]]]:
    """What is said of a file of reviews, and the rows of its table without the heading."""
    file = ("reviews.txt", "\n".join(reviews).encode())
    result = await sim.member.slash(sim.general, "sentiment", file=file)
    shown = result.response or result.followups[-1]
    tables = [await one.read() for one in shown.message.attachments if one.filename.endswith(".csv")]
    rows = list(csv.reader(tables[0].decode("utf-8-sig").splitlines()))[1:] if tables else []
    return sim.text(shown), rows


@pytest.mark.settings(moderation_model="omni-moderation-latest")
async def test_a_review_that_the_moderation_holds_back_leaves_the_others_their_ratings(sim: Simulated) -> None:
    sim.model.moderator.flags["knife"] = ["violence"]
    sim.model.says("4: fine")
    said, _ = await rated(sim, ["It works.", "A knife to my wallet.", "It is blue."])
    assert "from 2 reviews\n1 could not be rated: This bot's moderation" in said


@pytest.mark.parametrize(("status", "code"), [(400, "content_filter"), (413, None), (422, None)])
async def test_a_review_that_the_model_refuses_is_marked_and_the_others_are_rated(
    sim: Simulated, status: int, code: str | None
) -> None:
    sim.model.says("4: fine")
    sim.model.fails(status, code=code)
    said, rows = await rated(sim, [f"Review {number}." for number in range(12)])
    assert "from 11 reviews\n1 could not be rated: " in said
    refused = [row for row in rows if not row[1]]
    assert len(refused) == 1
    assert refused[0][2].startswith("no rating: The model ")
    assert [row[1] for row in rows].count("4") == 11


# The simulator's clock does not advance while requests wait for the retries of others.
@pytest.mark.settings(calls_per_person=8)
@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (401, "invalid_api_key", "did not accept the bot's credentials"),
        (403, None, "may not use this model"),
        (404, "model_not_found", "does not exist"),
        (429, "insufficient_quota", "has used up its credit"),
    ],
)
async def test_an_account_or_a_model_that_cannot_be_used_stops_a_file_at_once(
    sim: Simulated, status: int, code: str | None, sentence: str
) -> None:
    sim.model.fails(status, code=code, times=100, retry_after=0.01)
    said, _ = await rated(sim, [f"Review {number}." for number in range(60)])
    assert sentence in said
    # Those that were asked side by side, and no more.
    assert len({call.body["messages"][-1]["content"] for call in sim.model.calls}) <= 8


async def test_a_server_that_stays_down_is_not_asked_for_every_review(sim: Simulated) -> None:
    sim.model.fails(400, times=100)
    said, _ = await rated(sim, [f"Review {number}." for number in range(60)])
    assert said.startswith("None of the 60 reviews could be rated. ")
    assert 16 <= len(sim.model.calls) <= 24


@pytest.mark.parametrize(
    ("data", "reviews"),
    [
        (
            b"\xef\xbb\xbfid;review;date\r\n1;Lovely place;2026-01-01\r\n2;Bad, very bad;2026-01-02\r\n",
            ["Lovely place", "Bad, very bad"],
        ),
        (b"id\treview\n1\tLovely place\n2\tAwful\n", ["Lovely place", "Awful"]),
        (b"sep=,\r\nreview,id\r\nLovely place,1\r\n", ["Lovely place"]),
        (b"sep=;\r\nid;review\r\n1;Lovely, really\r\n", ["Lovely, really"]),
        (b"id,text\n1,Lovely place\n2,Awful\n", ["Lovely place", "Awful"]),
        ("review\nLovely place\n".encode("utf-16"), ["Lovely place"]),
        ("Nr;Kommentar\r\n1;Schön, aber teuer – 5 €\r\n".encode("cp1252"), ["Schön, aber teuer – 5 €"]),
    ],
    ids=["semicolons", "tabs", "sep=,", "sep=;", "text", "UTF-16", "cp1252"],
)
async def test_only_the_reviews_of_a_table_are_rated(sim: Simulated, data: bytes, reviews: list[str]) -> None:
    sim.model.says("4: fine")
    await sim.member.slash(sim.general, "sentiment", file=("reviews.csv", data))
    assert sorted(call.body["messages"][-1]["content"] for call in sim.model.calls) == sorted(reviews)


async def test_a_prompt_card_names_the_type_of_a_response_format_and_has_all_of_it_in_its_file(sim: Simulated) -> None:
    sim.model.says('{"stars": 4, "reason": "fine"}')
    result = await sim.member.slash(sim.general, "sentiment", review="It works.")
    shown = await sim.member.click(result.response, label="Prompt")
    assert "response_format json_schema …" in sim.text(shown.response)
    assert shown.response is not None
    (file,) = shown.response.message.attachments
    sent = json.loads(await file.read())
    assert sent["response_format"] == sim.model.requests[-1]["response_format"]
