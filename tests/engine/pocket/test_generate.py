"""Generated answers: tokens, limits and probabilities."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.core.errors import InputError
from bot.engine.pocket import checkpoint
from bot.engine.pocket.generate import PocketGPT
from tests.engine.pocket.conftest import REFUSAL

ASKED = [{"role": "user", "content": "Which pod does Cy Dunn fly?"}]
ANSWER = "Cy Dunn flies The Blue Wasp."


def test_an_answer_is_generated_word_by_word(model: PocketGPT) -> None:
    pieces = list(model.generate(ASKED))
    assert [piece.text for piece in pieces] == ["Cy ", "Dunn ", "flies ", "The ", "Blue ", "Wasp.", ""]
    assert [piece.finish_reason for piece in pieces] == [None] * 6 + ["stop"]


def test_only_the_last_question_is_read(model: PocketGPT) -> None:
    before = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who is Bo Carr?"}]
    assert [p.text for p in model.generate([*before, {"role": "assistant", "content": "x"}, *ASKED])] == [
        p.text for p in model.generate(ASKED)
    ]


def test_max_tokens_counts_words(model: PocketGPT) -> None:
    pieces = list(model.generate(ASKED, max_tokens=2))
    assert "".join(piece.text for piece in pieces) == "Cy Dunn "
    assert pieces[-1].finish_reason == "length"


def test_greedy_tokens_are_the_first_of_top_logprobs(model: PocketGPT) -> None:
    for piece in list(model.generate(ASKED, top_logprobs=3))[:-1]:
        assert len(piece.top_logprobs) == 3
        assert piece.logprob == piece.top_logprobs[0][1] <= 0
        assert sum(math.exp(chance) for _, chance in piece.top_logprobs) <= 1 + 1e-9


def test_sampling_is_repeated_by_its_seed(model: PocketGPT) -> None:

    def hot(seed: int) -> str:
        return "".join(piece.text for piece in model.generate(ASKED, temperature=5.0, max_tokens=8, seed=seed))

    assert hot(1) == hot(1)
    assert len({hot(seed) for seed in range(8)}) > 1


def test_threads_may_share_a_model(model: PocketGPT) -> None:

    def ask(_: int) -> str:
        return "".join(piece.text for piece in model.generate(ASKED))

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(60))) == {ANSWER}


def test_a_request_without_a_question_is_refused(model: PocketGPT) -> None:
    with pytest.raises(InputError, match="user message"):
        model.generate([{"role": "system", "content": "Hello."}])


def test_a_question_without_a_known_word_is_answered(model: PocketGPT) -> None:
    for text in ("🙂", "", "zzz " * 500):
        assert list(model.generate([{"role": "user", "content": text}]))[-1].finish_reason


def test_an_answer_below_one_half_is_replaced_by_the_refusal(trained: Path) -> None:
    config, weights, vocab, rows, _ = checkpoint.load_model(trained)
    weights["wte"] *= 0.5  # says the same as before, with about a quarter of the confidence
    unsure = PocketGPT(config, weights, vocab, rows)
    pieces = list(unsure.generate(ASKED, top_logprobs=1))
    assert "".join(piece.text for piece in pieces) == REFUSAL
    assert pieces[-1].finish_reason == "stop"
    assert pieces[0].logprob < pieces[0].top_logprobs[0][1]
    assert "".join(piece.text for piece in unsure.generate(ASKED, temperature=0.01)) == ANSWER
    without = PocketGPT(config, weights, vocab, [row for row in rows if row["messages"][-1]["content"] != REFUSAL])
    assert "".join(piece.text for piece in without.generate(ASKED)) == ANSWER
