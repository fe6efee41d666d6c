"""The process: how it starts, what it survives, and how it stops."""

import asyncio
import re

import pytest

from tests.bot.harness import LONG_ANSWER, SLOW_STREAM, BotHarness, is_final, is_sentence
from tests.wire.process import Process

pytestmark = pytest.mark.asyncio(loop_scope="package")

RESTARTED = "I am being restarted. Ask again in a minute."


def only_one_line(process: Process) -> str:
    """All that the process wrote, which must be a sentence and no traceback."""
    assert "Traceback" not in process.output
    lines = [line for line in process.output.splitlines() if line.strip()]
    assert len(lines) == 1, process.output
    return lines[0]


async def refused(harness: BotHarness, **env: str) -> str:
    """The sentence with which a start fails, with exit code 1."""
    process = await harness.started(**env)
    try:
        assert await process.wait(30) == 1
        return only_one_line(process)
    finally:
        await process.close()


async def test_a_start_says_who_where_what_and_how_to_invite(harness: BotHarness) -> None:
    assert harness.wire.process is not None
    # The last word of the last line: it may come a moment after its first.
    await harness.wire.process.wrote("permissions=")
    output = harness.wire.process.output
    assert "Logged in as bot#0000 in " in output
    assert re.search(r"^Commands: .*translate.* \(\d+ synced\)$", output, re.MULTILINE)
    assert "Model: fake-model at 127.0.0.1" in output
    assert f"client_id={harness.wire.people['bot']}&scope=bot+applications.commands&permissions=" in output
    assert harness.wire.token not in output


async def test_a_second_run_on_one_data_folder_is_refused(harness: BotHarness) -> None:
    sentence = await refused(harness)
    assert sentence.startswith("fewshot: Another Fewshot is running on ")
    assert sentence.endswith("stop it, or give this one another DATA_DIR.")


IMPOSSIBLE = {
    "DISCORD_TOKEN is not set": {"DISCORD_TOKEN": ""},
    "Discord refused DISCORD_TOKEN": {"DISCORD_TOKEN": "MTEw.wrong.token"},
    "USER_INSTALL is on, but the portal": {"USER_INSTALL": "on"},
    "MESSAGE_CONTENT is on, but the developer portal": {"MESSAGE_CONTENT": "on"},
    "DISCORD_API http://127.0.0.1:1 does not answer as Discord does: Cannot connect": {
        "DISCORD_API": "http://127.0.0.1:1/api/v10/"
    },
}


async def test_a_start_that_cannot_be_is_refused_with_a_sentence(harness: BotHarness) -> None:
    starts = (
        refused(harness, DATA_DIR=str(harness.wire.folder / f"impossible-{number}"), **env)
        for number, env in enumerate(IMPOSSIBLE.values())
    )
    for wanted, sentence in zip(IMPOSSIBLE, await asyncio.gather(*starts), strict=True):
        assert sentence.startswith(f"fewshot: {wanted}")
        assert "wrong.token" not in sentence


async def test_a_lost_gateway_is_resumed_and_what_was_asked_meanwhile_answered(harness: BotHarness) -> None:
    harness.model.says(LONG_ANSWER, **SLOW_STREAM)
    before = [one["what"] for one in await harness.wire.gateway_log()]
    running = await harness.slash("translate", text="before", to="Greek")
    await running.answer(is_sentence)
    for how in ("drop", "reconnect"):
        await harness.wire.gateway(how)
    missed = await harness.slash("translate", text="meanwhile", to="Greek")
    answers = await asyncio.gather(running.answer(is_final), missed.answer(is_final))
    assert all(answer.content.startswith(LONG_ANSWER) for answer in answers)
    since = [one["what"] for one in await harness.wire.gateway_log()][len(before) :]
    assert "resume" in since
    assert "identify" not in since
    assert len(harness.model.calls) == 2


async def test_a_stop_lets_short_answers_end_and_tells_the_long_ones(fresh: BotHarness) -> None:
    """Also: nothing new is taken, the model's call ends, the exit code is 0, and the ledger is settled."""
    async with fresh.bot(TEST_LAST_WORDS="3") as process:
        fresh.model.says(LONG_ANSWER, **SLOW_STREAM)
        short = await fresh.slash("translate", text="short", to="Greek")
        await short.answer(is_sentence)
        fresh.model.hangs(after=2)
        long = await fresh.slash("translate", text="long", to="Greek")
        await long.answer(is_sentence)
        process.terminate()
        await process.wrote("stopping: waiting for 2 answers")
        late = await (await fresh.slash("translate", text="late", to="Greek")).answer(is_sentence)
        assert late.content == RESTARTED
        assert late.ephemeral
        assert (await short.answer(is_final)).content.startswith(LONG_ANSWER)
        assert (await long.answer(lambda found: found.content == RESTARTED)).buttons == []
        assert await process.wait() == 0
        assert "Traceback" not in process.output
        await asyncio.wait_for(fresh.model.calls[1].ended.wait(), 5)
        assert len(fresh.model.calls) == 2
    assert fresh.rows("PRAGMA integrity_check") == [("ok",)]
    assert fresh.rows("SELECT count(*) FROM calls WHERE NOT settled") == [(0,)]
