"""Languages are found by any of their names."""

from bot.core.languages import NATIVE_NAMES, language, native_name, suggestions


def test_the_names_that_are_kept_are_babels() -> None:
    assert {tag: native_name(tag) for tag in NATIVE_NAMES} == NATIVE_NAMES


def test_a_language_is_found_by_its_native_name_its_english_one_its_tag_and_that_of_the_reader() -> None:
    for typed in ("ελλ", "gree", "EL", "Griech"):
        assert "Greek" in suggestions(typed, "de"), typed
    assert suggestions("", "nb")[0] == language("nb")
