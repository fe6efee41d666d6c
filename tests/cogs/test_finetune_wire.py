"""`/finetune` as only a real Discord has it: registered in some servers alone, killed half-way, with cards that age."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.town import Town, a_sentence, open_town
from tests.cogs.operating import CORPUS, PATIENCE, small_corpus
from tests.wire.exchange import Message
from tests.wire.seeds import GUILD, PEOPLE

pytestmark = pytest.mark.slow


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with open_town() as made:
        await made.wire.grant("operator", "administrator")
        yield made


def options(folder: Path) -> dict[str, str]:
    """The bot's environment: the small corpus, an operator, and no language model."""
    none = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", "CHAT_MODEL": ""}
    return none | {"CORPORA": f"{CORPUS}={small_corpus(folder)}", "OPERATOR_IDS": str(PEOPLE["operator"])}


async def begun(town: Town) -> Message:
    """A job, begun by the operator; its card once it has a bar."""
    untrained = await town.answer(f"{CORPUS} ask", lambda found: bool(found.buttons), question="Who?", user="operator")
    await town.presses(untrained, "Train it now", user="operator")
    return await on_card(town, "steps")


async def on_card(town: Town, words: str) -> Message:
    return await town.wire.until(lambda found: words in found.text, channel=town.place, timeout=PATIENCE)


async def test_finetune_is_registered_in_the_operators_servers_alone_and_taken_back(town: Town) -> None:
    async with town.bot(OPERATOR_GUILD_IDS=str(GUILD)):
        there = await town.wire.commands()
        assert [one["name"] for one in there[str(GUILD)]] == ["finetune"]
        assert there[str(GUILD)][0]["default_member_permissions"] == 0
        names = {one["name"] for one in there["0"]}
        assert "racing" in names
        assert "finetune" not in names
    async with town.bot(GUILD_IDS=str(GUILD)):
        there = await town.wire.commands()
        assert {"finetune", "racing", "translate"} <= {one["name"] for one in there[str(GUILD)]}
        assert there["0"] == []
    async with town.bot():
        there = await town.wire.commands()
        assert there[str(GUILD)] == []
        assert {"finetune", "racing"} <= {one["name"] for one in there["0"]}


async def test_a_young_card_is_edited_to_the_end_and_promotes_after_a_restart(town: Town, tmp_path: Path) -> None:
    env = options(tmp_path)
    async with town.bot(**env):
        running = await begun(town)
        done = await on_card(town, f"Training {CORPUS} · done")
        assert done.id == running.id
        assert [file["filename"] for file in done.attachments] == ["scores.png", "losses.png"]
    async with town.bot(**env):
        told = await town.presses(done, "Promote")
        assert told.text == "Only those who operate this bot can do that."
        promoted = await town.presses(done, "Promote", user="operator")
        assert f"answers **/{CORPUS} ask** from now on" in promoted.text
        answer = await town.answer(f"{CORPUS} ask", question="Which pod does Senn Kava fly?")
        assert answer.text.startswith("The Thunderbolt\n")


async def test_a_bot_that_is_killed_in_the_middle_of_training_finishes_the_same_card(
    town: Town, tmp_path: Path
) -> None:
    env = options(tmp_path)
    async with town.bot(**env) as process:
        running = await begun(town)
        process.kill()
        await process.wait()
    async with town.bot(**env):
        done = await on_card(town, f"Training {CORPUS} · done")
        assert done.id == running.id
    assert town.rows("SELECT count(*) FROM tuning_jobs") == [(1,)]
    (events,) = town.rows("SELECT count(*) = count(DISTINCT event_id) FROM tuning_events")
    assert events == (1,)


async def test_a_card_older_than_an_hour_is_posted_afresh(town: Town, tmp_path: Path) -> None:
    await town.wire.configure(old_edit_limit=True)
    async with town.bot(**options(tmp_path)):
        running = await begun(town)
        await town.wire.configure(clock_shift=3_700)
        done = await on_card(town, f"Training {CORPUS} · done")
        assert done.id != running.id


async def test_a_card_in_a_channel_that_is_closed_to_the_bot_lets_the_job_go_on(town: Town, tmp_path: Path) -> None:
    async with town.bot(**options(tmp_path)) as process:
        await begun(town)
        await town.wire.remove_channel(town.place)
        said = await town.wire.slash("finetune jobs", user="operator", channel="adventures")
        assert f"**{CORPUS}**" in (await said.answer(a_sentence)).text
        assert "Traceback" not in process.output


async def test_where_the_card_cannot_stand_nothing_is_started(town: Town, tmp_path: Path) -> None:
    async with town.bot(**options(tmp_path)):
        untrained = await town.answer(f"{CORPUS} ask", lambda found: bool(found.buttons), question="?", user="operator")
        await town.wire.permissions(town.place, deny=("send_messages",))
        told = await town.presses(untrained, "Train it now", user="operator")
        assert "The job's card cannot stand here." in told.text
        assert town.rows("SELECT state, training_file, channel_id FROM tuning_jobs") == [("cancelled", "", None)]
