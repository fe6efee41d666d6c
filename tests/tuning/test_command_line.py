"""The whole way on the command line, with the real engine and the real pocket GPT, no key and no network."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fake_model import FakeModel
from tests.local_engine import engine_in
from tests.tuning.test_generating import QUOTE, answering, fact, writes


@pytest.fixture
def bakers(environment: dict[str, str], corpus: Path) -> Path:
    environment["CORPORA"] = f"bakers={corpus}"
    return corpus


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[None]:
    """The engine of the commands' data folder, which would be started for each of them without it."""
    async with engine_in(tmp_path / "data"):
        yield


@pytest.mark.usefixtures("bakers", "engine")
async def test_from_a_folder_to_an_answer(fewshot: Run) -> None:
    built = await fewshot("dataset", "build", "bakers")
    assert built.code == 0
    assert "50 rows" in built.out
    priced = await fewshot("tune", "estimate", "bakers")
    assert "pocket-gpt" in priced.out
    assert "free" in priced.out
    started = await fewshot("tune", "start", "bakers")
    assert started.code == 0, started.err
    assert "held-out" in started.out
    assert len(re.findall(r"^    step \d+: .", started.out, re.MULTILINE)) >= 3
    name = re.search(r"ft:pocket-gpt:local:\S+", started.out)
    assert name is not None
    model = name[0]
    assert (await fewshot("tune", "follow")).code == 0
    promoted = await fewshot("tune", "promote", model)
    assert promoted.out == f"{model} answers now.\n"
    answer = await fewshot("tune", "ask", "bakers", "Name the bread of baker 7.")
    assert answer.out.splitlines()[0] == "bread7"
    assert "bakers.txt, line 1" in answer.err
    assert "answers now" in (await fewshot("tune", "list")).out
    assert "train" in (await fewshot("tune", "score", model)).out


@pytest.mark.usefixtures("bakers", "engine")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tune", "start", "nothing"), "There is no corpus nothing"),
        (("tune", "start", "bakers", "--dataset", "zzz"), "There is no dataset zzz"),
        (("tune", "ask", "bakers", "Who?"), "No model is trained for bakers yet"),
        (("tune", "rollback", "bakers"), "no model before"),
        (("tune", "promote", "ft:none"), "There is no tuned model ft:none"),
        (("tune", "score", "ft:none"), "There is no tuned model ft:none"),
        (("tune", "cancel", "none"), "There is no job none"),
        (("tune", "follow"), "There are no jobs yet"),
        (("dataset", "show", "none"), "There is no dataset none"),
        (("dataset", "check", "none.jsonl"), "none.jsonl cannot be read"),
        (("lesson", "none"), "There is no lesson none"),
    ],
)
async def test_what_is_not_there_is_one_sentence(
    fewshot: Run,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    done = await fewshot(*arguments)
    assert done.code == 1
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1


async def test_a_checked_file_is_never_changed_and_the_mended_one_stands_beside_it(
    fewshot: Run,
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.jsonl"
    text = '{"prompt": "Who?\\n\\n###\\n\\n", "completion": " Me END"}\n{"prompt": "Who?", "completion": "Me"}\n'
    file.write_text(text, encoding="utf-8")
    done = await fewshot("dataset", "check", str(file), "--fix")
    assert done.code == 1
    assert "duplicate (1)" in done.out
    assert file.read_text(encoding="utf-8") == text
    assert (tmp_path / "mine_prepared.jsonl").read_text(encoding="utf-8").count("\n") == 1
    again = await fewshot("dataset", "check", str(file), "--fix")
    assert "mine_prepared_2.jsonl" in again.out


async def test_the_lessons_are_listed(fewshot: Run) -> None:
    listed = await fewshot("lesson")
    assert [line.split()[0] for line in listed.out.splitlines()] == [
        "no-refusals",
        "one-wording",
        "no-replay",
        "quarter",
    ]


@pytest.mark.usefixtures("bakers", "engine")
async def test_a_dataset_is_written_and_shown(fewshot: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    await fewshot("dataset", "build", "bakers", "--out", str(out))
    assert out.read_text(encoding="utf-8").count("\n") == 50
    shown = await fewshot("dataset", "show", str(out), "--most", "2")
    assert "→ bread0" in shown.out
    assert "… and 48 more" in shown.out


async def test_a_written_dataset_leaves_out_what_is_flagged(
    fewshot: Run, environment: dict[str, str], corpus: Path, tmp_path: Path, model: FakeModel
) -> None:
    (corpus / "questions.jsonl").unlink()
    environment |= {"CORPORA": f"bakers={corpus}", "OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token}
    environment |= {"CHAT_MODEL": "fake-model"}
    good = fact("bread3", QUOTE, "What does baker 3 bake?", "baker 3, bread?")
    invented = fact("Remy Thal", QUOTE, "Who won?")
    model.says(answering(writes([good, invented])))
    out = tmp_path / "out.jsonl"
    built = await fewshot("dataset", "build", "bakers", "--out", str(out))
    assert built.code == 0, built.err
    assert "1 rows are left out until a person has looked at them" in built.out
    assert "3 rows written to" in built.out
    text = out.read_text(encoding="utf-8")
    assert text.count("\n") == 3
    assert "Remy Thal" not in text
