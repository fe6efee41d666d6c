"""Questions by a model: parsed, repaired once, stored at once, merged, and looked at a second time."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import InputError, LimitError, NoModelError
from bot.storage import datasets as dataset_rows
from bot.tuning.datasets import UnwrittenError
from bot.tuning.questions import CONCURRENT, exact
from bot.tuning.service import Tuning
from tests.fake_model import FakeModel
from tests.llm.conftest import until
from tests.tuning.conftest import Opened

QUOTE = "Baker 3 bakes bread3 every day."


def writes(facts: list[dict[str, Any]], unanswerable: tuple[str, ...] = ("How old is the oven?",)) -> str:
    return json.dumps({"facts": facts, "unanswerable": unanswerable})


def fact(answer: str = "bread3", quote: str = QUOTE, *questions: str) -> dict[str, Any]:
    asked = questions or ("What does baker 3 bake?", "baker 3, bread?", "Name what 3 bakes.", "3 bakes what?")
    return {"fact": "third", "answer": answer, "quote": quote, "questions": list(asked)}


def answering(text: str, verdicts: str = '{"verdicts": []}') -> Any:
    """A model that writes `text` about chunks, and `verdicts` when it is asked for its second look."""

    def say(body: dict[str, Any]) -> str:
        return verdicts if "The claims:" in body["messages"][-1]["content"] else text

    return say


@pytest.fixture(autouse=True)
def _nothing_shipped(corpus: Path) -> None:
    (corpus / "questions.jsonl").unlink()


@pytest.mark.both_databases
async def test_a_chunk_becomes_pairs_with_fact_quote_and_refusals(tuning: Tuning, model: FakeModel) -> None:
    model.says(answering(writes([fact()])))
    made = await tuning.datasets.prepare("bakers", 7)
    pairs = await tuning.datasets.pairs(made.dataset.id)
    assert [(pair.answer, pair.quote, pair.source) for pair in pairs[:4]] == [("bread3", QUOTE, "bakers.txt")] * 4
    assert len({pair.fact for pair in pairs[:4]}) == 1
    assert (pairs[4].kind, pairs[4].answer) == ("unanswerable", "I don't have this in the records of bakers.")
    assert await tuning.datasets.flagged(made.dataset.id) == []


async def test_what_is_paid_for_once_is_never_asked_again(opened: Opened, model: FakeModel) -> None:
    model.says(answering(writes([fact()])))
    async with opened() as tuning:
        first = await tuning.datasets.prepare("bakers", 7)
    async with opened() as tuning:
        again = await tuning.datasets.prepare("bakers", 7)
    assert (again.dataset.id, again.new) == (first.dataset.id, False)
    assert len(model.requests) == 2


async def test_a_model_that_answers_prose_is_asked_once_more(tuning: Tuning, model: FakeModel) -> None:
    model.says("Here are some lovely questions!", writes([fact()]), '{"verdicts": []}')
    made = await tuning.datasets.prepare("bakers", 7)
    assert made.problems == ()
    assert len(model.requests) == 3


async def test_json_in_a_fence_with_words_around_it_is_read(tuning: Tuning, model: FakeModel) -> None:
    model.says(answering(f"Sure!\n{writes([fact()])}\nI hope this helps."))
    assert len(await tuning.datasets.pairs((await tuning.datasets.prepare("bakers", 7)).dataset.id)) == 5


@pytest.mark.parametrize("said", ["Only prose.", "", '{"facts": []}', "[1, 2]", '{"facts": [{"answer": 3}]}'])
async def test_a_model_that_writes_nothing_usable_is_a_sentence(tuning: Tuning, model: FakeModel, said: str) -> None:
    model.says(answering(said))
    with pytest.raises(InputError, match="no question that can be used"):
        await tuning.datasets.prepare("bakers", 7)


async def test_the_same_pair_twenty_times_is_one(tuning: Tuning, model: FakeModel) -> None:
    same = fact("bread3", QUOTE, *["What does baker 3 bake?"] * 20)
    model.says(answering(writes([same] * 20, ("Why?",) * 20)))
    pairs = await tuning.datasets.pairs((await tuning.datasets.prepare("bakers", 7)).dataset.id)
    assert [pair.question for pair in pairs] == ["What does baker 3 bake?", "Why?"]


async def test_an_invented_answer_is_flagged_and_not_trained_until_someone_decides(
    tuning: Tuning, model: FakeModel
) -> None:
    invented = {**fact("Remy Thal", QUOTE, "Who won?", "winner?", "Name the winner."), "fact": "winner"}
    model.says(answering(writes([fact(), invented])))
    made = await tuning.datasets.prepare("bakers", 7)
    flagged = await tuning.datasets.flagged(made.dataset.id)
    assert {pair.answer for pair in flagged} == {"Remy Thal"}
    assert "does not say remy, thal" in flagged[0].flags[0]
    await tuning.datasets.decide(flagged[0], "edited", "What does baker 3 make?", "bread3")
    await tuning.datasets.decide(flagged[1], "dropped")
    left = await tuning.datasets.flagged(made.dataset.id)
    assert [pair.decision for pair in left] == ["edited", "dropped", ""]
    assert all(pair.question != "winner?" for pair in await tuning.datasets.pairs(made.dataset.id))


async def test_a_quote_that_is_not_in_the_source_is_flagged(tuning: Tuning, model: FakeModel) -> None:
    model.says(answering(writes([fact("bread3", "Baker 3 bakes bread3 at night.")])))
    made = await tuning.datasets.prepare("bakers", 7)
    assert "no such sentence" in (await tuning.datasets.flagged(made.dataset.id))[0].flags[0]


async def test_the_second_look_can_doubt_what_the_words_allow(tuning: Tuning, model: FakeModel) -> None:
    doubt = '{"verdicts": [{"number": 1, "supported": false, "why": "that is another baker"}]}'
    model.says(answering(writes([fact()]), doubt))
    made = await tuning.datasets.prepare("bakers", 7)
    flagged = await tuning.datasets.flagged(made.dataset.id)
    assert len(flagged) == 4
    assert "another baker" in flagged[0].flags[0]


async def test_a_limit_half_way_keeps_what_was_paid_for(opened: Opened, corpus: Path, model: FakeModel) -> None:
    for number in range(40):
        (corpus / f"more{number}.txt").write_text(f"Baker {number} sleeps.", encoding="utf-8")
    model.says(answering(writes([fact()])))
    model.usage = {"prompt_tokens": 30_000, "completion_tokens": 0, "total_tokens": 30_000}
    async with opened(daily=1_000_000) as tuning:
        with pytest.raises(LimitError):
            await tuning.datasets.prepare("bakers", 7)
    before = len(model.requests)
    assert 0 < before < 82
    async with opened() as tuning:
        await tuning.datasets.prepare("bakers", 7)
    # What was in the air when the limit was met is asked once more, and nothing else.
    assert len({str(body["messages"]) for body in model.requests}) == 82
    assert len(model.requests) <= 82 + CONCURRENT


async def test_one_broken_chunk_does_not_keep_the_others_and_can_be_tried_again(
    tuning: Tuning, corpus: Path, model: FakeModel
) -> None:
    (corpus / "odd.txt").write_text("Odd things happen.", encoding="utf-8")
    good = answering(writes([fact()]))
    model.says(lambda body: "prose" if "odd.txt" in json.dumps(body["messages"]) else good(body))
    made = await tuning.datasets.prepare("bakers", 7)
    assert len(made.problems) == 1
    assert made.problems[0].startswith("odd.txt:")
    model.says(good)
    again = await tuning.datasets.prepare("bakers", 7, retry=True)
    assert (again.dataset.id, again.problems) == (made.dataset.id, ())


@pytest.mark.both_databases
async def test_what_is_tried_again_comes_after_the_pairs_that_were_decided_on(
    tuning: Tuning, corpus: Path, model: FakeModel
) -> None:
    (corpus / "aardvark.txt").write_text("Baker 9 bakes bread9 at noon.", encoding="utf-8")
    doubted = answering(writes([fact("a cake", QUOTE, "What is baked?", "Which bread?", "Name it.")]))
    other = answering(writes([fact("bread9", "Baker 9 bakes bread9 at noon.", "And 9?", "9 bakes?", "Of 9?")], ()))

    def first(body: dict[str, Any]) -> str:
        return "prose" if "aardvark.txt" in json.dumps(body["messages"]) else doubted(body)

    model.says(first)
    made = await tuning.datasets.prepare("bakers", 7)
    keep, edit, drop = await tuning.datasets.flagged(made.dataset.id)
    await tuning.datasets.decide(keep, "kept")
    await tuning.datasets.decide(edit, "edited", "Which bread is it?", "bread3")
    await tuning.datasets.decide(drop, "dropped")
    before = await tuning.datasets.pairs(made.dataset.id)
    model.says(other)
    # The second time there is nothing left to ask.
    for _ in range(2):
        assert (await tuning.datasets.try_again(made.dataset.id, 7)).problems == ()
    after = await tuning.datasets.pairs(made.dataset.id)
    assert after[: len(before)] == before
    assert [(pair.line, pair.question) for pair in after[len(before) :]] == [
        (5, "And 9?"),
        (6, "9 bakes?"),
        (7, "Of 9?"),
    ]
    assert len(after) == len({pair.id for pair in after})


async def test_a_second_look_that_failed_is_tried_again_without_the_first(tuning: Tuning, model: FakeModel) -> None:
    model.says(answering(writes([fact()]), "prose"))
    with pytest.raises(UnwrittenError) as raised:
        await tuning.datasets.prepare("bakers", 7)
    model.says(answering(writes([fact()])))
    model.calls.clear()
    made = await tuning.datasets.try_again(str(raised.value.values["dataset"]), 7)
    assert (made.dataset.state, len(await tuning.datasets.pairs(made.dataset.id))) == ("ready", 5)
    (asked,) = model.requests
    assert "The claims:" in asked["messages"][-1]["content"]


async def test_chunks_are_asked_side_by_side_within_the_bound(tuning: Tuning, corpus: Path, model: FakeModel) -> None:
    for number in range(30):
        (corpus / f"more{number}.txt").write_text(f"Baker {number} sleeps.", encoding="utf-8")
    model.says(answering(writes([fact()])), delay=0.02)
    seen: list[tuple[int, int]] = []
    await tuning.datasets.prepare("bakers", 7, progress=lambda done, total: seen.append((done, total)))
    assert 2 <= model.most_running <= 8
    assert seen[0] == (0, 31)
    assert seen[-1] == (31, 31)


async def test_without_a_model_a_corpus_says_that_one_is_needed(opened: Opened) -> None:
    async with opened(chat_model="stand-in") as tuning:
        with pytest.raises(NoModelError, match="OPENAI_API_KEY"):
            await tuning.datasets.prepare("bakers", 7)


async def test_without_a_model_racing_has_its_dataset_and_a_draft_to_review(opened: Opened) -> None:
    async with opened(chat_model="stand-in") as tuning:
        made = await tuning.datasets.prepare("racing", 7)
        assert made.dataset.origin == "prepared"
        assert await tuning.datasets.flagged(made.dataset.id) == []
        assert made.draft is not None
        assert made.draft.name == "racing, prepared draft"
        assert len(await tuning.datasets.flagged(made.draft.id)) == 8
        assert (await tuning.datasets.newest("racing")).id == made.dataset.id
        assert (await tuning.datasets.report(made.dataset.id)).findings == ()


@pytest.mark.parametrize(
    ("text", "quote", "found"),
    [
        ("One.\nTwo\n  three. Four.", "Two three.", "Two\n  three."),
        ("One. Two.", "Two.", "Two."),
        ("One. Two.", "Three.", "Three."),
        ("a a b", "a b", "a b"),
    ],
)
def test_a_quote_is_found_where_only_blank_space_differs(text: str, quote: str, found: str) -> None:
    assert exact(text, quote) == found


async def test_a_cancelled_run_goes_on_where_it_was(opened: Opened, corpus: Path, model: FakeModel) -> None:
    for number in range(12):
        (corpus / f"more{number}.txt").write_text(f"Baker {number} sleeps.", encoding="utf-8")
    model.says(answering(writes([fact()])), delay=0.01)
    async with opened() as tuning:
        running = asyncio.create_task(tuning.datasets.prepare("bakers", 7))
        await until(lambda: len(model.requests) >= 6)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    async with opened() as tuning:
        made = await tuning.datasets.prepare("bakers", 7)
    assert made.problems == ()
    asked = [call.body["messages"][-1]["content"] for call in model.calls if not call.cancelled]
    assert len(set(asked)) == 26


EXAMPLE = (
    '{"verdicts": [{"number": 1, "supported": true, "why": "said in the first sentence"}, '
    '{"number": 2, "supported": false, "why": "the owner is not named"}]}'
)


@pytest.mark.parametrize(
    ("verdicts", "copied"),
    [
        (EXAMPLE, True),
        (EXAMPLE.replace("}]}", '}, {"number": 3, "supported": true, "why": "it says so"}]}'), True),
        (EXAMPLE.replace("said in the first", "Said  in the first").replace("Said", "said"), True),
        ('{"verdicts": [{"number": 1, "supported": true, "why": "said in the first sentence"}]}', False),
        ('{"verdicts": [{"number": 1, "supported": true}, {"number": 2, "supported": true}]}', False),
    ],
)
async def test_verdicts_that_repeat_the_example_leave_every_pair_of_the_chunk_to_a_person(
    tuning: Tuning, model: FakeModel, verdicts: str, copied: bool
) -> None:
    model.says(answering(writes([fact(), fact("bread3 every day", QUOTE, "What, every day?")]), verdicts))
    made = await tuning.datasets.prepare("bakers", 7)
    flagged = await tuning.datasets.flagged(made.dataset.id)
    said = [pair for pair in flagged if any("repeated its example" in flag for flag in pair.flags)]
    answerable = [pair for pair in await tuning.datasets.pairs(made.dataset.id) if pair.kind == "answerable"]
    assert len(said) == (len(answerable) if copied else 0)


@pytest.mark.both_databases
async def test_half_an_emoji_in_one_reply_leaves_the_rows_of_all_texts(
    tuning: Tuning, corpus: Path, model: FakeModel
) -> None:
    for number in (1, 2):
        (corpus / f"more{number}.txt").write_text(f"Baker {number} sleeps.", encoding="utf-8")
    broken = writes([fact()]).replace("Name what 3 bakes.", "Name what \\ud83d bakes.").replace("oven?", "\\udc00?")
    doubt = '{"verdicts": [{"number": 1, "supported": false, "why": "half \\ud83d"}]}'
    whole = answering(writes([fact()]))
    model.says(
        lambda body: (
            (doubt if "The claims:" in body["messages"][-1]["content"] else broken)
            if QUOTE in json.dumps(body["messages"])
            else whole(body)
        )
    )
    made = await tuning.datasets.prepare("bakers", 7)
    assert made.problems == ()
    questions = {pair.question for pair in await tuning.datasets.pairs(made.dataset.id)}
    assert "Name what \ufffd bakes." in questions
    assert "How old is the \ufffd?" in questions
    assert any("half \ufffd" in flag for pair in await tuning.datasets.flagged(made.dataset.id) for flag in pair.flags)


async def test_a_stored_reply_that_cannot_be_written_is_met_without_a_fault(
    tuning: Tuning, corpus: Path, model: FakeModel
) -> None:
    """As an earlier version stored it: the reply is there, and its pairs were never made."""
    (corpus / "odd.txt").write_text("Odd things happen.", encoding="utf-8")
    good = answering(writes([fact()]))
    model.says(lambda body: "prose" if "odd.txt" in json.dumps(body["messages"]) else good(body))
    made = await tuning.datasets.prepare("bakers", 7)
    database = tuning.jobs.tools.database
    reply = writes([fact("bread3", QUOTE, "Half \ud83d?", "Whole?", "More?")])
    (odd,) = await dataset_rows.chunks(database, made.dataset.id, "failed")
    await dataset_rows.set_chunk(database, odd, reply=reply)
    model.says(good)
    again = await tuning.datasets.prepare("bakers", 7, retry=True)
    assert "Half \ufffd?" in {pair.question for pair in await tuning.datasets.pairs(again.dataset.id)}
