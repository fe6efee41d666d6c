"""Translation with gettext: English sentences are in the code, German and French ones in `bot/locales`.

Sentences have values by name: `_("{n:,} tokens are left.", n=left)`. Constants are marked with `N_` and translated with
`_` when they are used. `FewshotError` translates its sentence itself: `InputError("… {name} …", name=name)`.

While an interaction is handled, two locales are set: the user's, for messages that only the user sees, and the
server's, for public messages (`with guild_locale():`). `make catalogues` collects the sentences.
"""

import gettext
import string
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

# The languages of the bot's own sentences, by their native names. Users of other languages get English.
LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "de": "Deutsch", "fr": "Français"})
ENGLISH = "en"
FOLDER = Path(__file__).parent.parent / "locales"
# The separators of thousands and decimals (Unicode CLDR 47, decimal formats).
SEPARATORS: Mapping[str, tuple[str, str]] = MappingProxyType({"de": (".", ","), "fr": ("\u202f", ",")})

_locale: ContextVar[str] = ContextVar("locale", default=ENGLISH)
_guild_locale: ContextVar[str] = ContextVar("guild_locale", default=ENGLISH)


def supported_locale(*tags: object) -> str:
    """The language of the first tag that is not None (such as Discord's `en-GB`) if it is supported, else English."""
    tag = next((str(tag) for tag in tags if tag), ENGLISH)
    return language if (language := tag.partition("-")[0].lower()) in LANGUAGES else ENGLISH


def set_locales(user: str, guild: str) -> None:
    """Set the user's and the server's locale for the running task."""
    _locale.set(user)
    _guild_locale.set(guild)


@contextmanager
def use_locale(language: str) -> Iterator[None]:
    """Use `language` as the user's and the server's locale within the block."""
    user, guild = _locale.set(language), _guild_locale.set(language)
    try:
        yield
    finally:
        _guild_locale.reset(guild)
        _locale.reset(user)


@contextmanager
def guild_locale() -> Iterator[None]:
    """Use the server's locale within the block, for messages that everyone sees."""
    user = _locale.set(_guild_locale.get())
    try:
        yield
    finally:
        _locale.reset(user)


def current_locale() -> str:
    """The locale that sentences are translated to now."""
    return _locale.get()


def _(message: str, /, **values: object) -> str:
    """`message` in the current locale, with its `{names}` filled."""
    # For gettext, the empty message is the catalogue's header.
    return _fill(_catalogue(current_locale()).gettext(message), values) if message else ""


def pgettext(context: str, message: str, /, **values: object) -> str:
    """`_` for a short message with several meanings; `context` says which one is meant."""
    return _fill(_catalogue(current_locale()).pgettext(context, message), values)


def ngettext(one: str, many: str, n: int, /, **values: object) -> str:
    """The singular or plural for `n`, which both messages may name as `{n}`."""
    return _fill(_catalogue(current_locale()).ngettext(one, many, n), {"n": n, **values})


def N_(message: str, /) -> str:  # noqa: N802 - gettext's own name for it
    """`message` unchanged: marked for the catalogues, translated when it is used."""
    return message


def translation(language: str, message: str, context: str = "") -> str | None:
    """The translation of `message` to `language`; None where the catalogue has none."""
    found = _catalogue(language).pgettext(context, message) if context else _catalogue(language).gettext(message)
    return found if message and found != message else None


def format_number(value: float, spec: str = ",") -> str:
    """`value` in the format `spec`, with the separators of the current locale: `format_number(1.5, ",.2f")`."""
    return str(_formatter.format_field(value, spec))


def catalogue_bytes() -> bytes:
    """The contents of all compiled catalogues, to detect changes."""
    return b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.mo")))


class _Formatter(string.Formatter):
    """`str.format`, with localized numbers where the format has groups (`,`) or `%`."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        return kwargs[str(key)]

    def format_field(self, value: Any, format_spec: str) -> Any:
        text = format(value, format_spec)
        separators = SEPARATORS.get(current_locale())
        if separators is None:
            return text
        if format_spec.endswith("%"):
            # German and French put a non-breaking space before the sign.
            text = text[:-1] + "\u00a0%"
        if "," in format_spec:
            thousands, decimal = separators
            text = text.translate({ord(","): thousands, ord("."): decimal})
        return text


_formatter = _Formatter()


def _fill(text: str, values: Mapping[str, object]) -> str:
    return _formatter.vformat(text, (), values) if values else text


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    """The catalogue of a language, read once; empty for English."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    with (FOLDER / f"{language}.mo").open("rb") as file:
        return gettext.GNUTranslations(file)
