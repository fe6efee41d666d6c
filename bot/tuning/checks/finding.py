"""A finding of the checker."""

from dataclasses import dataclass

from bot.tuning.localized_text import told


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of `kind`; `lines` count from 1 and are none for a fault of the whole. `fixable` says that `--fix`
    mends it. `kept` is its sentence as the database has it (`bot.tuning.localized_text`).
    """

    kind: str
    lines: tuple[int, ...]
    kept: str
    fixable: bool = False

    @property
    def sentence(self) -> str:
        """What is wrong, in the language that is spoken now."""
        return told(self.kept)
