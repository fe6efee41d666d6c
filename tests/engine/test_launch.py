"""One engine per data folder, started by the first process that needs it."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from pathlib import Path

import aiohttp
import openai
import pytest
from aiohttp import web

from bot.engine.launch import ADDRESS_FILE, Address, Engine, EngineError, connected, read_address, write_address
from bot.engine.server import AlreadyRunningError, listening, serve

CONNECT = """
import asyncio, sys
from pathlib import Path
from bot.engine.launch import connected

async def main():
    async with connected(Path(sys.argv[1])) as engine:
        print(engine.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def process(folder: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CONNECT, str(folder)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


async def first_line(child: Process) -> str:
    assert child.stdout is not None
    return (await asyncio.wait_for(child.stdout.readline(), 30)).decode().strip()


async def finish(*children: Process) -> None:
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
        assert await asyncio.wait_for(child.wait(), 30) == 0


async def until_gone(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            try:
                async with session.get(url):
                    await asyncio.sleep(0.05)
            except aiohttp.ClientError:
                return
    raise AssertionError("the engine outlived its parent")


async def models(engine: Engine) -> list[str]:
    async with openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token) as client:
        return [model.id async for model in client.models.list()]


async def test_it_starts_answers_and_ends(tmp_path: Path) -> None:
    async with connected(tmp_path) as engine:
        assert "stand-in" in await models(engine)
        assert (tmp_path / ADDRESS_FILE).stat().st_mode & 0o777 == 0o600
        url = engine.url
    await until_gone(url)


async def test_two_processes_that_start_it_at_once_share_one(tmp_path: Path) -> None:
    first, second = await asyncio.gather(process(tmp_path), process(tmp_path))
    assert await first_line(first) == await first_line(second)
    await finish(first, second)


async def test_it_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    parent = await process(tmp_path)
    url = await first_line(parent)
    parent.kill()
    await parent.wait()
    await until_gone(url)


async def test_a_killed_engine_is_restarted_at_the_same_address(tmp_path: Path) -> None:
    async with connected(tmp_path) as engine:
        before, found = engine.url, read_address(tmp_path)
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
        await engine.ensure()
        assert engine.url == before
        assert "stand-in" in await models(engine)


async def test_the_address_of_an_ended_engine_is_replaced(tmp_path: Path) -> None:
    write_address(tmp_path, Address("http://127.0.0.1:9/v1", "old", 1))
    async with connected(tmp_path) as engine:
        assert "stand-in" in await models(engine)


@pytest.mark.parametrize("behaviour", ["endless", "redirect", "silent", "closed", "other"])
async def test_another_program_on_the_engines_port_is_not_taken_for_it(tmp_path: Path, behaviour: str) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        if behaviour == "redirect" and request.path != "/elsewhere":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if behaviour == "silent":
            await asyncio.sleep(60)
        if behaviour == "closed" and request.transport is not None:
            request.transport.abort()
        response = web.StreamResponse()
        await response.prepare(request)
        while behaviour == "endless":
            await response.write(b"x" * 65536)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with listening(app, "127.0.0.1", 0) as port:
        write_address(tmp_path, Address(f"http://127.0.0.1:{port}/v1", "token", 1))
        async with connected(tmp_path) as engine:
            assert engine.url != f"http://127.0.0.1:{port}/v1"
            assert "stand-in" in await models(engine)
    assert set(seen) == {"/v1/models"}


async def test_a_broken_address_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ADDRESS_FILE).write_text("{", encoding="utf-8")
    async with connected(tmp_path) as engine:
        assert "stand-in" in await models(engine)


async def test_a_second_engine_for_a_folder_is_refused(tmp_path: Path) -> None:
    async with connected(tmp_path):
        with pytest.raises(AlreadyRunningError):
            await serve("127.0.0.1", 0, tmp_path, on_ready=lambda _: None)


async def test_beyond_loopback_a_token_is_required(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="loopback"):
        await serve("0.0.0.0", 0, tmp_path, with_token=False, on_ready=lambda _: None)


async def test_without_a_token_web_pages_are_refused_and_programs_are_not(tmp_path: Path) -> None:
    ready: asyncio.Queue[Address] = asyncio.Queue()
    running = asyncio.create_task(serve("127.0.0.1", 0, tmp_path, with_token=False, on_ready=ready.put_nowait))
    url = (await ready.get()).url + "/models"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            assert response.status == 200
        async with session.get(url, headers={"Origin": "https://example.org"}) as response:
            assert response.status == 403
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(EngineError, match=f"port {port}"):
        await serve("127.0.0.1", port, tmp_path, on_ready=lambda _: None)
    listener.close()


def test_an_address_shows_no_token() -> None:
    assert "secret" not in repr(Address("http://127.0.0.1:1/v1", "secret", 1))


async def test_the_stand_in_refuses_what_no_rule_covers(tmp_path: Path) -> None:
    async with connected(tmp_path) as engine, openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token) as client:
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            await client.chat.completions.create(
                model="stand-in", messages=[{"role": "user", "content": "Translate: good morning"}], stream=True
            )
        with pytest.raises(openai.BadRequestError) as unknown:
            await client.chat.completions.create(
                model="stand-in", messages=[{"role": "user", "content": "x"}], reasoning_effort="none"
            )
    assert caught.value.code == "no_model_connected"
    assert unknown.value.param == "reasoning_effort"


async def test_a_data_folder_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(EngineError, match="Free some space"):
            await serve("127.0.0.1", 0, tmp_path, on_ready=lambda _: None)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(EngineError, match="could not be used"):
        await serve("127.0.0.1", 0, tmp_path / "file", on_ready=lambda _: None)
