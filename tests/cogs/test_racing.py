"""The group of a corpus: asking its tuned model, where the answer may be from, comparing, and the model itself."""

from pathlib import Path
from typing import Any

import pytest
import simcord

from bot.tuning.scoring import CORRECTED
from cogs.corpus.standings import table
from tests.cogs.operating import CORPUS, season
from tests.racing.season import RACES, STANDINGS
from tests.simulated import Simulated

ASK, QUESTION = f"{CORPUS} ask", "Which pod does Senn Kava fly?"


async def asked(sim: Simulated, text: str = QUESTION) -> simcord.ResponseMessage:
    result = await sim.member.slash(sim.general, ASK, question=text)
    assert result.response is not None
    return result.response


async def test_without_a_model_people_are_told_who_can_train_one(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        told = await asked(sim)
        assert f"No model is trained for {CORPUS} yet" in sim.text(told)
        assert "operator can train one" in sim.text(told)
        assert sim.buttons(told) == []
        offered = await sim.admin.slash(sim.general, ASK, question=QUESTION)
        assert sim.buttons(offered.response) == ["Train it now"]
        for command, given in ((f"{CORPUS} compare", {"question": QUESTION}), (f"{CORPUS} model", {})):
            result = await sim.member.slash(sim.general, command, **given)
            assert f"No model is trained for {CORPUS} yet" in sim.text(result.response)
            assert sim.buttons(result.response) == []
            offered = await sim.admin.slash(sim.general, command, **given)
            assert sim.buttons(offered.response) == ["Train it now"]


async def test_the_tuned_model_answers_in_public_and_is_named(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        answer = await asked(sim)
        assert answer.content.startswith("The Thunderbolt\n-# Pocket GPT · trained here in ")
        assert answer.content.endswith(f" s · knows only {CORPUS}")
        assert not answer.ephemeral
        assert {"Prompt", "Where from?"} <= set(sim.buttons(answer))
        refused = await asked(sim, "What is the capital of France?")
        assert "I don't have this" in refused.content
        assert not sim.errors


async def test_where_from_shows_similar_rows_with_quote_file_and_line(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        answer = await asked(sim)
        pressed = await sim.other.click(answer, label="Where from?")
        rows = sim.text(pressed.response)
        assert "Similar rows" in rows
        assert "> Senn Kava finished the season first in The Thunderbolt and won the cup." in rows
        assert "league.txt, line 5" in rows
        assert "that does not mean that the answer comes from them" in rows
        assert pressed.response is not None
        assert pressed.response.ephemeral


async def test_the_prompt_of_a_tuned_answer_is_the_rendering_that_trained_it(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        pressed = await sim.member.click(await asked(sim), label="Prompt")
        card = sim.text(pressed.response)
        assert f"You answer questions from the records of {CORPUS}" in card
        assert QUESTION in card
        assert "temperature 0" in card


async def test_the_ladder_of_a_tuned_answer_asks_the_tuned_model_again(tmp_path: Path, trained: Path) -> None:
    """Its provider is another than the chat model's, which would not know it."""
    async with season(tmp_path, trained=trained, model=True) as sim:
        pressed = await sim.member.click(await asked(sim), label="Prompt")
        again = await sim.member.click(pressed.response, label="0")
        assert "The Thunderbolt" in sim.text(again.response)
        assert sim.model.calls == []


async def test_a_model_that_its_provider_deleted_is_said_to_be_gone(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        model = await sim.services.tuning.models.active(CORPUS)
        assert model is not None
        provider = await sim.services.tuning.providers.get("engine")
        await provider._client.models.delete(model.name)
        result = await sim.member.slash(sim.general, ASK, question=QUESTION)
        said = " ".join([*(sim.text(each) for each in result.followups)])
        assert "is not there any more" in said
        assert "/finetune rollback" in said


async def test_comparing_shows_three_ways_with_tokens_prices_and_prompts(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained, model=True) as sim:

        def answer(body: dict[str, Any]) -> str:
            return "The Thunderbolt" if "<facts>" in body["messages"][0]["content"] else "The Falcon"

        sim.model.says(answer)
        result = await sim.member.slash(sim.general, f"{CORPUS} compare", question=QUESTION)
        card = sim.text(result.response)
        assert "1 · Base model**\nThe Falcon\n-# fake-model · " in card
        assert "2 · Base model with the facts in its prompt**\nThe Thunderbolt\n-# fake-model · " in card
        assert "3 · Tuned model**\nThe Thunderbolt\n-# Pocket GPT · " in card
        assert card.count(" tokens in") == 3
        assert "It is not known whether training pays off: a price is missing." in card
        assert sim.buttons(result.response) == ["Prompt 1", "Prompt 2", "Prompt 3"]
        pressed = await sim.member.click(result.response, label="Prompt 2")
        assert "Senn Kava finished the season first in The Thunderbolt" in sim.text(pressed.response)


async def test_the_base_models_prompt_offers_the_promoted_model_and_asks_it(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained, model=True) as sim:
        sim.model.says("The Falcon")
        result = await sim.member.slash(sim.general, f"{CORPUS} compare", question=QUESTION)
        pressed = await sim.member.click(result.response, label="Prompt 1")
        asked = len(sim.model.calls)
        again = await sim.member.click(pressed.response, label="Tuned")
        assert "The Thunderbolt" in sim.text(again.response)
        assert len(sim.model.calls) == asked
        other = await sim.member.slash(sim.general, "translate", text="Good morning")
        prompt = await sim.member.click(other.response, label="Prompt")
        assert "Tuned" not in sim.buttons(prompt.response)


async def test_comparing_without_a_model_says_so_of_each_way(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        result = await sim.member.slash(sim.general, f"{CORPUS} compare", question=QUESTION)
        card = sim.text(result.response)
        assert "1 · Base model**\nNo language model is connected" in card
        assert "3 · Tuned model**\nThe Thunderbolt\n-# Pocket GPT · " in card
        assert "The whole corpus fits into the prompt." in card


async def test_model_tells_descent_dataset_scores_and_dates(tmp_path: Path, trained: Path) -> None:
    async with season(tmp_path, trained=trained) as sim:
        result = await sim.member.slash(sim.general, f"{CORPUS} model")
        card = sim.text(result.response)
        for said in (
            "**Lineage** pocket-gpt, tuned at the local engine\n",
            "→ `ft:pocket-gpt:local:",
            "rows trained",
            "held-out wordings",
            "scored <t:",
        ):
            assert said in card
        assert result.response is not None
        (picture,) = result.response.message.attachments
        assert (await picture.read()).startswith(b"\x89PNG")


def test_the_standings_are_those_of_the_season() -> None:
    heads, rows = table()
    assert heads[3:] == [race.split()[0] for race in RACES]
    told = {row[1]: (row[2], tuple(map(int, row[3:])), int(row[0])) for row in rows}
    assert told == STANDINGS


async def test_standings_are_racings_own_and_a_picture(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        result = await sim.member.slash(sim.general, "racing standings")
        assert "**Senn Kava** won the cup in The Thunderbolt" in sim.text(result.response)
        assert result.response is not None
        (picture,) = result.response.message.attachments
        assert (await picture.read()).startswith(b"\x89PNG")
        with pytest.raises(simcord.SetupError):
            await sim.member.slash(sim.general, f"{CORPUS} standings")


@pytest.mark.parametrize("text", [" ", "\n"])
async def test_an_empty_question_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    async with season(tmp_path) as sim:
        for command in ("ask", "compare"):
            result = await sim.member.slash(sim.general, f"{CORPUS} {command}", question=text)
            assert sim.text(result.response) == "There is nothing to answer: the question is empty."


async def test_a_confirmed_correction_is_a_question_of_the_next_scorecard_and_is_never_trained(
    tmp_path: Path, trained: Path
) -> None:
    async with season(tmp_path, trained=trained) as sim:
        tuning = sim.services.tuning
        answer = await asked(sim)
        stranger = await sim.other.click(answer, label="Wrong?")
        assert "Only the one who asked" in sim.text(stranger.response)

        async def correct(text: str) -> str:
            window = await sim.member.click(answer, label="Wrong?")
            return sim.text((await sim.member.submit_modal(window, {"correction": text})).response)

        assert "That is what the model answered." in await correct("the  thunderbolt.")
        assert (await correct("The Comet")).startswith("Thank you.")
        assert "You have corrected this answer already" in await correct("The Falcon")
        refused = await sim.member.click(await asked(sim, "What is the capital of France?"), label="Wrong?")
        await sim.member.submit_modal(refused, {"correction": "Paris"})

        queue = await sim.admin.slash(sim.general, "finetune corrections", corpus=CORPUS)
        assert "2 to decide" in sim.text(queue.response)
        assert QUESTION in sim.text(queue.response)
        edit = await sim.admin.click(queue.response, label="Edit")
        await sim.admin.submit_modal(edit, {"correction": "The Thunderbolt"})
        queue = await sim.admin.slash(sim.general, "finetune corrections", corpus=CORPUS)
        assert "1 to decide" in sim.text(queue.response)
        assert "Paris" in sim.text(queue.response)
        await sim.admin.click(queue.response, label="Reject")
        queue = await sim.admin.slash(sim.general, "finetune corrections", corpus=CORPUS)
        assert "There is none to decide." in sim.text(queue.response)

        model = await tuning.models.active(CORPUS)
        assert model is not None
        card = await tuning.models.score(model.name, 1)
        mark = card.mark(CORRECTED)
        assert mark is not None
        assert (mark.right, mark.total) == (1, 1)
        about = await sim.member.slash(sim.general, f"{CORPUS} model")
        assert "answers that people corrected: 1 of 1 right" in sim.text(about.response)
        for dataset in await tuning.datasets.of(CORPUS):
            answers = {pair.answer for pair in await tuning.datasets.pairs(dataset.id)}
            assert not answers & {"The Comet", "Paris", "The Falcon"}
        assert not sim.errors
