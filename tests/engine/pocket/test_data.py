"""How questions are varied: what stays certain, what becomes a refusal, what is recombined."""

import numpy as np

from bot.engine.pocket.data import Corpus, Recipe, find_refusal, pair_of
from bot.engine.pocket.model import NO_TARGET, Shape
from bot.engine.pocket.words import Vocabulary
from tests.engine.pocket.conftest import REFUSAL, row, season

PAIRS = [pair_of(example) for example in season()]
VOCABULARY = Vocabulary.learnt(text for pair in PAIRS for text in pair)


def corpus(pairs: list[tuple[str, str]] = PAIRS) -> Corpus:
    return Corpus(pairs, VOCABULARY, Shape(len(VOCABULARY)), Recipe())


def number(made: Corpus, answer: str) -> int:
    return made.answers.index(VOCABULARY.encode(answer))


def test_words_decide_when_every_row_that_holds_them_agrees() -> None:
    """`ada pod` is enough to know her pod; `which pod` and `ada` are not."""
    made = corpus()
    kite = number(made, "Ada Brill flies The Red Kite.")
    assert made.decides(VOCABULARY.encode("ada pod"), kite)
    assert not made.decides(VOCABULARY.encode("bo pod"), kite)
    assert not made.decides(VOCABULARY.encode("which pod"), kite)
    assert not made.decides(VOCABULARY.encode("ada"), kite)
    assert not made.decides([], kite)


def test_what_is_shown_is_certain_or_refused() -> None:
    """In ten epochs no question is shown with an answer that its words do not decide."""
    made, refused, answered = corpus(), 0, 0
    for epoch in range(10):
        for batch in made.epoch(4, np.random.default_rng(epoch)):
            for question, target in zip(batch.question, batch.target, strict=True):
                answer = made.answers.index([int(word) for word in target if word != NO_TARGET][:-1])
                words = [int(word) for word in question if word > 1]
                refused += answer == made.refusal
                answered += answer != made.refusal
                assert answer == made.refusal or made.decides(words, answer)
    assert refused > 10 * 8, "blanked questions come beside the rows' own refusals"
    assert answered == 10 * 12


def test_an_epoch_is_drawn_from_its_seed() -> None:
    """The same seed gives the same batches, another gives others."""
    first, again, other = (corpus().epoch(4, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.question, b.question) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a.question, b.question) for a, b in zip(first, other, strict=True))
    assert len(first) == corpus().steps(4)


def test_without_refusals_there_are_no_negatives() -> None:
    """A dataset that never refuses has nothing to teach refusing with."""
    made = corpus([pair for pair in PAIRS if pair[1] != REFUSAL])
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
    vocabulary = Vocabulary.learnt(text for pair in rows for text in pair)
    made = Corpus(rows, vocabulary, Shape(len(vocabulary)), Recipe())
    lent = {answer: {" ".join(vocabulary.words[i] for i in q) for q in qs} for answer, qs in made.recombined.items()}
    eve = made.answers.index(vocabulary.encode("Eve Moss flies with Fay."))
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
    vocabulary = Vocabulary.learnt(text for pair in rows for text in pair)
    made = Corpus(rows, vocabulary, Shape(len(vocabulary)), Recipe())
    lent = [[vocabulary.words[i] for i in question] for questions in made.recombined.values() for question in questions]
    assert lent
    assert ["tell", "of", "eve"] not in lent


def test_a_row_of_several_turns_is_its_last_question() -> None:
    """The last user message is the question, the last message the answer."""
    turns = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "a"},
    ]
    assert pair_of({"messages": turns + row("second", "b")["messages"]}) == ("second", "b")
