"""Stop strings, applied here for models that refuse the parameter."""

from collections.abc import Sequence


def cut(text: str, stops: Sequence[str]) -> str:
    """`text` up to the one of `stops` that is complete first, as a model that writes word by word would stop."""
    found = [(at + len(stop), at) for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(found)[1]] if found else text


class Stopper:
    """The same for a text that comes in pieces: holds back what may be the beginning of a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._hold = max((len(stop) for stop in self._stops), default=1) - 1
        self._held = ""
        self.stopped = False

    def feed(self, piece: str) -> str:
        """What may be shown now that `piece` has come."""
        if not self._stops:
            return piece
        text = self._held + piece
        kept = cut(text, self._stops)
        if len(kept) < len(text):
            self.stopped, self._held = True, ""
            return kept
        keep = len(text) - self._hold if self._hold else len(text)
        self._held = text[max(keep, 0) :]
        return text[: max(keep, 0)]

    def rest(self) -> str:
        """What was held back when the text ended."""
        held, self._held = self._held, ""
        return held
