"""The HTTP transport of the `openai` client: aiohttp, with certificates, proxies, bounds, and paced reading of streams.

The library's own `DefaultAioHttpClient` was measured against it on 2026-11-28, 50 commands at once, CPU time of the
bot's process for each (a bare bot, which does not stream: 3.6 ms). An answer of 40 pieces that arrive together: 0.83
times the bare bot against 0.87 here, within noise. An answer of 300 pieces in six seconds: 17.9 ms against 11.0 ms
here, before the pauses grew to their present length. A server sends some fifty pieces a second, and each that wakes
the event loop costs CPU time, for a message that is edited once a second. So reading pauses between two reads, the
pieces collect in the kernel, and one read gets them all.

The library's transport also reports an untrusted certificate as a time-out, and bounds neither body nor decompression.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from functools import lru_cache
from time import perf_counter
from types import MappingProxyType
from typing import Any

import aiohttp
import httpx2

from bot.core.errors import ConfigError
from bot.core.proxies import proxy_for

# The pause between two reads, as a multiple of the time since the request was sent, so that an answer that is there at
# once is read at once.
PAUSE_GROWTH = 3.0
# The longest pause, in seconds. The end of an answer arrives so much later at most, and half of it on average: editing
# a message takes Discord as long.
MAX_PAUSE = 0.25
EVENT_STREAM = "text/event-stream"
# The headers of every request, beside those of `openai`.
HEADERS = {"Accept-Encoding": "identity"}
# The longest body in bytes, decompressed: twice the stream of 128,000 words, each an event of its own.
MAX_BODY = 64 * 1024 * 1024
# The longest body that is parsed at once: 4 MB of JSON take 40 ms.
MAX_JSON = 4 * 1024 * 1024
# Bytes that are decompressed at a time, 0.2 ms of work.
PIECE = 64 * 1024
# A `Retry-After` of more seconds is reported at once, because the person does not wait that long.
MAX_RETRY_AFTER = 30.0


_parsed = lru_cache(maxsize=64)(httpx2.URL)


class UntrustedError(httpx2.ConnectError):
    """The server's certificate is not trusted."""


class RedirectError(Exception):
    """The server redirects a request with a body to another host. The prompt is not sent there.

    Not one of httpx2's, which `openai` would retry.
    """


# What the `openai` client gets for an exception of aiohttp: the first that fits. It retries only httpx2's exceptions.
EXCEPTIONS: Mapping[type[aiohttp.ClientError], type[httpx2.TransportError]] = MappingProxyType(
    {
        aiohttp.ConnectionTimeoutError: httpx2.ConnectTimeout,
        aiohttp.ServerTimeoutError: httpx2.ReadTimeout,
        aiohttp.ClientProxyConnectionError: httpx2.ProxyError,
        aiohttp.ClientHttpProxyError: httpx2.ProxyError,
        aiohttp.ClientConnectorCertificateError: UntrustedError,
        aiohttp.ClientConnectorError: httpx2.ConnectError,
        aiohttp.ClientError: httpx2.ReadError,
    }
)


def http_client(timeout: httpx2.Timeout) -> httpx2.AsyncClient:
    """The HTTP client for `openai`. Raises `OSError` where SSL_CERT_FILE names no certificates.

    Reads certificates from the disk, so call it in a thread.
    """
    return _HttpClient(
        transport=PacedTransport(),
        timeout=timeout,
        follow_redirects=True,
        headers=HEADERS,
        event_hooks={"response": [_refuse_other_hosts]},
    )


class _HttpClient(httpx2.AsyncClient):
    def build_request(self, method: str, url: httpx2.URL | str, **options: Any) -> httpx2.Request:
        """The request that `openai` describes. One with a body gets no headers but its own.

        They are not merged with this client's, the address is not parsed again, and aiohttp adds the headers that a
        body needs. With this and `ChatClient._completion`, 50 commands at once take 0.82 instead of 0.91 times the bare
        bot's CPU time (2026-11-28).
        """
        body, timeout = options.get("content"), options.get("timeout")
        if not isinstance(body, bytes) or not isinstance(timeout, httpx2.Timeout) or options.get("params"):
            return super().build_request(method, url, **options)
        return httpx2.Request(
            method,
            _parsed(url),
            headers=options["headers"],
            cookies=self.cookies,
            stream=httpx2.ByteStream(body),
            extensions={"timeout": timeout.as_dict()},
        )


async def _refuse_other_hosts(response: httpx2.Response) -> None:
    """Raise `RedirectError` where a redirect would carry the request's body to another host."""
    if response.status_code in (307, 308) and response.has_redirect_location:
        url = response.request.url
        if url.join(response.headers["location"]).host != url.host and response.request.method not in ("GET", "HEAD"):
            raise RedirectError(url.host)


