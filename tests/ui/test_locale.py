"""The locales that are remembered for messages, which come without one."""

import pytest

import bot.ui.locale
from bot.ui.locale import RecentLocales


def test_the_languages_of_the_newest_people_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot.ui.locale, "MAX_REMEMBERED", 2)
    locales = RecentLocales()
    for user, locale in ((1, "de"), (2, "fr"), (1, "en-US"), (3, "de")):
        locales.note(user, locale)
    assert [locales.of(user) for user in (1, 2, 3)] == ["en-US", None, "de"]
