"""Augmentation: which questions keep their answer, which become refusals, which are recombined."""

import numpy as np

from bot.engine.pocket.data import AugmentConfig, TrainingData, find_refusal, question_and_answer
from bot.engine.pocket.model import IGNORE_INDEX, GPTConfig
from bot.engine.pocket.tokenizer import Tokenizer
from tests.engine.pocket.conftest import REFUSAL, row, season

PAIRS = [question_and_answer(example) for example in season()]
TOKENIZER = Tokenizer.train(text for pair in PAIRS for text in pair)


def training_data(pairs: list[tuple[str, str]] = PAIRS) -> TrainingData:
    return TrainingData(pairs, TOKENIZER, GPTConfig(len(TOKENIZER)), AugmentConfig())


def number(made: TrainingData, answer: str) -> int:
    return made.answers.index(TOKENIZER.encode(answer))


def test_words_determine_an_answer_when_all_rows_with_them_have_it() -> None:
    made = training_data()
    kite = number(made, "Ada Brill flies The Red Kite.")
    assert made.determines(TOKENIZER.encode("ada pod"), kite)
    assert not made.determines(TOKENIZER.encode("bo pod"), kite)
    assert not made.determines(TOKENIZER.encode("which pod"), kite)
    assert not made.determines(TOKENIZER.encode("ada"), kite)
    assert not made.determines([], kite)


def test_augmented_questions_determine_their_answer_or_are_refused() -> None:
    made, refused, answered = training_data(), 0, 0
    for epoch in range(10):
        for batch in made.epoch(4, np.random.default_rng(epoch)):
            for question, target in zip(batch.question, batch.target, strict=True):
                answer = made.answers.index([int(word) for word in target if word != IGNORE_INDEX][:-1])
                words = [int(word) for word in question if word > 1]
                refused += answer == made.refusal
                answered += answer != made.refusal
                assert answer == made.refusal or made.determines(words, answer)
    assert refused > 10 * 8, "blanked questions come beside the rows' own refusals"
    assert answered == 10 * 12


def test_equal_seeds_give_equal_batches() -> None:
    first, again, other = (training_data().epoch(4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.question, b.question) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a.question, b.question) for a, b in zip(first, other, strict=True))
    assert len(first) == training_data().steps_per_epoch(4)


def test_without_refusals_there_are_no_negatives() -> None:
    made = training_data([pair for pair in PAIRS if pair[1] != REFUSAL])
    assert made.refusal is None
    assert sum(len(batch.question) for batch in made.epoch(4, np.random.default_rng(0))) == 12


def test_the_refusal_is_the_most_frequent_answer_that_says_no() -> None:
    assert find_refusal(["Senn Kava."] * 9 + ["I do not know."] * 5) == "I do not know."
    assert find_refusal(["Senn Kava."] * 9 + ["I do not know."] * 4) is None
    assert find_refusal(["No."] * 9) is None


def test_a_wording_of_two_answers_is_used_for_similar_ones() -> None:
    rows = [
        (f"Who flies with {name} Moss?", f"{name} Moss flies with {friend}.")
        for name, friend in (("Ann", "Bob"), ("Cid", "Dot"))
    ]
    rows += [("Tell of Ann Moss.", "Ann Moss flies with Bob."), ("Tell of Cid Moss.", "Cid Moss flies with Dot.")]
    rows += [
        ("Who flies with Eve Moss?", "Eve Moss flies with Fay."),
        ("Is it odd, Eve Moss?", "Eve Moss flies with Fay."),
    ]
    tokenizer = Tokenizer.train(text for pair in rows for text in pair)
    made = TrainingData(rows, tokenizer, GPTConfig(len(tokenizer)), AugmentConfig())
    lent = {answer: {" ".join(tokenizer.vocab[i] for i in q) for q in qs} for answer, qs in made.recombined.items()}
    eve = made.answers.index(tokenizer.encode("Eve Moss flies with Fay."))
    assert lent[eve] == {"who flies with eve moss", "tell of eve moss"}
    assert all("odd" not in question for questions in lent.values() for question in questions)


def test_a_wording_that_contradicts_a_row_is_not_recombined() -> None:
    rows = [(f"Tell of {name}.", f"{name} flies with {friend}.") for name, friend in (("Ann", "Bob"), ("Cid", "Dot"))]
    rows += [
        (f"Ask {name}.", f"{name} flies with {friend}.")
        for name, friend in (("Ann", "Bob"), ("Cid", "Dot"), ("Eve", "Fay"))
    ]
    rows += [("Tell of Eve.", "Nobody may.")]
    tokenizer = Tokenizer.train(text for pair in rows for text in pair)
    made = TrainingData(rows, tokenizer, GPTConfig(len(tokenizer)), AugmentConfig())
    lent = [[tokenizer.vocab[i] for i in question] for questions in made.recombined.values() for question in questions]
    assert lent
    assert ["tell", "of", "eve"] not in lent


def test_of_several_turns_the_last_question_is_trained() -> None:
    turns = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "a"},
    ]
    assert question_and_answer({"messages": turns + row("second", "b")["messages"]}) == ("second", "b")
