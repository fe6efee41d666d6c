"""Tokens of a call, estimated before it and reported after it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Characters a token. English prose takes about four in today's vocabularies; three makes the first estimates too high
# rather than too low.
INITIAL_RATIO = 3.0
# The share of the difference by which one report moves the ratio. Small, so that one short odd prompt changes little.
STEP = 0.2
# Chat formats add a few tokens to every message.
TOKENS_PER_MESSAGE = 4
# UTF-8 bytes per token, for budgets: overestimates English, about right for scripts of three bytes per character.
# Fixed, because a learned ratio changes, and a change would move the beginning of a prompt that a provider has cached.
BYTES_PER_TOKEN = 3
# Tokens of a picture: the most that gpt-4o counts for one at high detail, 85 and 170 for each of eight tiles of 512
# pixels (OpenAI's guide "Images and vision", 2026-11-28). Other models count fewer for the sizes that are sent here.
TOKENS_PER_PICTURE = 1_445
# Bounds of the ratio, so that a server that reports wrong usage does not lift the limits.
MIN_RATIO, MAX_RATIO = 1.0, 6.0
# Tokens. The largest context of any model is a million (2026-11); a report of more than twice that is wrong.
MAX_CONTEXT = 2_000_000
# Tokens by which a report may exceed the limit of an answer: servers count the special tokens differently.
SLACK = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, or of several added up. `cached` is the part of `prompt` that came from a cache.

    `estimated` is true where a server reported no usage.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.estimated or other.estimated,
        )


def is_plausible(usage: Usage, characters: int, limit: int | None) -> bool:
    """Whether a server's report can be true for an answer of `characters`, thinking included, within `limit` tokens.

    A wrong report could use up the limits of everybody, lift the limits, or make a call free.
    """
    longest = MAX_CONTEXT if limit is None else max(limit, 4 * characters) + SLACK
    counts = (usage.prompt, usage.cached, usage.completion)
    in_range = 0 < usage.prompt <= MAX_CONTEXT and usage.cached <= usage.prompt and usage.completion <= longest
    return in_range and all(count >= 0 for count in counts)


def count_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """The tokens that `messages` count against a budget."""
    return sum(
        len(message["content"].encode()) // BYTES_PER_TOKEN
        + 1
        + TOKENS_PER_MESSAGE
        + TOKENS_PER_PICTURE * len(message.get("pictures", ()))
        for message in messages
    )


class TokenEstimator:
    """Estimates tokens from characters. The ratio is learned for each model from the usage that servers report.

    Tokenizers of new models are not known in advance, and their tables would have to be fetched over the network.
    """

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def estimate(self, model: str, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tokens of `messages` on `model`, rounded up."""
        characters = sum(len(message["content"]) for message in messages)
        pictures = sum(len(message.get("pictures", ())) for message in messages)
        fixed = TOKENS_PER_MESSAGE * len(messages) + TOKENS_PER_PICTURE * pictures
        return self.estimate_characters(model, characters) + fixed

    def estimate_characters(self, model: str, characters: int) -> int:
        """Tokens of a text of so many `characters` on `model`, rounded up."""
        return int(characters / self._ratios.get(model, INITIAL_RATIO)) + 1

    def learn(self, model: str, messages: Sequence[Mapping[str, Any]], reported: int) -> None:
        """Correct the ratio of `model` by the prompt tokens that a server `reported` for `messages`.

        Messages with pictures correct nothing: their tokens are not known.
        """
        texts = [message["content"] for message in messages]
        tokens = reported - TOKENS_PER_MESSAGE * len(texts)
        if tokens <= 0 or any("pictures" in message for message in messages):
            return
        seen = min(max(sum(map(len, texts)) / tokens, MIN_RATIO), MAX_RATIO)
        ratio = self._ratios.get(model, INITIAL_RATIO)
        self._ratios[model] = ratio + STEP * (seen - ratio)
