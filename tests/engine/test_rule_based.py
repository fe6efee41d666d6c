"""The stand-in: it answers from facts in the prompt, plays the locked room, and poses as no model."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.chat import parse_chat_request
from bot.engine.rule_based import adventure, facts
from bot.engine.rule_based.adventure import HELP, NOT_UNDERSTOOD, SO_FAR, play, shortest_commands, summary
from bot.engine.rule_based.facts import NO_ANSWER
from bot.engine.rule_based.model import StandIn
from bot.engine.rule_based.prompt import Prompt
from bot.play import memory as story_memory

TEMPLATES = Path(__file__).parents[2] / "templates"

# Long enough that two of them are never the same by chance, and none is a sentence of the stand-in's own.
ANSWERS = st.text(st.characters(categories=["L", "Nd", "Zs", "Po"]), min_size=12, max_size=60).filter(str.strip)
INPUTS = st.text(min_size=1, max_size=60)
INSTRUCTIONS = st.sampled_from(
    [
        "You translate English into French.",
        "You rate a review from 1 to 5 and give a reason.",
        "You rewrite a text in the style of the sample.",
        "You are a text adventure game. There is a table and a locked door.",
        "Answer from these facts.\n\nFacts:\nSenn Kava won race one. Vix Tor came second.",
        "Choose a template and answer with JSON.",
    ]
)


def replied(messages: list[dict[str, str]]) -> str | None:
    request = parse_chat_request({"model": "stand-in", "messages": messages}, lambda _: False)
    return StandIn.reply(Prompt.from_messages(request.messages))


@given(INSTRUCTIONS, st.lists(st.tuples(INPUTS, ANSWERS), min_size=1, max_size=4), INPUTS)
def test_an_examples_answer_is_never_returned_for_another_input(
    instruction: str, examples: list[tuple[str, str]], asked: str
) -> None:
    messages = [{"role": "system", "content": instruction}]
    for said, shown in examples:
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": shown}]
    reply = replied([*messages, {"role": "user", "content": asked}])
    assert reply is None or all(shown.strip() not in reply for _, shown in examples)


@given(INSTRUCTIONS, st.lists(st.tuples(INPUTS, ANSWERS), max_size=3))
def test_the_examples_answers_do_not_change_a_reply(instruction: str, examples: list[tuple[str, str]]) -> None:
    def messages(shown: str) -> list[dict[str, str]]:
        turns = [[{"role": "user", "content": said}, {"role": "assistant", "content": shown}] for said, _ in examples]
        flat = [message for turn in turns for message in turn]
        system = {"role": "system", "content": instruction}
        return [system, *flat, {"role": "user", "content": "Who won race one?"}]

    assert replied(messages("something")) == replied(messages("something else"))


def prompts() -> list[Any]:
    found = [*TEMPLATES.glob("*.json")]
    return [pytest.param(path, id=path.stem) for path in found if "messages" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", prompts())
def test_a_shipped_template_that_needs_a_model_is_refused_rather_than_answered(path: Path) -> None:
    messages = json.loads(path.read_text(encoding="utf-8"))["messages"]
    assert replied(messages) is None


@pytest.mark.parametrize("asked", ["Are you ChatGPT?", "Which model are you?", "Tell me a joke.", "Hello!"])
def test_it_does_not_chat(asked: str) -> None:
    assert replied([{"role": "user", "content": asked}]) is None


FACTS = """\
Race 1 was the Tatooine Grand Prix. Senn Kava, in The Thunderbolt, won it after an extraordinary launch. \
Remy Thal took second with flips and barrel rolls. Tira Suro slipped to fourth when her boost ran out. \
Kael Voss left the course to avoid a sandstorm and came fifth.

Race 2 was the Coruscant Circuit. Vix Tor won with a perfect start. Senn Kava came second through a narrow gap.

The season's cup went to Senn Kava. Anakin Skywalker was absent from this season, and nobody knows why."""


def answer(question: str) -> str | None:
    return facts.reply(Prompt((f"Answer from the facts alone.\n\nFacts:\n{FACTS}",), (question,), ()))


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
def test_the_answer_is_a_sentence_of_the_facts_word_for_word(question: str, begins: str) -> None:
    given = answer(question)
    assert given is not None
    assert given.startswith(begins)
    assert given in " ".join(FACTS.split())


@pytest.mark.parametrize(
    "question",
    ["What is the capital of France?", "How old is Senn Kava?", "Who won race 7?", "Who is Luke Skywalker?"],
)
def test_it_says_so_when_no_sentence_answers(question: str) -> None:
    assert answer(question) == NO_ANSWER


@pytest.mark.parametrize(
    "message",
    [
        f"Facts:\n{FACTS}\n\nQuestion: Who won race 2?",
        f"<facts>\n{FACTS}\n</facts>\n\nWho won race 2?",
        f"## Context about the season:\n\n{FACTS}\n\nQuestion:\nWho won race 2?",
    ],
)
def test_facts_may_be_in_the_question_s_message(message: str) -> None:
    assert facts.reply(Prompt((), (message,), ())) == "Vix Tor won with a perfect start."


@pytest.mark.parametrize("said", ["Translate: who won?", "Who won race 2?", "Facts: none.\nWho won?"])
def test_a_prompt_without_facts_is_not_answered_from_facts(said: str) -> None:
    assert facts.reply(Prompt(("You translate.",), (said,), ())) is None


