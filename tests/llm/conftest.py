"""Fixtures: the fake model server, the real client connected to it, and servers with a handler of the test's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import web

from bot.engine.server import listening
from bot.llm import ChatClient, ChatTemplate
from bot.llm.streaming import AnswerStream
from tests.fake_model import FakeModel

KEY = "sk-test-0123456789abcdefghij"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serving = Callable[..., AbstractAsyncContextManager[ChatClient]]


async def read(template: ChatTemplate, client: ChatClient, values: Mapping[str, str] | None = None) -> AnswerStream:
    """The stream of an answer, read to its end."""
    async with template.stream(values or {}, client) as stream:
        async for _ in stream:
            pass
    return stream


async def until(condition: Callable[[], object]) -> None:
    """Wait for `condition`, ten seconds at the most."""
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def fake() -> AsyncIterator[FakeModel]:
    async with FakeModel(token=KEY) as server:
        yield server


@pytest.fixture
async def client(fake: FakeModel) -> AsyncIterator[ChatClient]:
    async with ChatClient(base_url=fake.url, api_key=fake.token, model="fake-model") as opened:
        yield opened


@pytest.fixture
async def hasty(fake: FakeModel) -> AsyncIterator[ChatClient]:
    """A client that waits a fifth of a second for a word."""
    async with ChatClient(base_url=fake.url, api_key=fake.token, model="fake-model", timeout=0.2) as opened:
        yield opened


@pytest.fixture
def serving() -> Serving:
    """A client of a server whose every path is answered by one handler."""

    @asynccontextmanager
    async def serve(handler: Handler, timeout: float = 60.0) -> AsyncIterator[ChatClient]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        async with listening(app, "127.0.0.1", 0) as port:
            url = f"http://127.0.0.1:{port}/v1"
            async with ChatClient(base_url=url, api_key=KEY, model="fake-model", timeout=timeout) as opened:
                yield opened

    return serve
