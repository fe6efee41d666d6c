"""Stop sequences: end a text before the first one, whole or while it arrives in pieces.

The engine applies them for its models, `bot.llm` for servers that refuse the parameter.
"""

from collections.abc import Sequence


def truncate_at_stop(text: str, stops: Sequence[str]) -> str:
    """`text` up to the one of `stops` that is complete first, as a model that writes token by token would stop."""
    found = [(at + len(stop), at) for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(found)[1]] if found else text


class StopFilter:
    """Passes a text on piece by piece up to the first stop sequence; `stopped` is true once one was found.

    The end of a piece that may begin a stop sequence is withheld until the next piece decides it.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._withheld = ""
        self.stopped = False

    def feed(self, piece: str) -> str:
        """The text that can be shown after `piece`."""
        text = self._withheld + piece
        kept = truncate_at_stop(text, self._stops)
        self.stopped = len(kept) < len(text)
        length = 0 if self.stopped else max((_overlap(kept, stop) for stop in self._stops), default=0)
        self._withheld = kept[len(kept) - length :]
        return kept[: len(kept) - length]

    def flush(self) -> str:
        """The withheld text, once the whole text has arrived."""
        withheld, self._withheld = self._withheld, ""
        return withheld


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
