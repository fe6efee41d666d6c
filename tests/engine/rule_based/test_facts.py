"""The stand-in's first skill: a sentence of the facts in the prompt."""

import pytest

from bot.engine.rule_based.facts import NONE_ANSWERS, reply
from bot.engine.rule_based.prompt import Prompt

FACTS = """\
Race 1 was the Tatooine Grand Prix. Senn Kava, in The Thunderbolt, won it after an extraordinary launch. \
Remy Thal took second with flips and barrel rolls. Tira Suro slipped to fourth when her boost ran out. \
Kael Voss left the course to avoid a sandstorm and came fifth.

Race 2 was the Coruscant Circuit. Vix Tor won with a perfect start. Senn Kava came second through a narrow gap.

The season's cup went to Senn Kava. Anakin Skywalker was absent from this season, and nobody knows why."""


def answer(question: str) -> str | None:
    return reply(Prompt((f"Answer from the facts alone.\n\nFacts:\n{FACTS}",), (question,), ()))


@pytest.mark.parametrize(
    ("question", "begins"),
    [
        ("Who won the Tatooine Grand Prix?", "Senn Kava, in The Thunderbolt"),
        ("who won race 2", "Vix Tor won"),
        ("Who came fourth in race 1?", "Tira Suro"),
        ("Why was Anakin Skywalker absent?", "Anakin Skywalker was absent"),
        ("What did Voss avoid?", "Kael Voss left"),
        ("Who won the season's cup?", "The season's cup"),
    ],
)
def test_the_sentence_that_answers_is_given_word_for_word(question: str, begins: str) -> None:
    given = answer(question)
    assert given is not None
    assert given.startswith(begins)
    assert given in " ".join(FACTS.split())


@pytest.mark.parametrize(
    "question",
    ["What is the capital of France?", "How old is Senn Kava?", "Who won race 7?", "Who is Luke Skywalker?"],
)
def test_it_says_so_when_no_sentence_answers(question: str) -> None:
    assert answer(question) == NONE_ANSWERS


@pytest.mark.parametrize(
    "message",
    [
        f"Facts:\n{FACTS}\n\nQuestion: Who won race 2?",
        f"<facts>\n{FACTS}\n</facts>\n\nWho won race 2?",
        f"## Context about the season:\n\n{FACTS}\n\nQuestion:\nWho won race 2?",
    ],
)
def test_facts_may_stand_in_the_question_s_own_message(message: str) -> None:
    assert reply(Prompt((), (message,), ())) == "Vix Tor won with a perfect start."


@pytest.mark.parametrize("said", ["Translate: who won?", "Who won race 2?", "Facts: none.\nWho won?"])
def test_a_prompt_without_a_frame_of_facts_is_not_its_own(said: str) -> None:
    assert reply(Prompt(("You translate.",), (said,), ())) is None
