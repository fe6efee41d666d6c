"""`/v1/files`, through the stock client."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai.types import FileDeleted, FileObject

from bot.engine.dataset import MAX_BYTES, MAX_LINE
from bot.engine.files import FileStore
from bot.engine.launch import Address
from tests.engine.job_helpers import example, lines, season, upload

ROW = lines([example("Who won?", "Kava won.")])


async def test_a_file_comes_back_as_it_was_sent(local: openai.AsyncOpenAI) -> None:
    data = lines(season())
    raw = await local.files.with_raw_response.create(file=("season.jsonl", data), purpose="fine-tune")
    file = FileObject.model_validate_json(raw.content, strict=True)
    assert (file.filename, file.bytes, file.status) == ("season.jsonl", len(data), "processed")
    assert (await local.files.content(file.id)).content == data
    assert await local.files.retrieve(file.id) == file
    assert [found.id async for found in local.files.list()] == [file.id]


async def test_a_deleted_file_is_gone(local: openai.AsyncOpenAI) -> None:
    file_id = await upload(local, ROW)
    raw = await local.files.with_raw_response.delete(file_id)
    assert FileDeleted.model_validate_json(raw.content, strict=True).deleted
    with pytest.raises(openai.NotFoundError) as caught:
        await local.files.content(file_id)
    assert caught.value.code == "file_not_found"


async def test_files_are_listed_in_pages_the_newest_first(local: openai.AsyncOpenAI) -> None:
    ids = [await upload(local, ROW * number) for number in (1, 2, 3)]
    assert [file.id async for file in local.files.list(limit=2)] == ids[::-1]
    page = await local.files.list(limit=2)
    assert page.has_more
    assert [file.id async for file in local.files.list(order="asc", purpose="fine-tune")] == ids
    assert [file.id async for file in local.files.list(purpose="batch")] == []


async def test_files_are_there_after_a_restart(local: openai.AsyncOpenAI, tmp_path: Path) -> None:
    file_id = await upload(local, ROW)
    assert FileStore(tmp_path / "engine" / "files").read(file_id) == ROW


async def test_an_interrupted_upload_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "file-x.data").write_bytes(ROW)
    (tmp_path / "file-x.json.part").write_bytes(b"{")
    assert FileStore(tmp_path).all() == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (ROW * 6 + b"oops\n" + ROW, "Line 7 is not JSON"),
        (ROW + "Zoë".encode("latin-1") + b"\n", "Line 2 is not UTF-8: its byte 3"),
        (ROW + b"[1]\n", "Line 2 is not a JSON object"),
        (b'{"text": "x"}\n', "Line 1 must be"),
        (b'{"messages": []}\n', "Line 1 has its roles out of order"),
        (b'{"messages": [{"role": "assistant", "content": "x"}]}\n', "out of order"),
        (ROW + lines([{"messages": season()[0]["messages"][::-1]}]), "Line 2 has its roles out of order"),
        (b'{"messages": [{"role": "wizard", "content": "x"}]}\n', "unknown role 'wizard'"),
        (lines([example("Who?", " ")]), "Line 1 has a message that is empty"),
        (b'{"messages": [{"role": "user"}]}\n', "without content"),
        (b'{"messages": [{"role": "user", "content": "x", "weight": 1}]}\n', "'weight'"),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}\n', "half a character"),
        (lines([example("x" * MAX_LINE, "y")]), "Line 1 is longer"),
        (b'{"prompt": 1, "completion": "x"}\n', "Line 1 has a prompt"),
        (ROW + b'{"prompt": "a", "completion": "b"}\n', "mixes"),
        (b"[" * 60_000 + b"\n", "Line 1 is not JSON"),
        (b"\n\n", "no examples"),
        (b"", "no examples"),
    ],
)
async def test_the_first_line_that_is_wrong_is_named(local: openai.AsyncOpenAI, data: bytes, says: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await upload(local, data)
    error: Any = caught.value.body
    assert says in error["message"]
    assert (error["code"], error["param"]) == ("invalid_jsonl", "file")
    assert [file async for file in local.files.list()] == []


async def test_a_byte_order_mark_and_empty_lines_are_skipped(local: openai.AsyncOpenAI) -> None:
    assert await upload(local, b"\xef\xbb\xbf" + ROW + b"\r\n\n" + ROW)


async def test_prompt_completion_pairs_are_accepted_with_a_note(local: openai.AsyncOpenAI) -> None:
    data = json.dumps({"prompt": "Who won?", "completion": " Kava."}).encode()
    file = await local.files.create(file=("old.jsonl", data), purpose="fine-tune")
    assert "1 prompt/completion pairs" in str(file.status_details)


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 2 * MAX_BYTES])
async def test_a_file_over_the_bound_is_refused(engine: Address, size: int) -> None:
    form = aiohttp.FormData({"purpose": "fine-tune"})
    form.add_field("file", b" " * size, filename="big.jsonl")
    headers = {"Authorization": f"Bearer {engine.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{engine.url}/files", data=form) as response,
    ):
        assert response.status == 413
        assert (await response.json())["error"]["code"] == "file_too_large"


async def test_another_purpose_is_refused_by_name(local: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await local.files.create(file=("x.jsonl", ROW), purpose="batch")
    assert caught.value.param == "purpose"


async def test_an_unknown_field_is_refused_by_name(local: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await local.files.create(
            file=("x.jsonl", ROW), purpose="fine-tune", expires_after={"anchor": "created_at", "seconds": 3600}
        )
    assert str(caught.value.param).startswith("expires_after")


@pytest.mark.parametrize(
    "body", [b"", b"--x\r\n", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n{"messa', b"\x00" * 100]
)
async def test_a_form_that_is_cut_off_is_refused(engine: Address, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {engine.token}", "Content-Type": "multipart/form-data; boundary=x"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{engine.url}/files", data=body) as response,
    ):
        assert response.status == 400
        assert (await response.json())["error"]["message"]


async def test_a_file_name_is_not_used_in_a_path(local: openai.AsyncOpenAI, tmp_path: Path) -> None:
    file = await local.files.create(file=("../../../etc/passwd", ROW), purpose="fine-tune")
    assert {path.parent for path in tmp_path.rglob("*passwd*")} == set()
    assert (tmp_path / "engine" / "files" / f"{file.id}.data").exists()
