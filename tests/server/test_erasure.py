"""Where a forgotten person's words stood without their id: in stories, and in tricks that others use."""

import json
from dataclasses import replace

import pytest

from bot.core.caller import Caller
from bot.core.errors import NotFoundError
from bot.server.guilds import open_guild_settings
from bot.server.privacy import Privacy
from bot.server.prompts import Prompts
from bot.server.trick_form import Example
from bot.server.tricks import Tricks
from bot.storage import stories, trick_tests
from bot.storage.database import Database
from bot.storage.stories import Branch, NewTurn, Story, Turn, branches_of, put_branch
from tests.server.conftest import Clock
from tests.server.test_prompts import prompt

pytestmark = pytest.mark.both_databases

ANN, BEN = 777_000_777, 888_000_888


@pytest.fixture
def prompts(database: Database, clock: Clock) -> Prompts:
    return Prompts(database, 7, clock)


@pytest.fixture
async def privacy(database: Database, prompts: Prompts, clock: Clock) -> Privacy:
    return Privacy(database, prompts, await open_guild_settings(database, 1_000, 1_000), clock)


async def story_of(database: Database, *said: tuple[int, str, str], told: str) -> tuple[Story, list[Turn]]:
    """A story in the channel 100 in which these people said these words, and were told the same each time."""
    story = Story("tale", 10, 100, "room", "The room", "{}", "running", False, BEN, None, None, 0.0, 0.0)
    assert await stories.add_story(database, story)
    path = []
    for player, name, words in said:
        await stories.enqueue_turn(database, NewTurn("tale", "do", None, player, name, words, ""), 9)
        turn = await stories.begin_turn(database, "tale")
        assert turn is not None
        await stories.complete_turn(database, turn.id, told, model="m", finish="stop", prompt_id="")
        path.append(turn)
    return story, path


async def test_erasing_a_player_keeps_the_story_and_the_words_of_others(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock
) -> None:
    reply = "Annabel and the others enter the hall. annabel's lamp burns."
    _, path = await story_of(database, (ANN, "Annabel", "open the door"), (BEN, "Ben", "I wink at Annabel"), told=reply)
    await put_branch(database, "tale", Branch("my secret place", path[0].id, ANN), 9)
    bens = replace(prompt(clock(), name="adventure"), caller=Caller(BEN, 10, 100))
    await prompts.persist(bens)
    await privacy.erase(ANN)
    first, second = await stories.turn_path(database, path[-1].id, whole=True)
    assert (first.player, first.player_id, first.words) == ("a player", 0, "…")
    assert (second.player, second.words) == ("Ben", "I wink at Annabel")
    assert first.reply == "a player and the others enter the hall. a player's lamp burns."
    assert [branch.name for branch in await branches_of(database, "tale")] == ["branch 1"]
    assert [player.user_id for player in await stories.players_of(database, "tale")] == [BEN]
    assert await prompts.find(bens.id) is None


async def test_a_name_that_is_a_word_of_the_story_is_not_replaced(database: Database, privacy: Privacy) -> None:
    reply = "The hall is dark, and the door is shut."
    _, path = await story_of(database, (BEN, "Ben", "look"), (ANN, "the", "open the door"), told=reply)
    await privacy.erase(ANN)
    assert {turn.reply for turn in await stories.turn_path(database, path[-1].id, whole=True)} == {reply}


async def test_erasing_a_player_drops_their_waiting_turn(database: Database, privacy: Privacy) -> None:
    await story_of(database, (BEN, "Ben", "look"), told="A hall.")
    await stories.enqueue_turn(database, NewTurn("tale", "do", 1, ANN, "Ann", "wait for me", ""), 9)
    await privacy.erase(ANN)
    assert await stories.waiting_turns(database, "tale") == []
    assert await stories.begin_turn(database, "tale") is None


async def test_an_erased_persons_trick_keeps_the_examples_of_others(
    database: Database, privacy: Privacy, prompts: Prompts, clock: Clock
) -> None:
    tricks = Tricks(database, ())
    await tricks.teach(10, ANN, "shout", "Write it as I would shout it.", Example("psst", "PSST"))
    await tricks.add_example(10, BEN, "shout", "hello", "HELLO")
    await tricks.teach(10, ANN, "whisper", "Write it as I would whisper it.", Example("HEY", "hey"))
    await tricks.teach(10, BEN, "sing", "Write it as a song.", Example("tra", "la"))
    used = [replace(prompt(clock(), name=name), caller=Caller(BEN, 10, 5)) for name in ("shout", "select", "sing")]
    for one in used:
        await prompts.persist(one)
    await privacy.erase(ANN)
    shout = await tricks.get(10, "shout")
    assert shout.examples == (Example("hello", "HELLO"),)
    assert shout.template().messages[0]["content"] == "Answer as the examples show."
    with pytest.raises(NotFoundError):
        await tricks.get(10, "whisper")
    assert len((await tricks.get(10, "sing")).examples) == 1
    assert [await prompts.find(one.id) is not None for one in used] == [False, False, True]


