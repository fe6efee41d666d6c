"""Follow-ups: the whole exchange within a budget, and what was left out."""

from typing import Any

from bot.core.caller import Caller
from bot.llm.completion import Answer
from bot.llm.conversation import follow_up, start
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.llm.usage import count_tokens

BUDGET = 2_000
RATING = ChatTemplate.from_dict(
    {
        "reply": "rating",
        "temperature": 0,
        "stop": "\\n",
        "max_completion_tokens": 20,
        "messages": [
            {"role": "system", "content": "Rate."},
            {"role": "user", "content": "Good."},
            {"role": "assistant", "content": "5: Good."},
            {"role": "user", "content": "{{text}}"},
        ],
    }
)


def answered(request: Request, text: str, **more: Any) -> Answer:
    return Answer(text=text, reply=text, model="m", request=request, parameters={}, caller=Caller(1), id="a", **more)


def test_a_follow_up_holds_the_exchange_and_wants_a_text() -> None:
    """Also after a repair turn, and with another number of examples."""
    first = RATING.fill({"text": "Bad."})
    repair = ({"role": "assistant", "content": "one"}, {"role": "user", "content": "Once more."})
    second = follow_up(answered(first.followed_by(*repair), "1: Bad.", repaired=True), "Why {{text}}?", 2, BUDGET)
    said = [message["content"] for message in second.messages]
    assert said == ["Rate.", "Good.", "5: Good.", "Bad.", "1: Bad.", "Why {{text}}?"]
    assert (second.reply, second.parameters, second.written) == ("text", {"temperature": 0}, "Why {{text}}?")
    zero = second.with_template(RATING.with_examples(0))
    assert [message["content"] for message in zero.messages] == ["Rate.", "Bad.", "1: Bad.", "Why {{text}}?"]
    assert (zero.reply, zero.examples) == ("text", 0)


def test_a_chain_of_200_stays_within_its_budget_and_counts_what_it_left_out() -> None:
    request = start("What is a pod?")
    for number in range(200):
        request = follow_up(answered(request, f"Answer {number}. " * 10), f"Question {number}?", 1, BUDGET)
        assert count_tokens(request.messages) <= BUDGET
        assert [message["role"] for message in request.messages] == ["user", "assistant"] * (
            len(request.messages) // 2
        ) + ["user"]
    said = [message["content"] for message in request.messages]
    assert said[0] == "What is a pod?"
    assert said[1].startswith("Answer 0. ")
    assert said[-2].startswith("Answer 199. ")
    assert request.conversation is not None
    assert request.conversation.left_out + len(said) == 401


def test_a_follow_up_longer_than_the_budget_is_sent_with_the_first_exchange() -> None:
    request = follow_up(answered(start("Hi"), "Hello"), "x" * 9_000, 1, BUDGET)
    longer = follow_up(answered(request, "y" * 9_000), "Shorter!", 1, BUDGET)
    assert [message["content"] for message in longer.messages] == ["Hi", "Hello", "Shorter!"]
