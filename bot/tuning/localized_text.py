"""Sentences that lie in the database: kept as a message with its values, and worded when they are read.

What a job notes down is written while nobody listens, and read by people of several languages.
"""

import json

from bot.core.errors import FewshotError
from bot.core.i18n import _

# Begins what was kept here; other texts, a provider's own and those of older versions, stand as they are.
MARK = "\x1e"
# Values that are phrases of ours by themselves, and no names.
PHRASES = frozenset({"provider", "ways_out"})


def kept(message: str, /, **values: object) -> str:
    """`message`, marked with `N_`, as text for the database. Values are texts, kept ones too, and numbers."""
    return MARK + json.dumps([message, values], ensure_ascii=False)


def kept_error(error: FewshotError) -> str:
    """The sentence of `error` for the database; worded now where its values cannot be kept."""
    plain = all(isinstance(value, (str, int, float)) for value in error.values.values())
    return kept(error.sentence, **error.values) if plain else str(error)


def told(text: str) -> str:
    """A text from the database as it is said now."""
    if not text.startswith(MARK):
        return text
    message, values = json.loads(text.removeprefix(MARK))
    return _(message, **{name: _said(name, value) for name, value in values.items()})


def _said(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    return _(value) if name in PHRASES else told(value)
