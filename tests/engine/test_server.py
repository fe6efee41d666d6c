"""The engine as a server: hostile and malformed requests, full disks, private files. All errors are OpenAI's shape."""

import errno
import gzip
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from yarl import URL

from bot.engine import disk
from bot.engine.launch import Address
from tests.engine.job_helpers import example, lines, season, start, until, upload
from tests.local_engine import engine_in

ROW = lines([example("Who won?", "Kava won.")])
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
HALF = "half \ud83d"


async def send(engine: Address, method: str, path: str, **request: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {engine.token}"} | request.pop("headers", {})
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(f"{engine.url}/{path}", encoded=True), headers=headers, **request) as response,
    ):
        return response.status, await response.json()


@pytest.fixture
async def open_engine(tmp_path: Path) -> AsyncIterator[Address]:
    """An engine without a token."""
    async with engine_in(tmp_path, with_token=False) as found:
        yield found


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8801", "127.0.0.1.evil.example", "localhost.evil.example:1", "0.0.0.0", "[::1", ""],
)
async def test_without_a_token_a_foreign_host_is_refused(open_engine: Address, host: str) -> None:
    for path in ("models", "files"):
        status, body = await send(open_engine, "GET", path, headers={"Host": host})
        assert (status, body["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.:99", "127.0.0.1", "127.0.0.2:1", "[::1]:8801"])
async def test_without_a_token_loopback_hosts_are_answered(open_engine: Address, host: str) -> None:
    assert (await send(open_engine, "GET", "models", headers={"Host": host}))[0] == 200


async def test_with_a_token_any_host_is_answered(engine: Address) -> None:
    assert (await send(engine, "GET", "models", headers={"Host": "engine.example"}))[0] == 200


def part(headers: bytes, body: bytes = ROW) -> bytes:
    return b"--x\r\n" + headers + b"\r\n\r\n" + body + b"\r\n"


FILE = b'Content-Disposition: form-data; name="file"; filename="a.jsonl"'
PURPOSE = part(b'Content-Disposition: form-data; name="purpose"', b"fine-tune")
END = b"--x--\r\n"


@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")  # some of them are bad
@pytest.mark.parametrize(
    "form",
    [
        part(b"Content-Disposition form-data"),
        part(b"X: " + b"a" * 100_000 + b"\r\n" + FILE),
        part(b"\r\n".join(b"X%d: y" % number for number in range(2000)) + b"\r\n" + FILE),
        part(b'Content-Disposition: form-data; name="file"; filename="a\\\r\n b"'),
        part(FILE, b"--x\r\n--x\r\n"),
        part(b'Content-Disposition: form-data; name="_charset_"', b"w" * 100),
        part(b'Content-Disposition: form-data; name="_charset_"', b"wizard"),
        part(FILE + b"\r\nContent-Transfer-Encoding: base64", b"!!!"),
        part(FILE + b"\r\nContent-Encoding: gzip", b"no gzip"),
        part(b"Content-Disposition: ;;;=="),
        part(b'Content-Disposition: form-data; name="\xff\xfe"'),
        part(b'Content-Disposition: form-data; name="file"\r\nContent-Type: multipart/mixed; boundary=y', b"--y\r\n"),
        b"",
        b"--x\r\n\r\n",
        (PURPOSE + part(FILE)).replace(b"\r\n", b"\n"),
    ],
)
async def test_a_malformed_form_is_a_bad_request(engine: Address, form: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    status, body = await send(engine, "POST", "files", data=PURPOSE + form + END, headers=headers)
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"
    assert (await send(engine, "GET", "files"))[1]["data"] == []


async def test_a_file_name_that_is_not_utf_8_is_stored(engine: Address) -> None:
    form = PURPOSE + part(b'Content-Disposition: form-data; name="file"; filename="\xff.jsonl"') + END
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    status, body = await send(engine, "POST", "files", data=form, headers=headers)
    assert (status, body["filename"]) == (200, "\ufffd.jsonl")


def chat(**changes: Any) -> bytes:
    body = {"model": "stand-in", "messages": [{"role": "user", "content": "x"}]} | changes
    return json.dumps(body).encode()


DEEP = json.loads("[" * 300 + "]" * 300)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (chat(model=5), "model"),
        (chat(model=[]), "model"),
        (chat(model={"name": "m"}), "model"),
        (chat(model="x" * 5000), "model"),
        (chat(messages=DEEP), "messages[0]"),
        (chat(messages=[{"role": "user", "content": DEEP}]), "messages[0].content"),
        (chat(messages=[None]), "messages[0]"),
        (chat(stop=DEEP), "stop[0]"),
        (chat(temperature=float("nan")), "temperature"),
        (chat(seed=1.5), "seed"),
        (chat(response_format={"type": "json_object"}), "response_format"),
        (chat(tools=[]), "tools"),
        (chat(**{"x" * 5000: 1}), "x" * 200),
        (b'{"model": ' + b"[" * 100_000, None),
        (b'{"model": "stand-in", "messages": ' + b'{"a": ' * 50_000, None),
        (b'{"seed": ' + b"9" * 5000 + b"}", None),
        (b"\xef\xbb\xbf{}", None),
        (chat().decode().encode("utf-16"), None),
    ],
)
async def test_a_malformed_chat_request_names_the_parameter(engine: Address, body: bytes, param: str | None) -> None:
    status, answer = await send(engine, "POST", "chat/completions", data=body)
    assert (status, answer["error"]["param"]) == (400, param)


