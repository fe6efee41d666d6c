"""Languages by name: what people type, in English, in the language itself, or in the one they read Discord in."""

from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

# Discord's own languages first: they are what people read their Discord in.
COMMON = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "tr", "sv", "da", "nb", "fi", "cs", "sk", "hu"),
    *("ro", "bg", "el", "hr", "sr", "sl", "lt", "lv", "et", "ga", "is", "sq", "mk", "ar", "he", "fa", "ur", "hi"),
    *("bn", "ta", "te", "mr", "pa", "ne", "si", "ja", "ko", "zh", "yue", "vi", "th", "id", "ms", "tl", "sw", "am"),
    *("ha", "yo", "zu", "xh", "af", "eu", "ca", "gl", "cy", "eo", "la", "ka", "hy", "az", "kk", "uz", "mn", "km"),
    *("lo", "my"),
)
# Where the country makes another written language of it; elsewhere it is left out of a name.
TOLD_APART = frozenset({"pt-BR", "zh-CN", "zh-TW", "es-419"})
CHOICES = 25


@lru_cache(maxsize=256)
def language(tag: str) -> str:
    """The English name of a language by its tag: `de` is "German", `pt-BR` "Portuguese (Brazil)".

    A tag that is not known comes back as it is.
    """
    locale = _locale(tag if tag in TOLD_APART else tag.partition("-")[0])
    return str((locale and locale.get_display_name("en")) or tag)


def suggestions(typed: str, reader: str) -> list[str]:
    """Up to 25 English names of languages for what was `typed`; the `reader`'s own language (a tag) comes first.

    Those that begin with it come before those that hold it. Reads Babel's files at first use, some 0.4 s: call
    it off the event loop.
    """
    typed = typed.strip().casefold()
    first, later = [], []
    for tag in dict.fromkeys([reader, *COMMON]):
        names = (*_names(tag), _in(reader, tag))
        if any(name.startswith(typed) for name in names):
            first.append(language(tag))
        elif any(typed in name for name in names):
            later.append(language(tag))
    return list(dict.fromkeys(first + later))[:CHOICES]


@cache
def _names(tag: str) -> tuple[str, ...]:
    """A language's English name, its own, and its tag; in lower case."""
    locale = _locale(tag)
    own = locale.get_display_name(locale) if locale else None
    return tuple(name.casefold() for name in (language(tag), own, tag) if name)


def _in(reader: str, tag: str) -> str:
    """A language's name in the reader's language; empty where it is not known."""
    locale = _locale(reader)
    return str(locale.languages.get(tag, "")).casefold() if locale else ""


@lru_cache(maxsize=256)
def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return None