OPENING = ("look around", "open door", "check inventory")
SYSTEM = "You are a text adventure game."
LINES = (
    "look under the table", "take it", "take the key", "open the door", "go east", "go back", "give sandwich to dog",
    "eat the sandwich", "open the cupboard", "take biscuit", "give it to the dog", "go down", "look at the door",
    "look under the table and take it", "wait",
)  # fmt: skip
ADVENTURE_TURNS = ("A room with a table and a door.", "It is locked.", "A sandwich.")


def told(*lines: str) -> str:
    answer = adventure.reply(Prompt((SYSTEM,), (*OPENING, *lines), ADVENTURE_TURNS))
    assert answer is not None
    return answer


def test_the_story_can_be_played_to_its_end() -> None:
    lines = ["look under the table", "take the key", "open the door", "go east", "give the sandwich to the dog"]
    assert "brass key" in told(lines[0])
    assert "swings out" in told(*lines[:3])
    assert "dog" in told(*lines[:4])
    assert "garden" in told(*lines, "go down the stairs")


def test_the_door_is_locked_until_the_key_is_found() -> None:
    assert "stops" in told("open the door")
    assert "no key" in told("use key on door")
    assert "shut" in told("go through the door")


def test_a_sandwich_that_was_eaten_is_gone() -> None:
    assert "sandwich" in told("inventory")
    assert told("eat sandwich", "inventory") == "Your pockets are empty."
    assert "no sandwich" in told("eat sandwich", "eat sandwich")


def test_a_hungry_player_can_still_get_out() -> None:
    before = ["eat the sandwich", "look at the table", "take key", "unlock door", "go east", "open the cupboard"]
    assert "garden" in told(*before, "take the biscuit", "eat the biscuit", "give biscuit to dog", "go down")


def test_an_undone_turn_has_no_effect() -> None:
    assert told("eat sandwich", "inventory") != told("inventory")
    assert told("look at the table", "take key", "inventory") == "You carry a key and a sandwich."


def test_a_player_s_name_before_a_line_is_ignored() -> None:
    assert told("Ann: look under the table", "Bo: take the key", "Ann: inventory") == "You carry a key and a sandwich."


def test_a_line_may_have_several_commands() -> None:
    assert "hallway" in told("look under the table, take the key and unlock the door. Then go east!")


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (["look under the table", "take it"], "pick up the key"),
        (["I look under the table and take whatever is there"], "pick up the key"),
        (["look under the table", "use the key on the door"], "swings out"),
        (["look under the table", "take key", "use it on the door"], "swings out"),
        (["what do I have?"], "a sandwich"),
        (["where am I?"], "bare chamber"),
        (["what can I do?"], "Try: look around"),
        (["kick down the door"], "hurts you"),
        (["pick the lock"], "nothing to pick a lock with"),
        (["sit down"], "Nothing else"),
        (["say hello"], "Nobody here"),
        (["take the table"], "stays where it is"),
    ],
)
def test_lines_of_many_wordings_are_understood(lines: list[str], part: str) -> None:
    assert part in told(*lines)


def test_a_line_that_is_not_understood_gets_a_reply_that_says_so() -> None:
    assert told("compose a sonnet") == NOT_UNDERSTOOD
    assert told("help") == HELP


@given(st.lists(st.text(max_size=80), max_size=12))
def test_equal_lines_get_equal_replies(lines: list[str]) -> None:
    assert play(lines) == play(lines)
    assert play(lines)


@pytest.mark.parametrize(
    ("system", "shown"),
    [
        ("You translate into French.", ADVENTURE_TURNS),
        ("You are a text adventure game aboard a starship.", ("You wake in a pod.",)),
        ("Summarise this text adventure game in a sentence.", ADVENTURE_TURNS),
    ],
)
def test_another_story_or_task_is_not_played(system: str, shown: tuple[str, ...]) -> None:
    assert adventure.reply(Prompt((system,), ("look around",), shown)) is None


def remembered(*turns: str, before: str = "Nothing yet.") -> str:
    told = "\n".join(f"> {turn}\nA table and a door." for turn in turns)
    asked = Prompt(
        ("You keep the memory of a text adventure game. Summarise it.",),
        (f"Earlier memory:\n{before}\n\nWhat happened since:\n{told}",),
        (),
    )
    answer = summary(asked)
    assert answer is not None
    return answer


def test_a_summary_leads_to_the_state_of_the_turns_that_it_replaces() -> None:
    first = remembered("look under the table", "take it", "wait", "open the door", "go east", "go back")
    second = remembered("Ann: go east", "give the sandwich to the dog", before=first)
    for lines in (["inventory"], ["look around"], ["go down"]):
        assert told(f"{SO_FAR}\n{second}\n\nNotes that the players pinned:\n- take the lamp", *lines) == told(
            "look under the table", "take the key", "open the door", "go east", "give sandwich to the dog", *lines
        )


def test_repeated_moves_do_not_lengthen_a_summary() -> None:
    assert len(shortest_commands(["look under the table", "take key", "open door", *["go east", "go back"] * 200])) == 3


@given(st.lists(st.sampled_from(LINES), max_size=30))
def test_the_shortest_commands_of_a_story_lead_to_its_state(lines: list[str]) -> None:
    for ask in ("inventory", "look around"):
        assert play([*shortest_commands(lines), ask]) == play([*lines, ask])


def test_another_story_is_not_summarised() -> None:
    asked = ("You keep the memory of a text adventure game. Summarise it.",)
    assert (
        summary(Prompt(asked, ("Earlier memory:\nThey sailed.\n\nWhat happened since:\n> row\nYou row.",), ())) is None
    )
    assert summary(Prompt(asked, ("look around",), ())) is None


def test_the_summary_s_heading_is_the_one_of_the_story_prompt() -> None:
    assert SO_FAR == story_memory.SO_FAR_PROMPT
