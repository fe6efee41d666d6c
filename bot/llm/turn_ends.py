"""Ends an answer at a token by which chat formats end a turn, where a server shows such tokens as text.

It then also shows what the model goes on with: the next turn of the person, in the model's words.
"""

from collections.abc import Iterable

from bot.core.stop_sequences import StopFilter

# ChatML (Qwen, SmolLM), Llama 3, Gemma, Phi, gpt-oss, Mistral; their ends of a turn, and beginnings of the next one.
TURN_ENDS = (
    *("<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|start_header_id|>"),
    *("<end_of_turn>", "<start_of_turn>", "<|end|>", "<|user|>", "<|return|>", "[/INST]"),
)


class TurnEndFilter:
    """Passes a text on piece by piece up to the first of the tokens; `stopped` is true once one was found.

    A token that `asked` (the prompt) contains is part of the answer, and so is everything behind a mark of code.
    """

    def __init__(self, asked: Iterable[str]) -> None:
        whole = "\n".join(asked)
        self._filter = StopFilter([token for token in TURN_ENDS if token not in whole])
        self._withholds = self._shows_code = False

    @property
    def stopped(self) -> bool:
        """Whether a token was found."""
        return self._filter.stopped

    def feed(self, piece: str) -> str:
        """The text that can be shown after `piece`."""
        if self._shows_code or not (self._withholds or "<" in piece or "[" in piece or "`" in piece):
            return piece
        before, mark, after = piece.partition("`")
        shown = self._filter.feed(before)
        if mark and not self.stopped:
            self._shows_code = True
            return shown + self._filter.flush() + mark + after
        self._withholds = len(shown) < len(before)
        return shown

    def flush(self) -> str:
        """The withheld text, once the whole text has arrived."""
        return self._filter.flush()
