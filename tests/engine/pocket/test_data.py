"""How questions are varied: what stays certain, what becomes a refusal, what is recombined."""

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


def test_words_decide_when_every_row_that_holds_them_agrees() -> None:
    """`ada pod` is enough to know her pod; `which pod` and `ada` are not."""
    made = training_data()
    kite = number(made, "Ada Brill flies The Red Kite.")
    assert made.determines(TOKENIZER.encode("ada pod"), kite)
    assert not made.determines(TOKENIZER.encode("bo pod"), kite)
    assert not made.determines(TOKENIZER.encode("which pod"), kite)
    assert not made.determines(TOKENIZER.encode("ada"), kite)
    assert not made.determines([], kite)


def test_what_is_shown_is_certain_or_refused() -> None:
    """In ten epochs no question is shown with an answer that its words do not decide."""
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


def test_an_epoch_is_drawn_from_its_seed() -> None:
    """The same seed gives the same batches, another gives others."""
    first, again, other = (training_data().epoch(4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.question, b.question) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a.question, b.question) for a, b in zip(first, other, strict=True))
    assert len(first) == training_data().steps_per_epoch(4)


def test_without_refusals_there_are_no_negatives() -> None:
    """A dataset that never refuses has nothing to teach refusing with."""
    made = training_data([pair for pair in PAIRS if pair[1] != REFUSAL])
    assert made.refusal is None
    assert sum(len(batch.question) for batch in made.epoch(4, np.random.default_rng(0))) == 12


def test_the_refusal_is_the_frequent_answer_that_says_no() -> None:
    """Not the most frequent answer as such, and not one that is given twice."""
    assert find_refusal(["Senn Kava."] * 9 + ["I do not know."] * 5) == "I do not know."
    assert find_refusal(["Senn Kava."] * 9 + ["I do not know."] * 4) is None
    assert find_refusal(["No."] * 9) is None


def test_a_fact_is_asked_in_the_words_of_its_sisters() -> None:
    """A wording that two pilots have is lent to the third, and one that a single pilot has is not."""
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


def test_a_wording_that_would_contradict_a_row_is_not_lent() -> None:
    """What the rows say outweighs what their likeness suggests."""
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


def test_a_row_of_several_turns_is_its_last_question() -> None:
    """The last user message is the question, the last message the answer."""
    turns = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "a"},
    ]
    assert question_and_answer({"messages": turns + row("second", "b")["messages"]}) == ("second", "b")
