"""`/finetune` for those who operate the bot: prepare, review, estimate, and nobody else."""

from pathlib import Path

import pytest
import simcord
from discord import app_commands

from tests.cogs.operating import CORPUS, season
from tests.racing.season import rows
from tests.simulated import Simulated

COMMANDS = {
    "prepare": {"corpus": CORPUS},
    "review": {"dataset": "abcd"},
    "estimate": {"dataset": "abcd"},
    "start": {"dataset": "abcd"},
    "jobs": {},
    "job": {"id": "abcd"},
    "cancel": {"id": "abcd"},
    "corrections": {"corpus": CORPUS},
    "models": {},
    "promote": {"model": "abcd"},
    "rollback": {"corpus": CORPUS},
}
REFUSED = "Only those who operate this bot can do that."


def said(sim: Simulated, result: simcord.InteractionResult) -> str:
    """All that an action led to, in one text."""
    answers = [*([result.response] if result.response else []), *result.followups]
    return "\n".join(sim.text(answer) for answer in answers)


async def prepared(sim: Simulated, corpus: str = "racing") -> simcord.ResponseMessage:
    """What ships with a corpus; the racing season has a draft beside it."""
    result = await sim.admin.slash(sim.general, "finetune prepare", corpus=corpus)
    assert result.response is not None
    return result.response


async def first_review(sim: Simulated) -> simcord.ResponseMessage:
    card = await prepared(sim)
    (label,) = [label for label in sim.buttons(card) if label.startswith("Review ")]
    result = await sim.admin.click(card, label=label)
    assert result.response is not None
    return result.response


async def test_every_command_is_tested_to_be_the_operators_own(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        group = sim.bot.tree.get_command("finetune")
        assert isinstance(group, app_commands.Group)
        assert {command.name for command in group.commands} == COMMANDS.keys()
        assert group.guild_only


async def test_who_does_not_operate_the_bot_is_refused_by_id(tmp_path: Path) -> None:
    """An admin sees every command in Discord, and the bot refuses all the same."""
    async with season(tmp_path, operator_ids=frozenset()) as sim:
        for command, options in COMMANDS.items():
            result = await sim.admin.slash(sim.general, f"finetune {command}", **options)
            assert said(sim, result) == REFUSED, command
            with pytest.raises(simcord.SetupError, match="not visible"):
                await sim.member.slash(sim.general, f"finetune {command}", **options)
        assert await sim.admin.autocomplete(sim.general, "finetune prepare", "corpus", "") == []


async def test_prepare_shows_the_datasets_and_sends_the_checkers_reports_as_files(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        card = await prepared(sim)
        assert card.ephemeral
        text = sim.text(card)
        assert "**racing, prepared** · 1,545 pairs" in text
        assert "✅ The checker finds nothing." in text
        assert "**racing, prepared draft** · 43 pairs" in text
        reports = [(await file.read()).decode() for file in card.message.attachments]
        assert reports[0].startswith("racing, prepared: 1,545 rows, nothing found.")
        assert "line 8" in reports[1].lower()
        again = await prepared(sim)
        assert "It was made before" in sim.text(again)
        assert not sim.errors


async def test_a_corpus_without_a_dataset_needs_a_model_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "faq"
    folder.mkdir()
    (folder / "faq.txt").write_text("The paddock opens at nine.\n")
    async with season(tmp_path / "bot", corpora={"faq": folder}) as sim:
        result = await sim.admin.slash(sim.general, "finetune prepare", corpus="faq")
        assert "none is connected" in said(sim, result)
        unknown = await sim.admin.slash(sim.general, "finetune prepare", corpus="../etc")
        assert "There is no corpus ../etc" in said(sim, unknown)


async def test_review_shows_claim_flag_and_source_with_the_quote_marked(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        card = await first_review(sim)
        text = sim.text(card)
        draft = rows("draft.jsonl")
        (row,) = [row for row in draft if f"**{row['prompt']}**\n{row['completion']}" in text]
        assert "⚠️ Line " in text
        assert f"**__{row['quote']}__**" in text or "*No such sentence:*" in text
        assert sim.buttons(card) == ["Keep", "Edit", "Drop"]
        assert "· 1/" in text


async def test_a_review_is_taken_up_where_it_was_left_and_ends_with_what_was_decided(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        card = await first_review(sim)
        dataset = (await sim.admin.autocomplete(sim.general, "finetune review", "dataset", "draft"))[0]["value"]
        flagged = len(await sim.services.tuning.datasets.flagged(dataset))
        assert flagged > 2
        dropped = await sim.admin.click(card, label="Drop")
        assert f"· 2/{flagged}" in said(sim, dropped)
        taken_up = await sim.admin.slash(sim.general, "finetune review", dataset=dataset)
        assert f"· 2/{flagged}" in sim.text(taken_up.response)
        window = await sim.admin.click(taken_up.response, label="Edit")
        await sim.admin.submit_modal(window, {"question": "Who won race 1?", "answer": "Senn Kava"})
        for _ in range(flagged - 2):
            now = await sim.admin.slash(sim.general, "finetune review", dataset=dataset)
            await sim.admin.click(now.response, label="Keep")
        done = await sim.admin.slash(sim.general, "finetune review", dataset=dataset)
        assert f"{flagged - 2} kept, 1 edited, 1 dropped" in sim.text(done.response)
        pairs = await sim.services.tuning.datasets.pairs(dataset)
        assert [(pair.answer, pair.decision) for pair in pairs if pair.question == "Who won race 1?"] == [
            ("Senn Kava", "edited")
        ]
        assert not sim.errors


async def test_the_buttons_of_a_review_are_the_operators_too(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        card = await first_review(sim)
        for label in ("Keep", "Edit", "Drop"):
            with pytest.raises(simcord.SetupError):  # the card is the operator's alone
                await sim.member.click(card, label=label)
        again = await first_review(sim)
        assert sim.text(again) == sim.text(card)


async def test_an_estimate_has_every_known_model_with_prices_dates_and_warnings(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        await prepared(sim, CORPUS)
        offered = await sim.admin.autocomplete(sim.general, "finetune estimate", "dataset", CORPUS)
        result = await sim.admin.slash(sim.general, "finetune estimate", dataset=offered[0]["value"])
        text = sim.text(result.response)
        assert text.index("➜ **pocket-gpt** · The local engine\nfree") < text.index("**gpt-4o-mini-2024-07-18**")
        assert "usable until 2027-01-14" in text
        assert "⚠️ OpenAI creates no jobs any more" in text
        assert "price not known" in text
        assert sim.buttons(result.response) == []


async def test_ids_that_are_not_there_are_told_in_a_sentence(tmp_path: Path) -> None:
    async with season(tmp_path) as sim:
        sentences = {
            "review": "There is no dataset abcd.",
            "estimate": "There is no dataset abcd.",
            "start": "There is no dataset abcd.",
            "job": "There is no job abcd; /finetune jobs",
            "cancel": "There is no job abcd; /finetune jobs",
            "promote": "There is no tuned model abcd; /finetune models",
            "rollback": f"There is no model before the active one of {CORPUS} to go back to.",
        }
        for command, sentence in sentences.items():
            result = await sim.admin.slash(sim.general, f"finetune {command}", **COMMANDS[command])
            assert sentence in said(sim, result)
        for command in ("jobs", "models"):
            result = await sim.admin.slash(sim.general, f"finetune {command}")
            assert "There is none yet" in said(sim, result)
