"""Consoles and files in any encoding: every command prints everything, and replaces the characters they do not have."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.cli.conftest import ended_bytes, started
from tests.fake_model import FakeModel

ANSWER = "café 日本語 😀 fin"
ENCODINGS = ["cp1252:strict", "ascii", "cp437", "shift_jis"]


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_an_answer_is_printed_in_any_encoding(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path, encoding: str
) -> None:
    fake.says(ANSWER)
    environment["PYTHONIOENCODING"] = encoding
    code, out, err = await ended_bytes(
        await started(environment, tmp_path, "complete", "translate", "text=Guten Tag", "to=French")
    )
    # click writes UTF-8 where the encoding is ASCII, which it takes for a system without a configured locale.
    codec = "utf-8" if encoding == "ascii" else encoding.partition(":")[0]
    assert (code, err) == (0, b"")
    assert out.decode(codec).rstrip() == ANSWER.encode(codec, "replace").decode(codec)


async def test_an_answer_as_json_loses_nothing_in_any_encoding(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path
) -> None:
    fake.says(ANSWER)
    environment["PYTHONIOENCODING"] = "cp1252"
    code, out, _err = await ended_bytes(
        await started(environment, tmp_path, "complete", "translate", "text=Guten Tag", "to=French", "--json")
    )
    assert code == 0
    assert json.loads(out.decode("cp1252"))["text"] == ANSWER


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
async def test_the_doctor_reports_in_any_encoding(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path, encoding: str
) -> None:
    environment |= {"PYTHONIOENCODING": encoding, "CORPORA": "日本=/nowhere"}
    code, out, err = await ended_bytes(await started(environment, tmp_path, "doctor"))
    text = out.decode("utf-8" if encoding == "ascii" else encoding)
    assert (code, err) == (1, b"")
    assert "ok   Settings: " in text
    assert "BAD  Discord: DISCORD_TOKEN is not set." in text
    assert ("BAD  Corpora: 日本: " if encoding == "ascii" else "BAD  Corpora: ??: ") in text


@pytest.mark.parametrize("arguments", [("--help",), ("complete", "日本語"), ("dataset", "show", "rows.jsonl")])
async def test_help_errors_and_rows_are_printed_in_any_encoding(
    environment: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    row = {"messages": [{"role": "user", "content": "日本語?"}, {"role": "assistant", "content": "😀"}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    environment["PYTHONIOENCODING"] = "cp1252"
    _code, out, err = await ended_bytes(await started(environment, tmp_path, *arguments))
    assert out or err
    assert b"UnicodeEncodeError" not in err


async def test_output_goes_to_a_file_in_any_encoding(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path
) -> None:
    fake.says(ANSWER)
    environment["PYTHONIOENCODING"] = "latin-1"
    with (tmp_path / "out.txt").open("wb") as file:
        process = await started(environment, tmp_path, "complete", "translate", "text=x", "to=French", stdout=file)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert (tmp_path / "out.txt").read_bytes().decode("latin-1").strip() == "café ??? ? fin"


async def test_an_argument_that_is_not_utf_8_is_sent_with_a_replacement(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path
) -> None:
    fake.says("Bonjour")
    process = await started(environment, tmp_path, "complete", "translate", b"text=caf\xe9", "to=French")
    code, out, err = await ended_bytes(process)
    assert (code, out, err) == (0, b"Bonjour\n", b"")
    assert fake.requests[0]["messages"][-1]["content"] == "caf\ufffd"
