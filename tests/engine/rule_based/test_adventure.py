"""The stand-in's second skill: the adventure of the locked room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.rule_based.adventure import SO_FAR, memory, reply
from bot.engine.rule_based.parser import HELP, NOT_UNDERSTOOD, essence, play
from bot.engine.rule_based.prompt import Prompt
from bot.play import prompting

OPENING = ("look around", "open door", "check inventory")
SYSTEM = "You are a text adventure game."
LINES = (
    "look under the table", "take it", "take the key", "open the door", "go east", "go back", "give sandwich to dog",
    "eat the sandwich", "open the cupboard", "take biscuit", "give it to the dog", "go down", "look at the door",
    "look under the table and take it", "wait",
)  # fmt: skip
SHOWN = ("A room with a table and a door.", "It is locked.", "A sandwich.")


def told(*lines: str) -> str:
    answer = reply(Prompt((SYSTEM,), (*OPENING, *lines), SHOWN))
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


def test_a_story_that_goes_back_a_turn_is_as_if_it_had_not_happened() -> None:
    assert told("eat sandwich", "inventory") != told("inventory")
    assert told("look at the table", "take key", "inventory") == "You carry a key and a sandwich."


def test_players_are_heard_by_name() -> None:
    assert told("Ann: look under the table", "Bo: take the key", "Ann: inventory") == "You carry a key and a sandwich."


def test_several_commands_fit_in_a_line() -> None:
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
def test_people_may_say_things_in_their_own_way(lines: list[str], part: str) -> None:
    assert part in told(*lines)


def test_what_the_world_does_not_know_it_says() -> None:
    assert told("compose a sonnet") == NOT_UNDERSTOOD
    assert told("help") == HELP


@given(st.lists(st.text(max_size=80), max_size=12))
def test_any_lines_get_the_same_words_each_time(lines: list[str]) -> None:
    assert play(lines) == play(lines)
    assert play(lines)


@pytest.mark.parametrize(
    ("system", "shown"),
    [
        ("You translate into French.", SHOWN),
        ("You are a text adventure game aboard a starship.", ("You wake in a pod.",)),
        ("Summarise this text adventure game in a sentence.", SHOWN),
    ],
)
def test_any_other_story_or_task_is_not_its_own(system: str, shown: tuple[str, ...]) -> None:
    assert reply(Prompt((system,), ("look around",), shown)) is None


def remembered(*turns: str, before: str = "Nothing yet.") -> str:
    told = "\n".join(f"> {turn}\nA table and a door." for turn in turns)
    asked = Prompt(
        ("You keep the memory of a text adventure game. Summarise it.",),
        (f"Earlier memory:\n{before}\n\nWhat happened since:\n{told}",),
        (),
    )
    answer = memory(asked)
    assert answer is not None
    return answer


def test_a_memory_stands_for_the_turns_that_it_replaces() -> None:
    first = remembered("look under the table", "take it", "wait", "open the door", "go east", "go back")
    second = remembered("Ann: go east", "give the sandwich to the dog", before=first)
    for lines in (["inventory"], ["look around"], ["go down"]):
        assert told(f"{SO_FAR}\n{second}\n\nNotes that the players pinned:\n- take the lamp", *lines) == told(
            "look under the table", "take the key", "open the door", "go east", "give sandwich to the dog", *lines
        )


def test_a_memory_is_as_short_as_the_world_is_small() -> None:
    assert len(essence(["look under the table", "take key", "open door", *["go east", "go back"] * 200])) == 3


@given(st.lists(st.sampled_from(LINES), max_size=30))
def test_the_essence_of_any_story_leads_to_the_same_place(lines: list[str]) -> None:
    for ask in ("inventory", "look around"):
        assert play([*essence(lines), ask]) == play([*lines, ask])


def test_the_memory_of_another_story_is_not_its_own() -> None:
    asked = ("You keep the memory of a text adventure game. Summarise it.",)
    assert (
        memory(Prompt(asked, ("Earlier memory:\nThey sailed.\n\nWhat happened since:\n> row\nYou row.",), ())) is None
    )
    assert memory(Prompt(asked, ("look around",), ())) is None


def test_the_prompt_s_heading_is_the_one_that_is_looked_for() -> None:
    assert SO_FAR == prompting.SO_FAR_PROMPT
