"""Texts become words, and words the same texts again."""

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.pocket.model import UNKNOWN
from bot.engine.pocket.words import SPECIAL, Spelling, Vocabulary, one_edit, split, words_of

VOCABULARY = Vocabulary([*SPECIAL, "naboo", "finish", "where", "cup"])


@given(st.text())
def test_splitting_a_text_loses_nothing(text: str) -> None:
    """The written pieces of a text that has words, joined, are the text."""
    pieces = split(text)
    assert not pieces or "".join(written for _, written in pieces) == text


@given(st.lists(st.text(), max_size=5))
def test_an_answer_is_written_again_as_it_was(answers: list[str]) -> None:
    """Every answer of words that no other answer begins with comes back to the letter."""
    spelling = Spelling(answers)
    seen: dict[tuple[str, ...], set[str]] = {}
    for answer in answers:
        seen.setdefault(tuple(words_of(answer)), set()).add(answer)
    for answer in answers:
        words = words_of(answer)
        alone = all(
            len(texts) == 1 and (key == tuple(words) or key[:1] != tuple(words[:1])) for key, texts in seen.items()
        )
        if words and alone:
            parts = [spelling.write(words[: i + 1], [*words, ""][i + 1]) for i in range(len(words))]
            assert "".join(parts) == answer


def test_case_punctuation_and_possession_make_no_difference() -> None:
    """A question is the same however carelessly it is typed."""
    assert words_of("What's Kava’s “Pod”?!") == words_of("WHAT kava pod")


def test_one_slip_of_the_finger_is_corrected() -> None:
    """A letter lost, doubled, changed or swapped leads to the known word; two do not."""
    naboo = VOCABULARY.number["naboo"]
    assert [VOCABULARY.correct(word) for word in ("nabo", "naboot", "nebuo", "anboo", "nabuu")] == [
        naboo,
        naboo,
        UNKNOWN,
        naboo,
        UNKNOWN,
    ]


def test_short_words_are_taken_as_they_are() -> None:
    """`cap` is not `cup`."""
    assert VOCABULARY.correct("cap") == UNKNOWN


@given(st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_one_edit_is_the_distance_of_damerau_and_levenshtein(a: str, b: str) -> None:
    """`one_edit` says yes exactly for words that one insertion, deletion, change or swap apart, or equal."""
    one = {a, *(a[:i] + a[i + 1 :] for i in range(len(a)))}
    one |= {a[:i] + c + a[i:] for i in range(len(a) + 1) for c in "ab"}
    one |= {a[:i] + c + a[i + 1 :] for i in range(len(a)) for c in "ab"}
    one |= {a[:i] + a[i + 1] + a[i] + a[i + 2 :] for i in range(len(a) - 1)}
    assert one_edit(a, b) == (b in one)


def test_languages_without_spaces_are_read_by_character() -> None:
    """Chinese and Japanese characters are words."""
    assert words_of("誰が勝った") == list("誰が勝った")


def test_a_grown_vocabulary_keeps_the_old_numbers() -> None:
    """Training further adds words at the end."""
    grown = Vocabulary.learnt(["a new word in the cup"], known=VOCABULARY.words)
    assert grown.words[: len(VOCABULARY)] == VOCABULARY.words
    assert "new" in grown.number
