"""The language in which a sentence is said: English in the code, German and French in the catalogues of `bot/locales`.

A sentence is written in English where it is said, with its values by name: `_("{n:,} tokens are left.", n=left)`.
What is said at another time than it is written (a constant, a table) is marked with `N_` and said with `_`. Errors
of ours are worded when they are read, so they take the sentence as it stands: `InputError("… {name} …", name=name)`.

Two languages hold while somebody's command runs: the one they read Discord in, for what they alone see, and that of
the place, for what all see; `aloud` changes to the second. `make catalogues` collects what is said.
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

# The languages that the bot itself speaks, by their own names; for others it is the first.
LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "de": "Deutsch", "fr": "Français"})
ENGLISH = "en"
FOLDER = Path(__file__).parent.parent / "locales"
# How numbers are written: what stands between thousands, and before decimals (Unicode CLDR 47, decimal formats).
SEPARATORS: Mapping[str, tuple[str, str]] = MappingProxyType({"de": (".", ","), "fr": ("\u202f", ",")})

_spoken: ContextVar[str] = ContextVar("spoken", default=ENGLISH)
_room: ContextVar[str] = ContextVar("room", default=ENGLISH)


def supported_locale(*tags: object) -> str:
    """The first of `tags` (as Discord has them, `en-GB`; None is passed over) if it is spoken, else English."""
    tag = next((str(tag) for tag in tags if tag), ENGLISH)
    return language if (language := tag.partition("-")[0].lower()) in LANGUAGES else ENGLISH


def set_locales(reader: str, room: str) -> None:
    """From here on in this task, the one who acts reads `reader`, and where they act all read `room`."""
    _spoken.set(reader)
    _room.set(room)


@contextmanager
def use_locale(language: str) -> Iterator[None]:
    """Speak `language` within, to all."""
    current_locale, room = _spoken.set(language), _room.set(language)
    try:
        yield
    finally:
        _room.reset(room)
        _spoken.reset(current_locale)


@contextmanager
def guild_locale() -> Iterator[None]:
    """Speak the language of the place within: for what all see."""
    current_locale = _spoken.set(_room.get())
    try:
        yield
    finally:
        _spoken.reset(current_locale)


def current_locale() -> str:
    """The language that is spoken now."""
    return _spoken.get()


def _(message: str, /, **values: object) -> str:
    """`message` in the language that is spoken now, its `{names}` filled."""
    # To gettext the empty message is the catalogue's own head.
    return _filled(_catalogue(current_locale()).gettext(message), values) if message else ""


def pgettext(context: str, message: str, /, **values: object) -> str:
    """The same for a short word that means different things in different places; `context` says which."""
    return _filled(_catalogue(current_locale()).pgettext(context, message), values)


def ngettext(one: str, many: str, n: int, /, **values: object) -> str:
    """`one` or `many` as the language has it for `n`, which both may name as `{n}`."""
    return _filled(_catalogue(current_locale()).ngettext(one, many, n), {"n": n, **values})


def N_(message: str, /) -> str:  # noqa: N802 - gettext's own name for it
    """`message` as it is: marked for the catalogues, said later."""
    return message


def translation(language: str, message: str, context: str = "") -> str | None:
    """`message` as the catalogue of `language` has it; None where it has it not."""
    found = _catalogue(language).pgettext(context, message) if context else _catalogue(language).gettext(message)
    return found if message and found != message else None


def format_number(value: float, spec: str = ",") -> str:
    """`value` as `spec` formats it and the language writes it, where it stands alone: `number(1.5, ",.2f")`."""
    return str(_formatter.format_field(value, spec))


def catalogue_bytes() -> bytes:
    """All catalogues as they lie on disk, to tell whether any has changed."""
    return b"".join(path.read_bytes() for path in sorted(FOLDER.glob("*.mo")))


class _Formatter(string.Formatter):
    """`str.format`, with numbers as the language writes them wherever the format asks for groups (`,`) or for `%`."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        return kwargs[str(key)]

    def format_field(self, value: Any, format_spec: str) -> Any:
        text = format(value, format_spec)
        separators = SEPARATORS.get(current_locale())
        if separators is None:
            return text
        if format_spec.endswith("%"):
            # Both languages set the sign apart, in a way that no line breaks.
            text = text[:-1] + "\u00a0%"
        if "," in format_spec:
            thousands, decimal = separators
            text = text.translate({ord(","): thousands, ord("."): decimal})
        return text


_formatter = _Formatter()


def _filled(text: str, values: Mapping[str, object]) -> str:
    return _formatter.vformat(text, (), values) if values else text


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    """Read once, some milliseconds; English is what stands in the code."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    with (FOLDER / f"{language}.mo").open("rb") as file:
        return gettext.GNUTranslations(file)