@contextmanager
def _translated_exceptions() -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientError as error:
        raise next(kind for raised, kind in EXCEPTIONS.items() if isinstance(error, raised))(str(error)) from error


class PacedTransport(httpx2.AsyncBaseTransport):
    """Sends requests over one aiohttp session, which is opened at first need."""

    def __init__(self) -> None:
        self._tls = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request` and return its response as soon as the headers have arrived.

        Raises one of httpx2's `TransportError`, whose cause is aiohttp's exception.
        """
        began, wait = perf_counter(), request.extensions.get("timeout", {})
        with _translated_exceptions():
            response = await self._opened().request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=await _body_of(request),
                allow_redirects=False,
                proxy=self._proxy(request.url),
                timeout=aiohttp.ClientTimeout(
                    connect=wait.get("pool"), sock_connect=wait.get("connect"), sock_read=wait.get("read")
                ),
            )
        return httpx2.Response(
            response.status, headers=_headers_of(response), stream=_Body(response, began), request=request
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _proxy(self, url: httpx2.URL) -> str | None:
        """The proxy for `url`, looked up once for each host."""
        key = url.scheme, url.host
        if key not in self._proxies:
            try:
                self._proxies[key] = proxy_for(*key)
            except ConfigError as error:
                raise httpx2.ProxyError(str(error)) from error
        return self._proxies[key]

    def _opened(self) -> aiohttp.ClientSession:
        """The session. httpx2 handles cookies; `ChatClient` limits the number of calls."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


async def _body_of(request: httpx2.Request) -> bytes | AsyncIterable[bytes] | None:
    """The body of `request`. A file is sent in parts, because reading it at once would block the event loop."""
    if isinstance(request.stream, httpx2.ByteStream):
        return b"".join(request.stream) or None
    assert isinstance(request.stream, AsyncIterable), "an asynchronous client reads its files asynchronously"
    return request.stream


def _headers_of(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    """The response's headers, changed where the client must not act on them.

    The body is decompressed here. A request that timed out at a proxy, or whose server asks for a long wait, is not
    retried.
    """
    gone = (b"content-encoding", b"content-length") if _is_compressed(response) else ()
    headers = [(name, value) for name, value in response.raw_headers if name.lower() not in gone]
    try:
        wait = float(response.headers.get("Retry-After", "0"))
    except ValueError:
        wait = 0.0
    if response.status in (408, 504) or wait > MAX_RETRY_AFTER:
        headers.append((b"x-should-retry", b"false"))
    return headers


def _is_compressed(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity")


class _Body(httpx2.AsyncByteStream):
    """The body of a response, decompressed. Closing it before its end closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse, began: float) -> None:
        self._response, self._began = response, began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        paced = self._response.content_type == EVENT_STREAM
        left = MAX_BODY if self._response.status < 300 else MAX_JSON
        body = self._decompressed(paced) if _is_compressed(self._response) else self._raw(paced)
        with _translated_exceptions():
            async with aclosing(body) as pieces:
                async for piece in pieces:
                    left -= len(piece)
                    if left < 0:
                        raise httpx2.ReadError("body_too_long")
                    yield piece

    async def _raw(self, paced: bool) -> AsyncGenerator[bytes, None]:
        while data := await self._response.content.readany():
            yield data
            if paced:
                self._pause()

    async def _decompressed(self, paced: bool) -> AsyncGenerator[bytes, None]:
        """The body in bounded pieces, with the event loop free between two of them.

        Raises `httpx2.DecodingError` for another encoding than gzip and deflate.
        """
        if self._response.headers["Content-Encoding"].strip().lower() not in ("gzip", "x-gzip", "deflate"):
            raise httpx2.DecodingError("encoding")
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as the header of the data says
        async for data in self._raw(paced):
            try:
                while data and not inflate.eof:
                    if piece := inflate.decompress(data, PIECE):
                        yield piece
                    data = inflate.unconsumed_tail
                    await asyncio.sleep(0)
            except zlib.error as error:
                raise httpx2.DecodingError(str(error)) from error

    def _pause(self) -> None:
        """Let the kernel collect what arrives in the next moment."""
        connection = self._response.connection
        if connection is None or connection.transport is None:
            return  # The body is complete.
        reading = connection.transport
        assert isinstance(reading, asyncio.ReadTransport), "a connection can be read"
        reading.pause_reading()
        pause = min(PAUSE_GROWTH * (perf_counter() - self._began), MAX_PAUSE)
        # Resuming does nothing on a transport that was closed in the meantime, so the timer may fire later.
        asyncio.get_running_loop().call_later(pause, reading.resume_reading)

    async def aclose(self) -> None:
        """Return the connection to the pool, or close it where the body is not complete."""
        self._response.release()