@pytest.mark.parametrize("model", [5, "x" * 5000])
async def test_a_malformed_model_of_a_job_is_named(engine: Address, model: object) -> None:
    job = json.dumps({"model": model, "training_file": "file-x"}).encode()
    status, answer = await send(engine, "POST", "fine_tuning/jobs", data=job)
    assert (status, answer["error"]["param"]) == (400, "model")


async def test_compressed_bodies_are_bounded_and_checked(engine: Address) -> None:
    for data, status in ((b"no gzip", 400), (gzip.compress(b" " * 50_000_000), 413)):
        headers = {"Content-Encoding": "gzip"}
        assert (await send(engine, "POST", "chat/completions", data=data, headers=headers))[0] == status


@pytest.mark.parametrize("stream", [False, True])
async def test_half_a_character_in_a_prompt_is_replaced(engine: Address, stream: bool) -> None:
    messages = [{"role": "user", "content": f"Facts:\nRace 2 was won by Kava, {HALF}.\n\nQuestion: Who won race 2?"}]
    headers = {"Authorization": f"Bearer {engine.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{engine.url}/chat/completions", data=chat(messages=messages, stream=stream)) as response,
    ):
        assert response.status == 200
        text = await response.text()
    contents = [json.loads(line[6:])["choices"] for line in text.splitlines() if line.startswith("data: {")]
    if stream:
        answer = "".join(choices[0]["delta"].get("content", "") for choices in contents)
    else:
        answer = json.loads(text)["choices"][0]["message"]["content"]
    assert answer == "Race 2 was won by Kava, half \ufffd."


async def test_half_a_character_in_a_job_is_replaced(engine: Address, local: openai.AsyncOpenAI) -> None:
    file_id = await upload(local, ROW * 10)
    job = {"model": "pocket-gpt", "training_file": file_id, "metadata": {"note": HALF}}
    status, created = await send(engine, "POST", "fine_tuning/jobs", data=json.dumps(job).encode())
    assert (status, created["metadata"]) == (200, {"note": "half \ufffd"})
    await local.fine_tuning.jobs.cancel(created["id"])


@pytest.mark.parametrize(
    "path",
    [
        "models/%FF",
        "models/" + "x" * 5000,
        "models/a%00b",
        "files/%FF",
        "files/..%2F..%2Fetc",
        "files/%ED%A0%BD",
        "%FF",
    ],
)
async def test_a_strange_path_is_not_found(engine: Address, path: str) -> None:
    assert (await send(engine, "GET", path))[0] == 404


async def test_a_negative_seed_is_taken(local: openai.AsyncOpenAI) -> None:
    job = await until(local, (await start(local)).id)
    for seed in (-1, -(2**63), 2**70):
        answer = await local.chat.completions.create(
            model=str(job.fine_tuned_model), messages=[{"role": "user", "content": "Who?"}], seed=seed, temperature=1
        )
        assert answer.choices[0].message.content


async def test_an_upload_to_a_full_disk_is_an_error_that_says_so(
    local: openai.AsyncOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(tmp_path.rglob("*"))

    def full(_: int) -> None:
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(openai.InternalServerError, match="full") as caught:
            await upload(local, ROW)
    assert (caught.value.status_code, caught.value.code) == (507, "disk_full")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert sorted(tmp_path.rglob("*")) == before
    assert await upload(local, ROW)


@pytest.mark.parametrize("name", ["events.jsonl", "job.json.part"])
async def test_a_job_on_a_full_disk_is_refused_and_leaves_nothing(
    local: openai.AsyncOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file_id = await upload(local, lines(season()))
    real = disk.open_private

    def full(path: str, flags: int) -> int:
        if str(path).endswith(name):
            raise FULL
        return real(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "open_private", full)
        with pytest.raises(openai.InternalServerError, match="full"):
            await start(local, training_file=file_id)
    assert [job async for job in local.fine_tuning.jobs.list()] == []
    assert list((tmp_path / "engine" / "jobs").iterdir()) == []


async def test_a_job_whose_rows_do_not_fit_on_the_disk_fails_with_a_sentence(
    local: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = disk.open_private

    def full(path: str, flags: int) -> int:
        if str(path).endswith("rows.jsonl"):
            raise FULL
        return real(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "open_private", full)
        failed = await until(local, (await start(local)).id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert (failed.error.code, "Free some space" in failed.error.message) == ("disk_full", True)
    assert (await until(local, (await start(local)).id)).status == "succeeded"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
async def test_stored_files_are_readable_by_their_owner_only(local: openai.AsyncOpenAI, tmp_path: Path) -> None:
    (tmp_path / "engine").chmod(0o755)  # as earlier versions made it
    job = await until(local, (await start(local)).id)
    assert job.status == "succeeded"
    async with engine_in(tmp_path / "other"):
        folders = [path for path in (tmp_path / "other" / "engine").rglob("*") if path.is_dir()]
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "other" / "engine", *folders)} == {0o700}
    stored = [path for path in (tmp_path / "engine").rglob("*") if path.name != "stop"]
    assert {path.stat().st_mode & 0o077 for path in stored} == {0}
    assert (tmp_path / "engine.json").stat().st_mode & 0o777 == 0o600
