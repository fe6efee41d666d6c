"""Sentences that are stored as a message with its values, and put into the reader's language when they are read.

What a job notes down is written without a reader, and read by people of several languages.
"""

import json

from bot.core.errors import FewshotError
from bot.core.i18n import _
from bot.core.json_text import without_surrogates

# The first character of a text that `serialize` made. Other texts, such as a provider's own, are read as they are.
MARK = "\x1e"
# Values that are themselves messages to be translated, and not names.
PHRASES = frozenset({"provider", "ways_out"})


def serialize(message: str, /, **values: object) -> str:
    """`message`, marked with `N_`, with its values as text for the database. Values are texts and numbers."""
    return MARK + json.dumps([without_surrogates(message), values], ensure_ascii=True)


def serialize_error(error: FewshotError) -> str:
    """The sentence of `error` for the database; in the language of now where its values are no texts and numbers."""
    plain = all(isinstance(value, (str, int, float)) for value in error.values.values())
    return serialize(error.sentence, **error.values) if plain else without_surrogates(str(error))


def localize(text: str) -> str:
    """A text from the database in the reader's language."""
    if not text.startswith(MARK):
        return text
    try:
        message, values = json.loads(text.removeprefix(MARK))
        localized = {name: _localized(name, value) for name, value in values.items()}
    except (ValueError, AttributeError, TypeError):
        return text.removeprefix(MARK)  # another program's text that begins with the mark
    return without_surrogates(_(message, **localized))


def _localized(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    return _(value) if name in PHRASES else localize(value)
