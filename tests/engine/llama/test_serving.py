"""llama.cpp serves a real model through the engine: streamed, within limits, in turn, and again after a crash.

The tests share an engine, because loading the model takes most of a second.
"""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
import pytest_asyncio
from openai.types.shared_params import ResponseFormatJSONSchema

from bot.engine.errors import APIError
from bot.engine.llama import models
from bot.engine.llama.catalog import Machine
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.process import Config, LlamaServer
from bot.engine.llama.store import ModelStore
from bot.llm.output_parsers import GRAMMARS
from tests.gguf_files import chat_model, gguf
from tests.local_engine import engine_in
from tests.smollm2 import NAME, smollm2

pytestmark = pytest.mark.asyncio(loop_scope="module")
STARS: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {
        "name": "rating",
        "schema": {
            "type": "object",
            "properties": {"stars": {"enum": [1, 2, 3, 4, 5]}},
            "required": ["stars"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the model in it."""
    folder = tmp_path_factory.mktemp("models")
    fetch(ModelStore(folder / "models"), source_of(str(smollm2())), lambda done, total: None)
    return folder


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    """A client of an engine over a data folder."""
    async with (
        engine_in(folder) as engine,
        openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token, max_retries=0) as client,
    ):
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(installed: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    async with connected(installed) as client:
        yield client


@pytest.fixture
def apart(installed: Path, tmp_path: Path) -> Path:
    """A data folder for an engine of its own, with the same model in it."""
    (tmp_path / "models").symlink_to(installed / "models")
    return tmp_path


def asked(text: str, **options: Any) -> dict[str, Any]:
    return {"model": NAME, "messages": [{"role": "user", "content": text}], "temperature": 0, **options}


async def once(condition: Callable[[], object]) -> None:
    """Wait until `condition` holds, half a minute at the most."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a process's end is no event of this loop
            await asyncio.sleep(0.02)


async def read(stream: openai.AsyncStream[Any]) -> list[Any]:
    return [chunk async for chunk in stream]


def processes() -> list[psutil.Process]:
    """The llama.cpp processes below this one."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if "bot.engine.llama.child" in each.cmdline()]


async def test_an_answer_streams_and_its_tokens_are_counted(client: openai.AsyncOpenAI) -> None:
    assert NAME in [model.id async for model in client.models.list()]
    stream = await client.chat.completions.create(
        **asked("Name three colours."), max_completion_tokens=20, stream=True, stream_options={"include_usage": True}
    )
    chunks = await read(stream)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) > 5
    assert chunks[-2].choices[0].finish_reason == "length"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == 20
    assert usage.prompt_tokens > 5


async def test_a_schema_binds_the_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        **asked("Rate: friendly but slow"), max_completion_tokens=40, response_format=STARS
    )
    assert answer.choices[0].message.content is not None
    assert answer.choices[0].message.content.replace(" ", "").replace("\n", "")[:-2] == '{"stars":'


@pytest.mark.parametrize(("kind", "form"), [("rating", r"[1-5]: [^\n]{10,}"), ("facts", r'<FACTS entity="[^"]+">.*')])
async def test_a_grammar_binds_the_answer_to_the_form_of_the_prompt(
    client: openai.AsyncOpenAI, kind: str, form: str
) -> None:
    answer = await client.chat.completions.create(
        **asked("Honey: friendly but slow"), max_completion_tokens=30, extra_body={"grammar": GRAMMARS[kind]}
    )
    assert re.fullmatch(form, answer.choices[0].message.content or "", re.DOTALL)


async def test_two_questions_on_one_slot_are_answered_in_turn(
    client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.engine.llama.process.QUEUE_INTERVAL", 0.05)
    stream = await client.chat.completions.create(**asked("Tell a story."), max_completion_tokens=60, stream=True)
    await anext(aiter(stream))
    first = asyncio.create_task(read(stream))
    raw = await client.with_raw_response.chat.completions.create(
        **asked("Say yes."), max_completion_tokens=3, stream=True
    )
    text = await raw.http_response.aread()
    assert first.done()
    assert b": queue 1\n\n" in text
    assert text.endswith(b"data: [DONE]\n\n")


async def test_a_prompt_longer_than_the_context_names_both_numbers(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(**asked("word " * 9_000))
    assert caught.value.code == "context_length_exceeded"
    assert "9,0" in str(caught.value.body)
    assert "8,192" in str(caught.value.body)


async def test_an_unknown_name_is_refused(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(**asked("Hello") | {"model": "nobody"})


async def test_a_killed_process_breaks_its_answer_and_the_next_one_is_given(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**asked("Tell a long story."), max_completion_tokens=400, stream=True)
    await anext(aiter(stream))
    for process in processes():
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(openai.APIError) as caught:
        await read(stream)
    assert caught.value.code == "model_died"
    answer = await client.chat.completions.create(**asked("Say yes."), max_completion_tokens=3)
    assert answer.choices[0].message.content


async def test_an_asker_who_leaves_frees_the_slot(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        **asked("Tell a long story."), max_completion_tokens=2000, stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    answer = await asyncio.wait_for(
        client.chat.completions.create(**asked("Say yes."), max_completion_tokens=3), timeout=60
    )
    assert answer.choices[0].message.content


async def test_the_process_asks_for_a_key_and_lets_no_web_page_in(client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(**asked("Say yes."), max_completion_tokens=1)
    ports = [each.laddr.port for each in processes()[0].net_connections() if each.status == psutil.CONN_LISTEN]
    url = f"http://127.0.0.1:{ports[0]}/v1/models"
    async with openai.AsyncOpenAI(base_url=url.removesuffix("/models"), api_key="guess", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.chat.completions.create(**asked("Hello"))


async def test_processes_end_with_the_engine(apart: Path) -> None:
    before = processes()
    async with connected(apart) as client:
        await client.chat.completions.create(**asked("Say yes."), max_completion_tokens=1)
        assert len(processes()) == len(before) + 1
    assert processes() == before


async def test_an_idle_model_leaves_the_memory(installed: Path) -> None:
    servers = models.InstalledModels(ModelStore(installed / "models"), idle_minutes=0.01)
    running = asyncio.create_task(servers.run())
    server = await servers.server(ModelStore(installed / "models").get(NAME))
    assert server.loaded
    await once(lambda: not server.loaded)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_model_larger_than_the_free_memory_is_refused(apart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Machine(memory=2**30, free_memory=2**27, cores=2, free_disk=2**33)
    monkeypatch.setattr(models, "machine", lambda folder: small)
    async with connected(apart) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(**asked("Hello"))
    assert caught.value.code == "not_enough_memory"
    assert "0.1 GiB are free" in str(caught.value.body)


async def test_a_file_that_llama_cpp_cannot_load_says_so(tmp_path: Path) -> None:
    file = tmp_path / "tiny-instruct.gguf"
    file.write_bytes(gguf(chat_model()))
    fetch(ModelStore(tmp_path / "models"), source_of(str(file)), lambda done, total: None)
    async with connected(tmp_path) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(**asked("Hello") | {"model": "tiny-instruct"})
    assert caught.value.code == "load_failed"
    assert "tiny-instruct cannot be loaded" in str(caught.value.body)


@pytest.mark.parametrize(
    ("signal_name", "sentence"),
    [("ILL", "AVX2 is needed"), ("KILL", "may be out of memory"), ("SEGV", r"crashed \(signal 11\)")],
)
async def test_a_process_that_dies_while_it_loads_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal_name: str, sentence: str
) -> None:
    dying = tmp_path / "python"
    dying.write_text(f"#!/bin/sh\nkill -{signal_name} $$\n", encoding="utf-8")
    dying.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(dying))
    server = LlamaServer("tiny", Config(tmp_path / "tiny.gguf", 512, 1, 1))
    with pytest.raises(APIError, match=f"tiny cannot be loaded: .*{sentence}"):
        await server.start()


async def test_a_stopped_server_can_be_closed_twice(installed: Path) -> None:
    servers = models.InstalledModels(ModelStore(installed / "models"), idle_minutes=1)
    server: LlamaServer = await servers.server(ModelStore(installed / "models").get(NAME))
    await server.close()
    await server.close()
    assert not server.loaded
