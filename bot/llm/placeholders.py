"""Placeholders: `{{name}}` in a text, replaced in one pass.

What is filled in is never looked at again, so a value that itself holds `{{text}}` stays as it was typed.
"""

import re
from collections.abc import Iterable, Mapping

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}")


def names_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The placeholders of `texts`, each once, in the order of their first appearance."""
    return tuple(dict.fromkeys(name for text in texts for name in PLACEHOLDER.findall(text)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each placeholder replaced by its value; raises `KeyError` for one without a value."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)
