"""In which language a sentence is said, and how its numbers are written."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import InputError, LimitError
from bot.core.i18n import (
    LANGUAGES,
    _,
    current_locale,
    format_number,
    guild_locale,
    ngettext,
    set_locales,
    supported_locale,
    translation,
    use_locale,
)

EMPTY = "There is nothing to translate: the text is empty."


@pytest.mark.parametrize(
    ("tags", "language"),
    [(("de",), "de"), (("en-GB",), "en"), (("fr", "de"), "fr"), ((None, "de"), "de"), (("ja",), "en"), ((), "en")],
)
def test_the_first_language_that_is_known_of_somebody_counts(tags: tuple[str | None, ...], language: str) -> None:
    """One that is not spoken is English, and not the next one: that would be a stranger's."""
    assert supported_locale(*tags) == language


def test_an_error_is_worded_when_it_is_read() -> None:
    """Raised in one language, it is told in another's."""
    with use_locale("fr"):
        error = InputError(EMPTY)
    assert str(error) == EMPTY
    with use_locale("de"):
        assert str(error) == "Da ist nichts zu übersetzen: der Text ist leer."


def test_values_are_filled_in_and_never_filled_again() -> None:
    error = LimitError("A note has 1 to {most} characters.", most="{most} {0} {{x}}")
    assert str(error) == "A note has 1 to {most} {0} {{x}} characters."


@given(st.text())
def test_a_sentence_without_values_is_said_as_it_stands(text: str) -> None:
    """Braces in it are no placeholders."""
    for language in LANGUAGES:
        with use_locale(language):
            assert _(text) == (translation(language, text) or text)


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", ("1,234,567.5", "80%")),
        ("de", ("1.234.567,5", "80\u00a0%")),
        ("fr", ("1\u202f234\u202f567,5", "80\u00a0%")),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(language: str, written: tuple[str, str]) -> None:
    with use_locale(language):
        assert (format_number(1234567.5, ",.1f"), format_number(0.8, ".0%")) == written


def test_plurals_follow_the_language() -> None:
    """None of a thing is one of it in French."""
    said = {}
    for language in LANGUAGES:
        with use_locale(language):
            said[language] = [ngettext("{n} example", "{n} examples", n) for n in (0, 1, 2)]
    assert said == {
        "en": ["0 examples", "1 example", "2 examples"],
        "de": ["0 Beispiele", "1 Beispiel", "2 Beispiele"],
        "fr": ["0 exemple", "1 exemple", "2 exemples"],
    }


async def test_two_people_are_spoken_to_at_once_each_in_their_own_language() -> None:
    """What one task speaks does not reach into another; `aloud` holds for its block alone."""

    async def acts(reader: str, room: str) -> list[str]:
        set_locales(reader, room)
        heard = [current_locale()]
        with guild_locale():
            await asyncio.sleep(0)
            heard.append(current_locale())
        await asyncio.sleep(0)
        return [*heard, current_locale()]

    german, french = await asyncio.gather(asyncio.create_task(acts("de", "en")), asyncio.create_task(acts("fr", "de")))
    assert german == ["de", "en", "de"]
    assert french == ["fr", "de", "fr"]
    assert current_locale() == "en"
