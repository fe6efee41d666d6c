"""Languages by name: what people type, in English, in the language itself, or in the one they read Discord in."""

from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

# The languages that are offered, by their own names; Discord's own first: they are what people read their Discord in.
# The names are Babel's, to which a test holds them; Babel has each in a file of its own, 0.4 s of reading in all.
OWN_NAMES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "français",
    "es": "español",
    "it": "italiano",
    "pt": "português",
    "nl": "Nederlands",
    "pl": "polski",
    "ru": "русский",
    "uk": "українська",
    "tr": "Türkçe",
    "sv": "svenska",
    "da": "dansk",
    "nb": "norsk bokmål",
    "fi": "suomi",
    "cs": "čeština",
    "sk": "slovenčina",
    "hu": "magyar",
    "ro": "română",
    "bg": "български",
    "el": "Ελληνικά",
    "hr": "hrvatski",
    "sr": "српски",
    "sl": "slovenščina",
    "lt": "lietuvių",
    "lv": "latviešu",
    "et": "eesti",
    "ga": "Gaeilge",
    "is": "íslenska",
    "sq": "shqip",
    "mk": "македонски",
    "ar": "العربية",
    "he": "עברית",
    "fa": "فارسی",
    "ur": "اردو",
    "hi": "हिन्दी",
    "bn": "বাংলা",
    "ta": "தமிழ்",
    "te": "తెలుగు",
    "mr": "मराठी",
    "pa": "ਪੰਜਾਬੀ",
    "ne": "नेपाली",
    "si": "සිංහල",
    "ja": "日本語",
    "ko": "한국어",
    "zh": "中文",
    "yue": "粵語",
    "vi": "Tiếng Việt",
    "th": "ไทย",
    "id": "Indonesia",
    "ms": "Melayu",
    "tl": "Filipino (Pilipinas)",
    "sw": "Kiswahili",
    "am": "አማርኛ",
    "ha": "Hausa",
    "yo": "Èdè Yorùbá",
    "zu": "isiZulu",
    "xh": "IsiXhosa",
    "af": "Afrikaans",
    "eu": "euskara",
    "ca": "català",
    "gl": "galego",
    "cy": "Cymraeg",
    "eo": "Esperanto",
    "la": "Latina",
    "ka": "ქართული",
    "hy": "հայերեն",
    "az": "azərbaycan",
    "kk": "қазақ тілі",
    "uz": "o‘zbek",
    "mn": "монгол",
    "km": "ខ្មែរ",
    "lo": "ລາວ",
    "my": "မြန်မာ",
}
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

    Those that begin with it come before those that hold it. Reads two of Babel's files at first use: call it off
    the event loop.
    """
    typed = typed.strip().casefold()
    first, later = [], []
    for tag in dict.fromkeys([reader, *OWN_NAMES]):
        names = (*_names(tag), _in(reader, tag))
        if any(name.startswith(typed) for name in names):
            first.append(language(tag))
        elif any(typed in name for name in names):
            later.append(language(tag))
    return list(dict.fromkeys(first + later))[:CHOICES]


def own_name(tag: str) -> str | None:
    """A language's name in the language itself, from its file; None where it is not known."""
    locale = _locale(tag)
    return locale.get_display_name(locale) if locale else None


@cache
def _names(tag: str) -> tuple[str, ...]:
    """A language's English name, its own, and its tag; in lower case."""
    own = OWN_NAMES.get(tag) or own_name(tag)
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
