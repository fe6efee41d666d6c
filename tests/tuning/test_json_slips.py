r"""`dataset build` makes the rows of replies whose JSON has slips, and `\sigma` and `\frac` keep their backslash."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.fake_model import FakeModel
from tests.tuning.test_generating import answering

TEXT = r"The speed is $v = \frac{d}{t}$ here. The stress is \sigma in all books. Baker 3 bakes bread3 every day."
QUESTIONS = ["What is the stress?", "which letter for stress?", "Name the stress."]


def reply(answer: str = "bread3", quote: str = "Baker 3 bakes bread3 every day.") -> str:
    fact = {"fact": "f", "answer": answer, "quote": quote, "questions": QUESTIONS}
    return json.dumps({"facts": [fact], "unanswerable": ["Why?"]}, ensure_ascii=False)


def one_backslash(text: str) -> str:
    """JSON as a model writes it that forgets to escape backslashes."""
    return text.replace("\\\\", "\\")


SIGMA = reply(r"\sigma", r"The stress is \sigma in all books.")
FRAC = reply(r"$v = \frac{d}{t}$", r"The speed is $v = \frac{d}{t}$ here.")
SLIPS: dict[str, tuple[str, str]] = {
    # The inputs of public reports.
    "braces before": (f"I followed the form {{facts, unanswerable}} as asked:\n{reply()}", "bread3"),
    "trailing commas": (reply().replace('Name the stress."]', 'Name the stress.",],'), "bread3"),
    "single quotes": (str(json.loads(reply())), "bread3"),
    "sigma": (one_backslash(SIGMA), r"\sigma"),
    "line break in a text": (reply().replace("which letter for stress?", "which letter\nfor stress?"), "bread3"),
    "comment": (reply().replace('"unanswerable"', '// and these it does not answer\n"unanswerable"'), "bread3"),
    "frac": (one_backslash(FRAC), r"$v = \frac{d}{t}$"),
    # More of the kind.
    "frac, escaped": (FRAC, r"$v = \frac{d}{t}$"),
    "fence, words and a comma": (f"Sure:\n```json\n{reply()[:-1]},}}\n```\nDone.", "bread3"),
    "block comment": (reply().replace('"facts"', '/* the facts */ "facts"'), "bread3"),
    "keys without quotes": (reply().replace('"facts"', "facts").replace('"unanswerable"', "unanswerable"), "bread3"),
    "Python's None": (reply()[:-1] + ', "note": None}', "bread3"),
    "tab in a text": (reply().replace("which letter for", "which letter\tfor"), "bread3"),
    "beta": (
        one_backslash(reply(r"\sigma", r"The stress is \sigma in all books.").replace("Why?", r"\\beta?")),
        r"\sigma",
    ),
}


@pytest.mark.parametrize(("said", "answer"), SLIPS.values(), ids=SLIPS)
async def test_what_is_plainly_meant_becomes_rows(
    fewshot: Run, environment: dict[str, str], tmp_path: Path, model: FakeModel, said: str, answer: str
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "bakers.txt").write_text(TEXT, encoding="utf-8")
    environment |= {"CORPORA": f"bakers={folder}", "OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token}
    environment |= {"CHAT_MODEL": "fake-model"}
    model.says(answering(said))
    out = tmp_path / "out.jsonl"
    built = await fewshot("dataset", "build", "bakers", "--out", str(out))
    assert built.code == 0, built.err
    assert "could not be used" not in built.err
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    answers = {row["messages"][-1]["content"] for row in rows if row["kind"] == "answerable"}
    assert answers == {answer}, built.out
    assert "which letter for stress?" in {row["messages"][0]["content"] for row in rows}
    text = "".join(message["content"] for row in rows for message in row["messages"])
    assert not {"\f", "\b"} & set(text)


@pytest.mark.parametrize("cut", [reply()[:-2], reply()[: len(reply()) // 2]])
async def test_a_reply_that_is_cut_off_is_refused(
    fewshot: Run, environment: dict[str, str], tmp_path: Path, model: FakeModel, cut: str
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "bakers.txt").write_text(TEXT, encoding="utf-8")
    environment |= {"CORPORA": f"bakers={folder}", "OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token}
    environment |= {"CHAT_MODEL": "fake-model"}
    model.says(answering(cut))
    built = await fewshot("dataset", "build", "bakers")
    assert built.code == 1
    assert "no question that can be used" in built.err