async def test_an_erased_persons_words_go_from_old_versions_too(database: Database, privacy: Privacy) -> None:
    """Their examples, instructions and notes; the number of a version that was brought back stays."""
    tricks = Tricks(database, ())
    await tricks.teach(10, BEN, "shout", "Write it as Ben would shout it.", Example("psst", "PSST"))
    await tricks.add_example(10, ANN, "shout", "my secret", "MY SECRET", note="because I say so")
    body = {
        "about": "x",
        "messages": [{"role": "system", "content": "Ann's own"}, {"role": "user", "content": "{{a}}"}],
    }
    await tricks.import_file(10, ANN, "shout", json.dumps(body))
    await tricks.revert(10, ANN, "shout", 1)
    exported = (await privacy.export(ANN, max_bytes=1_000_000)).counts
    assert exported["trick_versions"] == 4  # three that she made, and the body of one
    await privacy.erase(ANN)
    _name, versions = await tricks.history(10, "shout")
    assert [(version.user_id, version.kind, version.note, len(version.examples)) for version in versions] == [
        (0, "reverted", "1", 1),
        (0, "imported", "", 0),
        (0, "example", "", 1),
        (BEN, "taught", "", 1),
    ]
    said = [version.body["messages"][0]["content"] for version in versions]
    assert said == [*["Write it as Ben would shout it."], "Answer as the examples show.", *[said[0]] * 2]


async def test_test_runs_that_quote_an_erased_person_are_deleted(database: Database, privacy: Privacy) -> None:
    """Also where their test was removed from the trick since: the run still has it."""
    tricks = Tricks(database, ())
    await tricks.teach(10, BEN, "shout", "Shout it.", Example("psst", "PSST"))
    tests = [{"id": "a", "input": "my secret", "expected": "MY SECRET", "user_id": ANN}]
    for key, quoted in (("quoting", tests), ("other", [])):
        run = trick_tests.RunRow(key, BEN, 0.0, "score", 1, "exact", 1, json.dumps(quoted), 5, "m", state="done")
        assert await trick_tests.add_run(database, 10, "shout", run) == "added"
        await trick_tests.add_cell(database, key, trick_tests.CellRow("a", "all", 1, "MY SECRET", 1.0, "", 9, None))
    await privacy.erase(ANN)
    assert await trick_tests.find_run(database, "quoting") is None
    assert await trick_tests.cells_of(database, "quoting") == []
    assert await trick_tests.find_run(database, "other") is not None


async def test_a_summary_in_progress_when_a_player_is_erased_is_not_stored(
    database: Database, privacy: Privacy
) -> None:
    """It quotes what is not to be quoted any more, also where it goes on from an earlier one."""
    _, path = await story_of(database, (ANN, "Ann", "open"), (BEN, "Ben", "look"), (BEN, "Ben", "go"), told="A hall.")
    first, second, third = await stories.turn_path(database, path[-1].id, whole=True)
    assert await stories.add_summary(database, "Ann opened.", [first])
    await privacy.erase(ANN)
    assert not await stories.add_summary(database, "Ann opened, Ben looked.", [first, second])
    assert not await stories.add_summary(database, "Ann opened, Ben looked.", [second, third], "Ann opened.")
    fresh = (await stories.turn_path(database, path[-1].id, whole=True))[:2]
    assert await stories.add_summary(database, "Somebody opened, Ben looked.", fresh)
    assert await stories.summary_at(database, second.id) == "Somebody opened, Ben looked."


async def test_a_retry_of_an_erased_players_turn_has_none_of_their_words(database: Database, privacy: Privacy) -> None:
    """Also where the turn was read before they were forgotten."""
    story, path = await story_of(database, (ANN, "Ann", "open the door"), told="A hall.")
    await privacy.erase(ANN)
    again = await stories.retry_turn(database, path[-1])
    assert again is not None
    assert (again.player, again.words, again.story_id) == ("a player", "…", story.id)
