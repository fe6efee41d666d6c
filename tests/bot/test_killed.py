"""`kill -9` in the middle of an answer, and the start after it. `tests/drills/test_restart.py` does it ten times."""

import json
import sqlite3
from contextlib import closing

import pytest

from bot.answers.interrupted import ANOTHER, INTERRUPTED
from bot.core.i18n import translation
from bot.ui.stream_editor import CURSOR
from tests.bot.harness import BotHarness
from tests.bot.test_prompt_button import NOT_STORED, pressed
from tests.wire.exchange import Message

pytestmark = pytest.mark.asyncio(loop_scope="package")


def answers(message: Message, question: Message) -> bool:
    """Whether `message` replies to `question`."""
    reference = message.raw.get("message_reference")
    return reference is not None and int(reference["message_id"]) == question.id


async def test_after_a_kill_prompts_open_until_their_time_is_over_and_open_calls_are_settled(fresh: BotHarness) -> None:
    """Answers that were being written end with a notice; one that was to get another version gets its words back.

    And the second start registers only the commands that are missing: in a server that the bot is not in.
    """
    places = {"GUILD_IDS": f"4711,{fresh.wire.guild_id}"}
    async with fresh.bot(places) as process:
        fresh.model.says("Public words")
        public = await fresh.answer("translate", text="said aloud", to="Greek", private=False)
        old = await fresh.answer("translate", text="said long ago", to="Greek", private=False)
        private = await fresh.answer("translate", text="said quietly", to="Greek")
        opened = await fresh.answer("translate", text="said and opened", to="Greek")
        await pressed(fresh, opened, "Prompt")
        assert await fresh.wait_for_count("SELECT count(*) FROM prompts", wanted=3) == 3
        fresh.model.hangs(after=2, times=3)
        await fresh.wire.speak("friend", "fr")
        ended = await fresh.slash("translate", text="never ended", to="Greek", user="friend")
        again = await fresh.wire.press(public, "Again")
        question = await fresh.wire.say(f"<@{fresh.wire.people['bot']}> never ended")
        for one in (ended, again):
            await one.answer(lambda found: found.content.endswith(CURSOR))
        reply = await fresh.wire.until(lambda found: answers(found, question) and found.content.endswith(CURSOR))
        assert fresh.rows("SELECT count(*) FROM calls WHERE NOT settled") == [(3,)]
        process.kill()
        assert await process.wait() == -9
    with closing(sqlite3.connect(fresh.folder / "fewshot.sqlite3")) as database, database:
        database.execute("UPDATE prompts SET at = at - 8 * 86400 WHERE message_id = ?", (old.id,))
    async with fresh.bot(places) as process:
        assert fresh.rows("SELECT count(*), min(prompt_tokens) > 0 FROM calls WHERE settled") == [(7, 1)]
        assert await fresh.wait_for_count("SELECT count(*) FROM unfinished_answers", wanted=0) == 0
        notice = "\n-# I was restarted before this answer was complete. Ask again."
        assert (await ended.answer()).content == f"one two th\n-# {translation('fr', INTERRUPTED)}"
        replied = await fresh.wire.until(lambda found: answers(found, question))
        assert (replied.id, replied.content, replied.buttons) == (reply.id, f"one two th{notice}", [])
        assert replied.raw["edits"] == reply.raw["edits"] + 1
        restored = await again.answer()
        assert restored.content.startswith("Public words\n-# ")
        assert restored.content.endswith(f"\n-# {ANOTHER}")
        assert restored.buttons == public.buttons
        assert "said aloud" in (await pressed(fresh, public, "Prompt")).text
        assert "said and opened" in (await pressed(fresh, opened, "Prompt")).text
        assert (await pressed(fresh, private, "Prompt")).text == NOT_STORED
        assert (await pressed(fresh, old, "Prompt")).text == NOT_STORED
        shared = await (await fresh.wire.press(private, "Share")).messages()
        assert any("Public words" in found.content and not found.ephemeral for found in shared)
        assert "Traceback" not in process.output
    assert fresh.rows("SELECT count(*) FROM prompts WHERE message_id = ?", old.id) == [(0,)]
    statuses = [(one["path"].split("/")[4], one["status"]) for one in await fresh.wire.requests("PUT", "/commands")]
    assert statuses == [("4711", 404), (str(fresh.wire.guild_id), 200), ("4711", 404)]
    assert "register no commands in the server 4711" in process.output


async def test_a_killed_test_run_goes_on_and_pays_no_stored_answer_twice(fresh: BotHarness) -> None:
    messages = [{"role": "user", "content": "Sing?"}, {"role": "assistant", "content": "Alas."}]
    data = {"about": "refuse", "messages": [*messages, {"role": "user", "content": "{{input}}"}]}
    tests = "input,expected\n" + "".join(f"question {n},Alas.\n" for n in range(12))
    cells = "SELECT count(*) FROM trick_cells"
    async with fresh.bot() as process:
        file = fresh.wire.file("refuse.json", json.dumps(data).encode())
        await fresh.notice("trick import", file=file, user="admin")
        file = fresh.wire.file("tests.csv", tests.encode())
        await fresh.notice("trick test import", name="refuse", file=file, user="admin")
        asked = await fresh.answer("trick test run", name="refuse", user="admin")
        fresh.model.says("Alas.", delay=0.05)
        await fresh.press(asked, "Run", user="admin")
        assert await fresh.wait_for_count(cells, wanted=5) >= 5
        process.kill()
        assert await process.wait() == -9
    (stored,) = fresh.rows(cells)[0]
    before = len(fresh.model.requests)
    async with fresh.bot():
        card = await fresh.wire.until(lambda found: "refuse, version 1, on 12 inputs" in found.text, fresh.place)
        assert "**100%** all examples" in card.text
        assert len(fresh.model.requests) - before == 24 - stored
        assert (
            len([found for found in await fresh.wire.messages(fresh.place) if "refuse, version 1" in found.text]) == 1
        )
