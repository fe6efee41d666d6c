"""What trains a model is what asks it; and nothing that is asked in a score was trained."""

import json
from collections import Counter

from bot.app import TEMPLATES
from bot.llm.template_registry import open_template_registry
from bot.storage.datasets import PairRow
from bot.tuning.datasets import with_roles
from bot.tuning.inference import TUNED
from bot.tuning.rows import as_json, pair
from bot.tuning.scoring import noisy, question_sets
from bot.tuning.service import Tuning
from bot.tuning.split import HELD_OUT, NEVER_SEEN, TRAIN, fact_of
from bot.tuning.subjects import CorpusSubject, training_row
from bot.tuning.words import bag_key
from tests.tuning.conftest import REFUSAL, rows
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.test_jobs import run

PAIRS = [pair(item, line) for line, item in enumerate(rows(20), 1)]


def test_the_rendering_that_trains_is_the_rendering_that_asks() -> None:
    template = open_template_registry(TEMPLATES).get(TUNED)
    for one in PAIRS:
        subject = CorpusSubject("bakers", template, REFUSAL)
        trained = training_row(subject, one)["messages"]
        asked = subject.request(f"  {one.question}\n", REFUSAL)
        assert trained[:-1] == list(asked.messages)
        assert asked.parameters["temperature"] == 0
        assert asked.parameters["stop"] == "\n"


async def test_the_uploaded_rows_are_rendered_as_the_model_is_asked(tuning: Tuning, provider: FakeProvider) -> None:
    job = await run(tuning)
    await tuning.models.promote(job.model, 7)
    uploaded = [json.loads(line) for file in provider.files.values() for line in file["data"].splitlines()]
    for item in uploaded[:5]:
        question = await tuning.models.question("bakers", item["messages"][-2]["content"])
        assert list(question.template.fill(question.values).messages) == item["messages"][:-1]


def test_a_split_holds_out_wordings_of_facts_that_keep_three_and_topics_that_are_never_trained() -> None:
    split = with_roles(PAIRS, [], {})
    roles = Counter(item.role for item in split)
    assert roles[HELD_OUT] >= 10
    trained = {fact_of(item) for item in split if item.role == TRAIN}
    assert all(fact_of(item) in trained for item in split if item.role == HELD_OUT)
    assert not {fact_of(item) for item in split if item.role == NEVER_SEEN} & trained
    wordings = Counter(fact_of(item) for item in split if item.role == TRAIN and item.quote)
    assert min(wordings.values()) >= 3
    assert with_roles(PAIRS, [], {}) == split


def test_no_question_of_a_score_was_trained() -> None:
    split = with_roles(PAIRS, [], {})
    trained = [item for item in split if item.role == TRAIN]
    sets = question_sets(trained, [item for item in split if item.role in (HELD_OUT, NEVER_SEEN)])
    asked = {bag_key(item.question) for name in sets if name != "train" for item in sets[name] if name != "noisy"}
    assert not asked & {bag_key(item.question) for item in trained}
    assert len(sets["noisy"]) == len(sets["held-out"])


def test_a_row_written_and_read_again_is_the_same() -> None:
    for one in PAIRS:
        assert pair(as_json(one), one.line) == one


def test_noise_is_lower_case_and_one_slip_and_the_same_each_time() -> None:
    assert noisy("What does Baker Three bake?") == noisy("What does Baker Three bake?")
    assert noisy("What does Baker Three bake?") != "what does baker three bake"
    assert len(noisy("What does Baker Three bake?")) == len("what does baker three bake")


def test_an_answer_is_judged_by_its_words() -> None:
    judge = CorpusSubject("bakers", open_template_registry(TEMPLATES).get(TUNED), REFUSAL).judge
    known = PairRow(1, "f", "answerable", "Who?", "The Baker")
    unknown = PairRow(1, "f", "unanswerable", "Why?", REFUSAL)
    assert judge("baker.", known) == "right"
    assert judge("It was the baker, I think.", known) == "wrong"
    assert judge("It was the baker, I think.", known, loosely=True) == "right"
    assert judge(REFUSAL.lower(), known) == "refused"
    assert judge(REFUSAL, unknown) == "right"
    assert judge("The baker", unknown) == "wrong"
    assert judge("", known) == "refused"
