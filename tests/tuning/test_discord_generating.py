"""`/finetune prepare` over folders and with models as nobody would wish for them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cogs.operating import card
from tests.fake_model import FakeModel
from tests.simulated import Simulated
from tests.tuning.fake_provider import FakeProvider
from tests.tuning.simulated_tuning import said, simulated_tuning

GREEK = "Ο Νίκος ψήνει ψωμί κάθε πρωί. Η Ελένη πουλάει τυρί στην αγορά."
JAPANESE = "ケンさんは毎朝パンを焼く。ユキさんは市場でチーズを売る。"


def fact(answer: str, quote: str, *questions: str) -> dict[str, Any]:
    return {"answer": answer, "quote": quote, "questions": list(questions)}


def writes(*facts: dict[str, Any]) -> str:
    return json.dumps({"facts": list(facts), "unanswerable": []}, ensure_ascii=False)


def answering(texts: dict[str, str]) -> Any:
    """A model that writes what stands beside the first word that its prompt holds, and supports every claim."""

    def say(body: dict[str, Any]) -> str:
        asked = str(body["messages"][-1]["content"])
        if "The claims:" in asked:
            return '{"verdicts": []}'
        return next(text for word, text in texts.items() if word in json.dumps(body["messages"], ensure_ascii=False))

    return say


def folders(tmp_path: Path, texts: dict[str, str]) -> dict[str, Path]:
    """A corpus of one text for each name; an empty text leaves the folder empty."""
    made = {}
    for name, text in texts.items():
        made[name] = tmp_path / "corpora" / name
        made[name].mkdir(parents=True)
        if text:
            (made[name] / "text.txt").write_text(text, encoding="utf-8")
    return made


async def prepared(sim: Simulated, corpus: str) -> str:
    return said(sim, await sim.admin.slash(sim.general, "finetune prepare", corpus=corpus))


async def test_folders_without_texts_and_files_that_are_none_are_named(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    corpora = folders(tmp_path, {"empty": "", "mixed": "Baker 3 bakes bread3 every day."})
    (corpora["mixed"] / "scan.pdf").write_bytes(b"%PDF-1.7 \xff")
    (corpora["mixed"] / "latin.txt").write_bytes("Größe".encode("latin-1"))
    async with simulated_tuning(tmp_path, corpus, provider, corpora=corpora) as sim:
        told = writes(fact("bread3", "Baker 3 bakes bread3 every day.", "What does baker 3 bake?"))
        sim.model.says(answering({"bakes": told}))
        assert "The folder of the corpus empty contains no .txt or .md file." in await prepared(sim, "empty")
        assert "There is no corpus ../mixed; there are: racing, empty, mixed." in await prepared(sim, "../mixed")
        text = await prepared(sim, "mixed")
        assert "Prepared · mixed" in text
        assert "⚠️ Skipped, because it is not text in UTF-8: scan.pdf, latin.txt" in text


async def test_a_model_that_writes_prose_or_nothing_or_the_same_for_ever_is_told_of(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    corpora = folders(tmp_path, {"prose": "Prosaic.", "silent": "Silent.", "parrot": "Polly bakes bread. Parrots."})
    async with simulated_tuning(tmp_path, corpus, provider, corpora=corpora) as sim:
        same = fact("bread", "Polly bakes bread.", *["What does Polly bake?"] * 20)
        replies = {"Prosaic.": "Here are some lovely questions!", "Silent.": "", "Parrots.": writes(*[same] * 20)}
        sim.model.says(answering(replies))
        for name in ("prose", "silent"):
            assert "The model wrote no question that can be used. text.txt: " in await prepared(sim, name)
        assert "· 1 pair\n" in await prepared(sim, "parrot")


async def test_what_the_model_left_out_is_asked_again_by_a_button_and_nothing_else_is(
    tmp_path: Path, corpus: Path, provider: FakeProvider
) -> None:
    corpora = folders(tmp_path, {"mixed": "Good bread."})
    (corpora["mixed"] / "odd.txt").write_text("Odd things.", encoding="utf-8")
    good = writes(fact("bread", "Good bread.", "Good what?", "What is good?", "Name the good."))
    odd = writes(fact("things", "Odd things.", "Odd what?", "What is odd?", "Name the odd."))
    async with simulated_tuning(tmp_path, corpus, provider, corpora=corpora) as sim:
        sim.model.fails(400, times=2)
        down = await sim.admin.slash(sim.general, "finetune prepare", corpus="mixed")
        assert "The model wrote no question that can be used." in said(sim, down)
        sim.model.says(answering({"Good": good, "Odd": "Lovely questions!"}))
        half = await sim.admin.click(down.response, label="Try again")
        assert "Prepared · mixed" in said(sim, half)
        assert "· 3 pairs" in said(sim, half)
        assert "⚠️ odd.txt: " in said(sim, half)
        known = await sim.admin.slash(sim.general, "finetune prepare", corpus="mixed")
        assert "⚠️ odd.txt: " in said(sim, known)
        sim.model.says(answering({"Odd": odd}))
        sim.model.calls.clear()
        whole = await sim.admin.click(known.response, label="Try again")
        assert "· 6 pairs" in said(sim, whole)
        assert "⚠️ odd.txt" not in said(sim, whole)
        assert "Try again" not in sim.buttons(whole.response)
        assert len(sim.model.requests) == 2
        assert not sim.errors


async def test_texts_in_greek_and_japanese_are_asked_about_trained_and_answered_from(
    tmp_path: Path, corpus: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cogs.finetune.job_cards.UPDATE_INTERVAL", 0.3)
    corpora = folders(tmp_path, {"hellas": GREEK, "nihon": JAPANESE})
    greek = [
        fact("ψωμί", "Ο Νίκος ψήνει ψωμί κάθε πρωί.", "Τι ψήνει ο Νίκος;", "Νίκος, τι ψήνει;", "Πες μου τι ψήνει."),
        fact("τυρί", "Η Ελένη πουλάει τυρί στην αγορά.", "Τι πουλάει η Ελένη;", "Ελένη, τι;", "Το προϊόν της Ελένης;"),
    ]
    japanese = [
        fact(
            "パン",
            "ケンさんは毎朝パンを焼く。",
            *(f"ケンさんは何を焼く{end}" for end in ("か", "の？", "のですか", "？")),
        ),
        fact(
            "チーズ",
            "ユキさんは市場でチーズを売る。",
            *(f"ユキさんは何を売る{end}" for end in ("か", "の？", "のですか")),
        ),
    ]
    odd = {"unanswerable": [f"ケンさんは{number}歳？" for number in range(8)]}
    async with simulated_tuning(tmp_path, corpus, provider, corpora=corpora) as sim:
        replies = {"Νίκος": writes(*greek), "ケン": json.dumps({"facts": japanese, **odd}, ensure_ascii=False)}
        sim.model.says(answering(replies))
        for name, pairs in (("hellas", 6), ("nihon", 15)):
            text = await prepared(sim, name)
            assert f"· {pairs} pairs" in text
            (dataset,) = await sim.services.tuning.datasets.of(name)
            assert await sim.services.tuning.datasets.flagged(dataset.id) == [], text
        result = await sim.admin.slash(sim.general, "finetune start", dataset=dataset.id)
        await sim.admin.click(result.response, label="Start: price not known")
        done = await card(sim, "· done")
        await sim.admin.click(done, label="Promote")
        taught = next(pair for pair in await sim.services.tuning.datasets.pairs(dataset.id) if pair.role == "train")
        answer = await sim.member.slash(sim.general, "nihon ask", question=taught.question)
        assert sim.text(answer.response).startswith(f"{taught.answer}\n")
        rows = await sim.member.click(answer.response, label="Where from?")
        assert taught.quote in sim.text(rows.response)


@pytest.mark.slow
async def test_five_megabytes_in_one_paragraph_become_a_dataset(
    environment: dict[str, str], fewshot: Run, tmp_path: Path, model: FakeModel
) -> None:
    folder = tmp_path / "wide"
    folder.mkdir()
    told = " ".join(f"Baker B{number} bakes bread B{number}x at dawn." for number in range(125_000))
    assert len(told) > 5_000_000
    (folder / "wide.txt").write_text(told, encoding="utf-8")
    environment |= {
        "CORPORA": f"wide={folder}",
        "OPENAI_BASE_URL": model.url,
        "OPENAI_API_KEY": model.token,
        "CHAT_MODEL": "fake-model",
        **dict.fromkeys(("DAILY_TOKENS_PER_USER", "DAILY_TOKENS_PER_GUILD", "DAILY_TOKENS"), "1000000000"),
    }

    def say(body: dict[str, Any]) -> str:
        asked = str(body["messages"][-1]["content"])
        if "The claims:" in asked:
            return '{"verdicts": []}'
        quote = "Baker B" + asked.split(" Baker B", 2)[1].strip()
        name = quote.split()[1]
        return writes(fact(f"bread {name}x", quote, f"What does {name} bake?", f"{name}, which bread?", f"{name}?"))

    model.says(say)
    done = await fewshot("dataset", "build", "wide")
    assert done.code == 0, done.err
    questions = [body for body in model.requests if "The claims:" not in body["messages"][-1]["content"]]
    assert len(questions) >= 5_000_000 // 6_000
    assert f"{3 * len(questions)} rows" in done.out
    assert "left out until" not in done.out
