"""Names of languages, as users type them: in English, natively, or in the language of their Discord client."""

from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

# The languages that are suggested, by their native names; the languages of Discord clients come first. A test compares
# the names with Babel's. Babel has a file for each language, and reading all of them takes 0.4 s.
NATIVE_NAMES = {
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
# Tags whose region changes the written language. For other tags the region is left out of the name.
REGIONAL = frozenset({"pt-BR", "zh-CN", "zh-TW", "es-419"})
CHOICES = 25


@lru_cache(maxsize=256)
def language(tag: str) -> str:
    """The English name of the language with a tag: `de` is "German", `pt-BR` "Portuguese (Brazil)".

    Unknown tags are returned unchanged.
    """
    locale = _locale(tag if tag in REGIONAL else tag.partition("-")[0])
    return str((locale and locale.get_display_name("en")) or tag)


def suggestions(typed: str, reader: str) -> list[str]:
    """Up to 25 English names of languages for the text `typed`; the language with the tag `reader` comes first.

    Names that begin with the text come before names that contain it. The first call reads two of Babel's files, so
    call it in a thread.
    """
    typed = typed.strip().casefold()
    first, later = [], []
    for tag in dict.fromkeys([reader, *NATIVE_NAMES]):
        names = (*_names(tag), _localized_name(reader, tag))
        if any(name.startswith(typed) for name in names):
            first.append(language(tag))
        elif any(typed in name for name in names):
            later.append(language(tag))
    return list(dict.fromkeys(first + later))[:CHOICES]


def native_name(tag: str) -> str | None:
    """A language's native name, from Babel's file; None for an unknown tag."""
    locale = _locale(tag)
    return locale.get_display_name(locale) if locale else None


@cache
def _names(tag: str) -> tuple[str, ...]:
    """A language's English name, native name and tag, in lower case."""
    native = NATIVE_NAMES.get(tag) or native_name(tag)
    return tuple(name.casefold() for name in (language(tag), native, tag) if name)


def _localized_name(reader: str, tag: str) -> str:
    """A language's name in the language `reader`, in lower case; empty if unknown."""
    locale = _locale(reader)
    return str(locale.languages.get(tag, "")).casefold() if locale else ""


@lru_cache(maxsize=256)
def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return None
