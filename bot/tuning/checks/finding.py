"""A finding of the checker."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of `kind`; `lines` count from 1 and are none for a fault of the whole. `fixable` says that `--fix`
    mends it.
    """

    kind: str
    lines: tuple[int, ...]
    sentence: str
    fixable: bool = False
