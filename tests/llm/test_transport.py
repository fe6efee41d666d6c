"""The HTTP transport: certificates, proxies, closed connections, redirects, and bounds."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bot.core.errors import ModelError
from bot.llm import ChatClient, ChatTemplate, transport
from tests.fake_model import FakeModel
from tests.llm.conftest import KEY, Serving, read

ASK = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "Hello"}]})
OPENSSL = shutil.which("openssl")
# The environment's proxy variables; those of the tests' own process are removed.
NAMES = [f"{name}_PROXY" for name in ("HTTP", "HTTPS", "ALL", "NO")]
# A host that only a proxy can reach.
FAR = "model.example"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def said(url: str) -> str | None:
    """What the model at `url` answers."""
    async with ChatClient(base_url=url, api_key=KEY, model="m", timeout=5) as client:
        return (await ASK.completion({}, client)).choices[0].message.content


@asynccontextmanager
async def talking(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback whose connections are handled by `talk`; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # The client has closed the connection.
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def proxying(fake: FakeModel, seen: list[bytes]) -> Talk:
    """A proxy that forwards every request to `fake` and records the request headers."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        there, back = await asyncio.open_connection("127.0.0.1", fake.port)
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            back.write(head)
        await asyncio.gather(piped(reader, back), piped(there, writer))

    return talk


@asynccontextmanager
async def secured(folder: Path, name: str) -> AsyncIterator[tuple[int, Path]]:
    """A server with a self-signed certificate for `name`; its port, and the path of the certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    assert OPENSSL is not None
    await (
        await asyncio.create_subprocess_exec(
            *(OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate),
            stderr=asyncio.subprocess.DEVNULL,
        )
    ).wait()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with FakeModel(token=KEY) as fake:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", fake.port)
            await asyncio.gather(piped(reader, back), piped(there, writer))

        async with talking(talk, tls) as port:
            yield port, certificate


@pytest.mark.skipif(OPENSSL is None, reason="makes its certificates with openssl")
@pytest.mark.parametrize(
    ("name", "trusted", "answer"), [("localhost", True, "ok"), ("localhost", False, None), ("else.example", True, None)]
)
async def test_only_a_certificate_that_is_trusted_and_of_this_host_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, answer: str | None
) -> None:
    async with secured(tmp_path, name) as (port, certificate):
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        if answer is None:
            with pytest.raises(ModelError, match="does not trust the certificate"):
                await said(f"https://localhost:{port}/v1")
        else:
            assert await said(f"https://localhost:{port}/v1") == answer


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_certificates_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: ChatClient, text: str | None
) -> None:
    file = tmp_path / "certificates.pem"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    for call in (ASK.completion({}, client), read(ASK, client), client.models()):
        with pytest.raises(ModelError, match="SSL_CERT_FILE names cannot be read"):
            await call


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
async def test_a_model_is_asked_through_the_proxy_that_the_environment_names(
    fake: FakeModel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    seen: list[bytes] = []
    async with talking(proxying(fake, seen)) as port:
        monkeypatch.setenv(name, f"http://me:secret@127.0.0.1:{port}")
        assert await said(f"http://{FAR}/v1") == "ok"
    assert seen[0].startswith(b"POST http://model.example/v1/chat/completions ")
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in seen[0]


async def test_a_model_behind_tls_is_reached_through_a_tunnel(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    async with talking(proxying(fake, seen)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        with pytest.raises(ModelError):  # The server behind the tunnel has no TLS.
            await said(f"https://{FAR}/v1")
    assert seen[0].startswith(b"CONNECT model.example:443 ")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_on_this_machine_is_called_without_a_proxy(
    fake: FakeModel, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int, host: str
) -> None:
    for name in NAMES[:3]:
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    assert await said(f"http://{host}:{fake.port}/v1") == "ok"


async def test_no_proxy_is_respected(fake: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    async with talking(proxying(fake, seen)) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "elsewhere.example,.example")
        with pytest.raises(ModelError, match="cannot be reached"):
            await said(f"http://{FAR}/v1")
    assert seen == []


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1", "http://[bad", "http://", "http://127.0.0.1:1"])
async def test_a_proxy_that_cannot_be_used_is_one_sentence(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", address)
    with pytest.raises(ModelError, match=r"The proxy between the bot and the model .* its operator must check it\."):
        await said(f"http://{FAR}/v1")


async def test_a_proxy_that_refuses_the_tunnel_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")

    async with talking(refusing) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(ModelError, match="The proxy between"):
            await said(f"https://{FAR}/v1")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_request_on_a_connection_that_the_server_closes_is_sent_again(
    fake: FakeModel, client: ChatClient, streamed: bool
) -> None:
    """A server may close an idle connection at any time, also while the next request is on its way."""
    await ASK.completion({}, client)
    fake.breaks_off(after=0)
    if streamed:
        assert (await read(ASK, client)).text == "ok"
    else:
        assert (await ASK.completion({}, client)).choices[0].message.content == "ok"
    assert len(fake.calls) == 3


async def test_a_redirect_to_another_port_is_followed_without_the_key(serving: Serving, fake: FakeModel) -> None:
    async def handler(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{fake.url}/chat/completions")

    async with serving(handler) as client:
        with pytest.raises(ModelError, match="credentials"):  # The key is not sent to another origin.
            await ASK.completion({}, client)


async def test_an_answer_without_end_is_cut_off_and_keeps_its_words(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BODY", 1_000_000)

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(b'data: {"choices":[{"delta":{"content":"on and "}}]}\n\n' * 100)

    async with serving(handler) as client:
        stream = await read(ASK, client)
    assert stream.text.startswith("on and on and ")
    assert stream.finish == "broken"
