"""JSON from outside: without the characters that no file, no request and no database can hold."""

import json
import re
from typing import Any

# A null character in JSON: its escape, after an even number of backslashes.
ESCAPED_NULL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def without_surrogates(text: str) -> str:
    """`text` with each half of a surrogate pair replaced by U+FFFD; whole pairs become the character that they encode.

    JSON may hold the escape of half an emoji. Python reads it, and no encoding can write it.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def without_surrogates_in(value: Any) -> Any:
    """`value`, as read from JSON, with `without_surrogates` applied to all its texts, also to keys."""
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, list):
        return [without_surrogates_in(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(str(name)): without_surrogates_in(item) for name, item in value.items()}
    return value


def read_json(text: str) -> Any:
    """The value in a JSON text, with halves of surrogate pairs replaced (see `without_surrogates`), also in keys.

    Null characters are removed, because PostgreSQL does not store them.

    For JSON from the database or from a file. Raises `ValueError` like `json.loads`.
    """
    data = json.loads(text)
    if r"\u" not in text and text.isascii():
        return data
    return json.loads(ESCAPED_NULL.sub(r"\1", without_surrogates(json.dumps(data, ensure_ascii=False))))
