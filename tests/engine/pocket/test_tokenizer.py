"""Texts become words, and words the same texts again."""

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.pocket.model import UNK
from bot.engine.pocket.tokenizer import SPECIAL, Detokenizer, Tokenizer, split_words, within_one_edit, words_of

TOKENIZER = Tokenizer([*SPECIAL, "naboo", "finish", "where", "cup"])


@given(st.text())
def test_splitting_a_text_loses_nothing(text: str) -> None:
    """The written pieces of a text that has words, joined, are the text."""
    pieces = split_words(text)
    assert not pieces or "".join(written for _, written in pieces) == text


@given(st.lists(st.text(), max_size=5))
def test_an_answer_is_written_again_as_it_was(answers: list[str]) -> None:
    """Every answer of words that no other answer begins with comes back to the letter."""
    detokenizer = Detokenizer(answers)
    seen: dict[tuple[str, ...], set[str]] = {}
    for answer in answers:
        seen.setdefault(tuple(words_of(answer)), set()).add(answer)
    for answer in answers:
        words = words_of(answer)
        alone = all(
            len(texts) == 1 and (key == tuple(words) or key[:1] != tuple(words[:1])) for key, texts in seen.items()
        )
        if words and alone:
            parts = [detokenizer.decode_last(words[: i + 1], [*words, ""][i + 1]) for i in range(len(words))]
            assert "".join(parts) == answer


def test_case_punctuation_and_possession_make_no_difference() -> None:
    """A question is the same however carelessly it is typed."""
    assert words_of("What's Kava’s “Pod”?!") == words_of("WHAT kava pod")


def test_one_slip_of_the_finger_is_corrected() -> None:
    """A letter lost, doubled, changed or swapped leads to the known word; two do not."""
    naboo = TOKENIZER.token_to_id["naboo"]
    assert [TOKENIZER.lookup(word) for word in ("nabo", "naboot", "nebuo", "anboo", "nabuu")] == [
        naboo,
        naboo,
        UNK,
        naboo,
        UNK,
    ]


def test_short_words_are_taken_as_they_are() -> None:
    """`cap` is not `cup`."""
    assert TOKENIZER.lookup("cap") == UNK


@given(st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_one_edit_is_the_distance_of_damerau_and_levenshtein(a: str, b: str) -> None:
    """`within_one_edit` says yes exactly for words that one insertion, deletion, change or swap apart, or equal."""
    one = {a, *(a[:i] + a[i + 1 :] for i in range(len(a)))}
    one |= {a[:i] + c + a[i:] for i in range(len(a) + 1) for c in "ab"}
    one |= {a[:i] + c + a[i + 1 :] for i in range(len(a)) for c in "ab"}
    one |= {a[:i] + a[i + 1] + a[i] + a[i + 2 :] for i in range(len(a) - 1)}
    assert within_one_edit(a, b) == (b in one)


def test_languages_without_spaces_are_read_by_character() -> None:
    """Chinese and Japanese characters are words."""
    assert words_of("誰が勝った") == list("誰が勝った")


def test_a_grown_vocabulary_keeps_the_old_numbers() -> None:
    """Training further adds words at the end."""
    grown = Tokenizer.train(["a new word in the cup"], known=TOKENIZER.vocab)
    assert grown.vocab[: len(TOKENIZER)] == TOKENIZER.vocab
    assert "new" in grown.token_to_id
