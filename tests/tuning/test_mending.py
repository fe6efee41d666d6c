"""`fewshot dataset check --fix` loses no content: what is no fault is not changed, what is left out is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.tuning.conftest import row

CHAT = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me"}]


def messages(*texts: str, system: str = "", **more: Any) -> dict[str, Any]:
    """A chat row of alternating questions and answers."""
    roles = ("user", "assistant")
    chat = [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
    return {"messages": [*([{"role": "system", "content": system}] if system else []), *chat], **more}


def rows_around(*rows: Any) -> list[Any]:
    """Rows with ten others, so that one row is not the whole file."""
    return [*rows, *(messages(f"Question {n}?", f"Answer {n}") for n in range(10))]


def write(file: Path, rows: list[Any]) -> None:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n")


async def fix(fewshot: Run, folder: Path, rows: list[Any]) -> tuple[list[Any], str]:
    """The rows of the mended copy, and the report."""
    file = folder / "mine.jsonl"
    write(file, rows)
    done = await fewshot("dataset", "check", str(file), "--fix")
    copy = folder / "mine_prepared.jsonl"
    made = [json.loads(line) for line in copy.read_text(encoding="utf-8").splitlines()]
    copy.unlink()
    return made, done.out


@pytest.mark.parametrize(
    "kept",
    [
        # The inputs of public reports.
        messages("Who?", "Me", system="You are terse."),
        messages("Who?", "Me", "Really?", "Yes"),
        messages("How does it close?", "With the words THE END"),
        messages("What does this operator do in C: ->", "It reads a member."),
        # More of the kind.
        messages("Who?", "Me", system="You are terse.", weight=0.5, note={"by": "Ann"}),
        {"messages": [CHAT[0] | {"name": "ann"}, CHAT[1] | {"weight": 0}], "id": 7},
        {"messages": [{"role": "developer", "content": "Be kind."}, *CHAT]},
        {"messages": [*CHAT, {"role": "user", "content": "And then ###"}, {"role": "assistant", "content": "END"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}, CHAT[1]]},
        {
            "messages": [
                CHAT[0],
                {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
                {"role": "tool", "tool_call_id": "1", "content": "7"},
                {"role": "assistant", "content": "Seven"},
            ],
            "tools": [{"type": "function"}],
        },
        messages("Which arrow is it, => or", "The first one ###"),
        row("Who bakes?", "Baker 3", "who", "Baker 3 bakes."),
        messages("Indent it: ", "    if x:\n        return y\n"),
        messages("Code:\n\n```\nx ->\n```", "```\nEND\n```"),
        messages("Is it => in C? =>", "yes END"),
    ],
    ids=range(15),
)
async def test_what_is_no_fault_is_kept_as_it_is(fewshot: Run, tmp_path: Path, kept: dict[str, Any]) -> None:
    made, out = await fix(fewshot, tmp_path, rows_around(kept))
    assert made == rows_around(kept)
    assert "Left out" not in out


async def test_rows_that_differ_in_what_comes_before_are_no_duplicates(fewshot: Run, tmp_path: Path) -> None:
    rows = rows_around(messages("Who?", "Me", system="A"), messages("Who?", "You", system="B"), messages("Who?", "Me"))
    made, out = await fix(fewshot, tmp_path, rows)
    assert made == rows
    assert "duplicate" not in out
    assert "contradiction" not in out


async def test_rows_with_more_than_a_dataset_holds_are_named_by_line(fewshot: Run, tmp_path: Path) -> None:
    rows = rows_around(messages("Who?", "Me", system="A"), messages("Hm?", "Hm"), messages("A?", "B", "C?", "D"))
    _made, out = await fix(fewshot, tmp_path, rows)
    assert "Rows with instructions or earlier turns: 2 (lines 1, 3)." in out


async def test_what_is_left_out_is_named_by_line(fewshot: Run, tmp_path: Path) -> None:
    bad = ["not json", {"question": "Who?"}, messages("Who?", ""), messages("Same?", "Yes"), messages("Same?", "Yes")]
    made, out = await fix(fewshot, tmp_path, [*rows_around(), *bad])
    assert made == [*rows_around(), messages("Same?", "Yes")]
    assert "Left out of it, as reported above: lines 11, 12, 13, 15." in out
    assert "Line 11 is not JSON." in out
    assert "Line 13 has an empty answer." in out


def older(prompt: str, completion: str, **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "completion": completion, **more}


async def test_the_signs_of_the_older_form_go_and_nothing_like_them(fewshot: Run, tmp_path: Path) -> None:
    rows = [older(f"Question {n}?\n\n###\n\n", f" Answer {n} END", id=n) for n in range(10)]
    rows += [
        older("What does -> mean in C ->\n\n###\n\n", " It reads a member END"),
        older("Closing words?", "THE ###"),
    ]
    made, out = await fix(fewshot, tmp_path, rows)
    texts = [[message["content"] for message in row["messages"]] for row in made]
    assert texts[0] == ["Question 0?", "Answer 0"]
    assert texts[10:] == [["What does -> mean in C ->", "It reads a member"], ["Closing words?", "THE ###"]]
    assert [row.get("id") for row in made[:3]] == [0, 1, 2]
    assert "12 rows are prompt/completion pairs" in out


async def test_a_space_that_every_answer_begins_with_goes(fewshot: Run, tmp_path: Path) -> None:
    made, out = await fix(fewshot, tmp_path, [messages(f"Question {n}?", f" Answer {n}") for n in range(10)])
    assert [row["messages"][1]["content"] for row in made] == [f"Answer {n}" for n in range(10)]
    assert "Answers that begin with a space: 10." in out


async def test_a_sign_that_every_chat_row_ends_in_goes(fewshot: Run, tmp_path: Path) -> None:
    rows = [messages(f"Question {n}? ->", f"Answer {n} ###") for n in range(10)]
    made, _out = await fix(fewshot, tmp_path, rows)
    assert [row["messages"][0]["content"] for row in made] == [f"Question {n}?" for n in range(10)]
    assert {row["messages"][1]["content"][-2:] for row in made} == {f" {n}" for n in range(10)}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            '{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me \\ud83d"}]}',
            "Me \ufffd",
        ),
        ('{"prompt": "Who \\udc00?", "completion": "Me"}', "Me"),
        ('{"messages": [{"role": "user", "content": "W?"}, {"role": "assistant", "content": "\\ud83d\\ude00"}]}', "😀"),
        ('{"messages": [{"role": "user", "content": "W?"}, {"role": "assistant", "content": "M"}], "\\ud83d": 1}', "M"),
    ],
)
async def test_half_an_emoji_in_a_file_is_replaced_and_named(
    fewshot: Run, tmp_path: Path, line: str, text: str
) -> None:
    made, out = await fix(fewshot, tmp_path, [line, *rows_around()])
    assert made[0]["messages"][-1]["content"] == text
    assert len(made) == 11
    assert ("Line 1 holds half a character" in out) == (text != "😀")


async def test_a_file_in_the_encoding_of_powershell_is_read(fewshot: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    write(file, rows_around())
    file.write_bytes(file.read_text(encoding="utf-8").encode("utf-16"))
    done = await fewshot("dataset", "check", str(file), "--fix")
    assert "not UTF-8" not in done.out
    assert (tmp_path / "mine_prepared.jsonl").read_text(encoding="utf-8").count("\n") == 10


async def test_a_copy_that_cannot_be_written_leaves_no_empty_file(fewshot: Run, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    write(folder / "mine.jsonl", rows_around())
    (folder / "mine_prepared.jsonl.part").mkdir()
    done = await fewshot("dataset", "check", str(folder / "mine.jsonl"), "--fix")
    assert done.code == 1
    assert "cannot be written" in done.err
    assert not (folder / "mine_prepared.jsonl").exists()
