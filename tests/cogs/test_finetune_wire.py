"""`/finetune` as only a real Discord has it: registered in some servers alone, killed half-way, with cards that age."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.harness import BotHarness, is_final, is_sentence, open_harness
from tests.cogs.operating import CORPUS, ROUNDS, TIMEOUT, small_corpus
from tests.tuning.harness import ENTRY
from tests.wire.exchange import Message
from tests.wire.seeds import GUILD, PEOPLE

# Epochs where it does not matter what the model learns.
FEW = 8


@pytest.fixture
async def harness() -> AsyncIterator[BotHarness]:
    async with open_harness() as made:
        await made.wire.grant("operator", "administrator")
        made.entry = ENTRY
        yield made


def options(folder: Path, *, rounds: int = FEW) -> dict[str, str]:
    """The bot's environment: the small corpus, an operator, no language model, and a training of `rounds` epochs."""
    given = {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", "CHAT_MODEL": "", "TEST_ROUNDS": str(rounds)}
    return given | {"CORPORA": f"{CORPUS}={small_corpus(folder)}", "OPERATOR_IDS": str(PEOPLE["operator"])}


async def begun(harness: BotHarness) -> Message:
    """A job, begun by the operator; its card once it has a bar."""
    untrained = await harness.answer(f"{CORPUS} ask", is_final, question="Who?", user="operator")
    await harness.press(untrained, "Train it now", user="operator")
    return await on_card(harness, "steps")


async def on_card(harness: BotHarness, words: str) -> Message:
    return await harness.wire.until(lambda found: words in found.text, channel=harness.place, timeout=TIMEOUT)


async def test_finetune_is_registered_in_the_operators_servers_alone_and_taken_back(harness: BotHarness) -> None:
    async with harness.bot(OPERATOR_GUILD_IDS=str(GUILD)):
        there = await harness.wire.commands()
        assert [one["name"] for one in there[str(GUILD)]] == ["finetune"]
        assert there[str(GUILD)][0]["default_member_permissions"] == "0"
        names = {one["name"] for one in there["0"]}
        assert "racing" in names
        assert "finetune" not in names
    async with harness.bot(GUILD_IDS=str(GUILD)):
        there = await harness.wire.commands()
        assert {"finetune", "racing", "translate"} <= {one["name"] for one in there[str(GUILD)]}
        assert there["0"] == []
    async with harness.bot():
        there = await harness.wire.commands()
        assert there[str(GUILD)] == []
        assert {"finetune", "racing"} <= {one["name"] for one in there["0"]}


async def test_a_young_card_is_edited_to_the_end_and_promotes_after_a_restart(
    harness: BotHarness, tmp_path: Path
) -> None:
    env = options(tmp_path, rounds=ROUNDS)
    async with harness.bot(env):
        running = await begun(harness)
        done = await on_card(harness, f"Training {CORPUS} · done")
        assert done.id == running.id
        assert [file["filename"] for file in done.attachments] == ["scores.png", "losses.png"]
    async with harness.bot(env):
        told = await harness.press(done, "Promote")
        assert told.text == "Only those who operate this bot can do that."
        promoted = await harness.press(done, "Promote", user="operator")
        assert f"answers **/{CORPUS} ask** from now on" in promoted.text
        answer = await harness.answer(f"{CORPUS} ask", question="Which pod does Senn Kava fly?")
        assert answer.text.startswith("The Thunderbolt\n")


async def test_a_bot_that_is_killed_in_the_middle_of_training_finishes_the_same_card(
    harness: BotHarness, tmp_path: Path
) -> None:
    env = options(tmp_path)
    async with harness.bot(env) as process:
        running = await begun(harness)
        process.kill()
        await process.wait()
    async with harness.bot(env):
        done = await on_card(harness, f"Training {CORPUS} · done")
        assert done.id == running.id
    assert harness.rows("SELECT count(*) FROM tuning_jobs") == [(1,)]
    (events,) = harness.rows("SELECT count(*) = count(DISTINCT event_id) FROM tuning_events")
    assert events == (1,)


async def test_a_card_older_than_an_hour_is_posted_afresh(harness: BotHarness, tmp_path: Path) -> None:
    await harness.wire.configure(old_edit_limit=True)
    async with harness.bot(options(tmp_path)):
        running = await begun(harness)
        await harness.wire.configure(clock_shift=3_700)
        done = await on_card(harness, f"Training {CORPUS} · done")
        assert done.id != running.id


async def test_a_card_in_a_channel_that_is_closed_to_the_bot_lets_the_job_go_on(
    harness: BotHarness, tmp_path: Path
) -> None:
    async with harness.bot(options(tmp_path)) as process:
        await begun(harness)
        await harness.wire.remove_channel(harness.place)
        said = await harness.wire.slash("finetune jobs", user="operator", channel="adventures")
        assert f"**{CORPUS}**" in (await said.answer(is_sentence)).text
        assert "Traceback" not in process.output


async def test_where_the_card_cannot_stand_nothing_is_started(harness: BotHarness, tmp_path: Path) -> None:
    async with harness.bot(options(tmp_path)):
        untrained = await harness.answer(f"{CORPUS} ask", is_final, question="?", user="operator")
        await harness.wire.permissions(harness.place, deny=("send_messages",))
        pressed = await harness.wire.press(untrained, "Train it now", user="operator")
        (told,) = await pressed.messages()
        assert "The job's card cannot be shown here." in told.text
        assert harness.rows("SELECT state, training_file, channel_id FROM tuning_jobs") == [("cancelled", "", None)]


async def test_a_confirmed_price_can_be_confirmed_again_where_the_card_could_not_stand(
    harness: BotHarness, tmp_path: Path
) -> None:
    async with harness.bot(options(tmp_path)):
        await (await harness.wire.slash("finetune prepare", corpus=CORPUS, user="operator", channel=harness.place))
        (dataset,) = await harness.wire.autocomplete("finetune start", "dataset", CORPUS, user="operator")
        asked = await harness.wire.slash(
            "finetune start", dataset=dataset["value"], user="operator", channel=harness.place
        )
        estimate = await asked.answer(lambda found: "Start: free" in found.buttons)
        await harness.wire.permissions(harness.place, deny=("send_messages",))
        pressed = await harness.wire.press(estimate, "Start: free", user="operator")
        assert "The job's card cannot be shown here." in (await pressed.messages())[-1].text
        await harness.wire.permissions(harness.place)
        await harness.wire.press(estimate, "Start: free", user="operator")
        await on_card(harness, "steps")


async def test_a_promoted_model_is_a_choice_under_prompts_and_a_row_of_compare_also_after_a_restart(
    harness: BotHarness, trained: Path
) -> None:
    question = "Which pod does Senn Kava fly?"
    env = {"CORPORA": f"{CORPUS}={trained / 'corpus'}", "OPERATOR_IDS": str(PEOPLE["operator"])}
    harness.model.says("The Falcon")
    async with harness.bot(env):
        assert await harness.wire.autocomplete("compare", "trick", CORPUS, text="x") == []
        untrained = await harness.notice("compare", trick=CORPUS, text=question)
        assert untrained.text.startswith(f"No model is trained for {CORPUS} yet.")
        card = await harness.press(await harness.answer("translate", text="x", to="Greek"), "Prompt")
        assert card.buttons == ["0", "1", "3", "All", "Export"]
    shutil.copytree(trained / "data", harness.folder, dirs_exist_ok=True)
    async with harness.bot(env):
        assert [one["value"] for one in await harness.wire.autocomplete("compare", "trick", CORPUS, text="x")] == [
            CORPUS
        ]
        compared = await harness.answer("compare", trick=CORPUS, text=question)
        assert f"{CORPUS}, compared" in compared.text
        assert re.search(r"\*\*no example\*\* · zero-shot\nThe Falcon\n", compared.text)
        assert re.search(r"\*\*the tuned model\*\* · zero-shot\nThe Thunderbolt\n-# ft:pocket-gpt", compared.text)
        card = await harness.press(compared, "Prompt: no example")
        assert card.buttons == ["0", "1", "3", "All", "Tuned", "Export"]
        again = await (await harness.wire.press(card, "Tuned")).answer(lambda found: "Thunderbolt" in found.text)
        assert again.buttons == ["0", "1", "3", "All", "Tuned", "Export"]
        card = await harness.press(await harness.answer("translate", text="x", to="Greek"), "Prompt")
        assert "Tuned" not in card.buttons
    async with harness.bot(env):
        again = await (await harness.wire.press(again, "0")).answer(lambda found: "The Falcon" in found.text)
        again = await (await harness.wire.press(again, "Tuned")).answer(lambda found: "Thunderbolt" in found.text)
        assert "Tuned" in again.buttons
