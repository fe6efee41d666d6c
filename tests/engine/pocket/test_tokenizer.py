"""Text to token ids and back."""

from hypothesis import given
from hypothesis import strategies as st

from bot.engine.pocket.model import UNK
from bot.engine.pocket.tokenizer import SPECIAL, Detokenizer, Tokenizer, split_words, within_one_edit, words_of

TOKENIZER = Tokenizer([*SPECIAL, "naboo", "finish", "where", "cup"])


@given(st.text())
def test_the_parts_of_a_split_text_joined_are_the_text(text: str) -> None:
    pieces = split_words(text)
    assert not pieces or "".join(written for _, written in pieces) == text


@given(st.lists(st.text(), max_size=5))
def test_an_answer_without_a_common_beginning_is_decoded_exactly(answers: list[str]) -> None:
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


def test_case_punctuation_and_possessives_are_removed() -> None:
    assert words_of("What's Kava’s “Pod”?!") == words_of("WHAT kava pod")


def test_a_word_with_one_typo_is_corrected() -> None:
    naboo = TOKENIZER.token_to_id["naboo"]
    assert [TOKENIZER.lookup(word) for word in ("nabo", "naboot", "nebuo", "anboo", "nabuu")] == [
        naboo,
        naboo,
        UNK,
        naboo,
        UNK,
    ]


def test_short_words_are_not_corrected() -> None:
    assert TOKENIZER.lookup("cap") == UNK


@given(st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_one_edit_is_the_distance_of_damerau_and_levenshtein(a: str, b: str) -> None:
    one = {a, *(a[:i] + a[i + 1 :] for i in range(len(a)))}
    one |= {a[:i] + c + a[i:] for i in range(len(a) + 1) for c in "ab"}
    one |= {a[:i] + c + a[i + 1 :] for i in range(len(a)) for c in "ab"}
    one |= {a[:i] + a[i + 1] + a[i] + a[i + 2 :] for i in range(len(a) - 1)}
    assert within_one_edit(a, b) == (b in one)


def test_chinese_and_japanese_characters_are_words() -> None:
    assert words_of("誰が勝った") == list("誰が勝った")


def test_an_extended_vocabulary_keeps_the_old_ids() -> None:
    grown = Tokenizer.train(["a new word in the cup"], known=TOKENIZER.vocab)
    assert grown.vocab[: len(TOKENIZER)] == TOKENIZER.vocab
    assert "new" in grown.token_to_id
