"""The prompt of a turn: frame, memory, newest turns, within a budget of tokens.

Everything before the newest turns stays byte for byte the same from turn to turn until a summary or a note changes,
so that a provider's cache serves it. Where turns must be left out before a summary stands for them, they go in
blocks: the beginning then changes once in eight turns and not with each.
"""

from collections.abc import Iterable, Mapping, Sequence

from bot.llm.request import Message, Request
from bot.play.action_parser import line_of
from bot.play.scenarios import Frame
from bot.storage.stories import Turn

SO_FAR_PROMPT = "What happened so far:"
PINNED_PROMPT = "Notes that the players pinned:"
HEARD_PROMPT = "I keep that in mind. The story goes on."
# Turns that leave the prompt together.
BLOCK = 8
# UTF-8 bytes a token: on the dear side for English, about right for scripts of three bytes a character. Fixed, and
# not the client's learned ratio, because a ratio that moves would move the beginning of the prompt.
BYTES_A_TOKEN = 3
PER_MESSAGE = 4


def tokens_of(messages: Iterable[Mapping[str, str]]) -> int:
    """What `messages` count against the budget, in tokens."""
    return sum(len(message["content"].encode()) // BYTES_A_TOKEN + 1 + PER_MESSAGE for message in messages)


def messages_of(turn: Turn) -> list[Message]:
    """What a player said, and what they were told if they have been told."""
    said = {"role": "user", "content": line_of(turn)}
    return [said] if turn.reply is None else [said, {"role": "assistant", "content": turn.reply}]


def beginning(frame: Frame, summary: str, notes: Sequence[str]) -> list[Message]:
    """What stands before the turns. Summary and notes come from what people wrote, so they stay the user's."""
    parts = [f"{SO_FAR_PROMPT}\n{summary}"] if summary else []
    parts += ["\n".join([PINNED_PROMPT, *(f"- {note}" for note in notes)])] if notes else []
    if not parts:
        return list(frame.messages)
    memory = {"role": "user", "content": "\n\n".join(parts)}
    return [*frame.messages, memory, {"role": "assistant", "content": HEARD_PROMPT}]


def prompt(frame: Frame, summary: str, notes: Sequence[str], turns: Sequence[Turn], budget: int) -> Request:
    """The request for the last of `turns`, which has no answer yet; `budget` in tokens.

    The last turn is always sent, also where it alone passes the budget.
    """
    start = beginning(frame, summary, notes)
    shown = fitting(turns, budget - tokens_of(start))
    spoken = [message for turn in shown for message in messages_of(turn)]
    return Request((*start, *spoken), frame.parameters, "adventure", frame.examples)


def fitting(turns: Sequence[Turn], room: int) -> Sequence[Turn]:
    """The newest of `turns` that take `room` tokens at most; the last one always.

    Where some are left out, the cut is at a block's end, unless that would cost half of what fits.
    """
    first, left = len(turns), room
    for number in range(len(turns) - 1, -1, -1):
        left -= tokens_of(messages_of(turns[number]))
        if left < 0:
            break
        first = number
    boundary = next((at for at in range(first, len(turns)) if turns[at].depth % BLOCK == 1), len(turns))
    if first > 0 and boundary - first <= (len(turns) - first) // 2:
        first = boundary
    return turns[min(first, len(turns) - 1) :]
