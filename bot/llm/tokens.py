"""How many tokens a text will take, estimated from its length and corrected by what servers report.

Tokenizers of new models are not known in advance and their tables are fetched over the network, so the
estimate starts at a common ratio and follows the `usage` of each model's answers.
"""

from collections.abc import Iterable, Mapping

# English prose takes about four characters a token in today's vocabularies; three errs on the dear side.
START = 3.0
# How far one answer moves the ratio: slow enough to ride out a short odd prompt.
STEP = 0.2
# Chat formats wrap every message in a few tokens of their own.
PER_MESSAGE = 4
# An estimate follows reports within these bounds only: a server that reports nonsense must not lift limits.
LOWEST, HIGHEST = 1.0, 6.0


class TokenEstimator:
    """Characters a token, learned for each model."""

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def estimate(self, model: str, messages: Iterable[Mapping[str, str]]) -> int:
        """Tokens that `messages` will take on `model`, rounded up."""
        texts = [message["content"] for message in messages]
        return self.of_text(model, "".join(texts)) + PER_MESSAGE * len(texts)

    def of_text(self, model: str, text: str) -> int:
        """Tokens that `text` will take on `model`, rounded up."""
        return int(len(text) / self._ratios.get(model, START)) + 1

    def learn(self, model: str, messages: Iterable[Mapping[str, str]], reported: int) -> None:
        """Correct the ratio of `model` by the prompt tokens that it `reported` for `messages`."""
        texts = [message["content"] for message in messages]
        tokens = reported - PER_MESSAGE * len(texts)
        if tokens <= 0:
            return
        seen = min(max(sum(map(len, texts)) / tokens, LOWEST), HIGHEST)
        ratio = self._ratios.get(model, START)
        self._ratios[model] = ratio + STEP * (seen - ratio)
