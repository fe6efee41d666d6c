"""Stop strings and the token limit, kept while pieces pass by."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from bot.engine.models import FinishReason, Piece


class Limited:
    """A model's pieces up to the first stop string or the token limit.

    Text that may be the beginning of a stop string is held back until the next piece decides it. After
    the iteration `finish` says why it ended and `tokens` how many tokens were used.
    """

    def __init__(self, pieces: AsyncIterator[Piece], stops: Sequence[str], limit: int | None) -> None:
        self._pieces = pieces
        self._stops = tuple(stops)
        self._limit = limit
        self.finish: FinishReason = "stop"
        self.tokens = 0

    async def __aiter__(self) -> AsyncIterator[Piece]:
        held = ""
        async for piece in self._pieces:
            if self._limit is not None and self.tokens + piece.tokens > self._limit:
                self.finish = "length"
                break
            self.tokens += piece.tokens
            self.finish = piece.finish or self.finish
            text, held, stopped = self._cut(held + piece.text)
            if text:
                yield replace(piece, text=text)
            if stopped:
                return
        if held:
            yield Piece(held, tokens=0)

    def _cut(self, text: str) -> tuple[str, str, bool]:
        """What may be shown of `text`, what is held back, and whether a stop string was met."""
        ends = [at for at in (text.find(stop) for stop in self._stops) if at >= 0]
        if ends:
            return text[: min(ends)], "", True
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        return (text[:-keep], text[-keep:], False) if keep else (text, "", False)


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
