"""The locales that are remembered for messages, which come without one."""

import pytest

import bot.ui.locale
from bot.core.i18n import ENGLISH, use_locale
from bot.ui.locale import RecentLocales, command_name


def test_the_languages_of_the_newest_people_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.ui.locale, "MAX_REMEMBERED", 2)
    locales = RecentLocales()
    for user, locale in ((1, "de"), (2, "fr"), (1, "en-US"), (3, "de")):
        locales.note(user, locale)
    assert [locales.of(user) for user in (1, 2, 3)] == ["en-US", None, "de"]


def test_a_command_is_named_as_its_reader_sees_it_and_a_corpus_as_it_is() -> None:
    named = []
    for language in (ENGLISH, "de", "fr"):
        with use_locale(language):
            named.append((command_name("translate"), command_name("faq ask")))
    assert named == [("/translate", "/faq ask"), ("/übersetzen", "/faq fragen"), ("/traduire", "/faq demander")]
