"""Follow-ups: a request with the whole exchange before it, cut to a token budget.

The messages of an answer's request already hold what came before it, so a follow-up needs that answer alone. Where the
exchange is longer than the budget, its oldest turns after the first answer are left out.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.llm.completion import Answer
from bot.llm.request import Conversation, Message, Request
from bot.llm.usage import count_tokens

# The name of a request without a template, for the ledger and the prompt card.
NAME = "conversation"


def start(text: str) -> Request:
    """The first request of a conversation without a template."""
    return Request(({"role": "user", "content": text},), name=NAME)


def follow_up(earlier: Answer, text: str, user_id: int, budget: int) -> Request:
    """The request of the person `user_id` that follows the answer `earlier` with `text`, within `budget` tokens.

    The first question with its examples, its answer, and `text` are always sent, also where they exceed the budget.
    """
    request = earlier.first_request
    known = request.conversation
    end = len(request.messages) - (known.length if known else 0)
    messages = (
        *request.messages[end:],
        {"role": "assistant", "content": earlier.text or "…"},
        {"role": "user", "content": text},
    )
    kept = (messages[0], *_newest(messages[1:], budget - count_tokens((*request.messages[:end], messages[0]))))
    conversation = Conversation(
        parent=earlier.id,
        length=len(kept),
        left_out=len(messages) - len(kept) + (known.left_out if known else 0),
        authors=_authors(earlier) - {user_id},
    )
    return replace(request, messages=(*request.messages[:end], *kept)).continuing(conversation)


def _newest(messages: Sequence[Message], budget: int) -> Sequence[Message]:
    """The newest of `messages`, which end with a question: that one, and as many earlier pairs as fit."""
    first = len(messages) - 1
    budget -= count_tokens(messages[first:])
    while first > 1 and (budget := budget - count_tokens(messages[first - 2 : first])) >= 0:
        first -= 2
    return messages[first:]


def _authors(answer: Answer) -> frozenset[int]:
    """The Discord ids of the people whose words are in the prompt of `answer`."""
    caller, conversation = answer.caller, answer.request.conversation
    source = {caller.source.author_id} if caller.source else set[int]()
    return frozenset({caller.user_id} | source) | (conversation.authors if conversation else frozenset())
