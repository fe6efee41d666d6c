"""How the stock client reaches a model: over aiohttp, and an answer that streams is read at our own pace.

A provider sends some fifty pieces a second, and each that wakes the bot costs it 0.2 ms of CPU time, for a person
who sees one frame a second. So between two reads the connection rests, the pieces gather in the kernel, and one
read brings them all: what an answer costs no longer depends on how finely it is cut.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from types import MappingProxyType

import aiohttp
import httpx2

from bot.core.errors import ConfigError
from bot.core.proxies import proxy_for

# The rest between two reads, as a share of the time since the request went out. So nobody who has waited for an answer
# waits more than a fifth longer for its end, and one that is there at once is read at once.
SHARE = 0.2
# The longest rest, in seconds: an edit of a message takes Discord as long.
LONGEST = 0.2
EVENTS = "text/event-stream"
# The longest body of a response, in bytes as they come: twice the stream of 128,000 words, each an event of its own.
LONGEST_BODY = 64 * 1024 * 1024


class UntrustedError(httpx2.ConnectError):
    """The server's certificate is not one that the bot trusts."""


# What the stock client is told for what aiohttp raises, the first that fits. Of a transport's errors it tries only
# httpx2's again, so all must become one of them.
TOLD: Mapping[type[aiohttp.ClientError], type[httpx2.TransportError]] = MappingProxyType(
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
    """What carries the stock client's calls. Raises `OSError` where SSL_CERT_FILE names no certificates."""
    return httpx2.AsyncClient(transport=PacedTransport(), timeout=timeout, follow_redirects=True)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientError as error:
        raise next(kind for raised, kind in TOLD.items() if isinstance(error, raised))(str(error)) from error


class PacedTransport(httpx2.AsyncBaseTransport):
    """Carries the stock client's requests over one aiohttp session, opened at first need."""

    def __init__(self) -> None:
        # Made here because it reads certificates from the disk; who makes a transport does so off the loop.
        self._tls = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[tuple[str, str], str | None] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`; its response as soon as the headers are there.

        Raises one of httpx2's `TransportError`, whose cause is aiohttp's own.
        """
        began, wait = perf_counter(), request.extensions.get("timeout", {})
        with _told():
            response = await self._opened().request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=await _sent(request),
                allow_redirects=False,
                proxy=self._proxy(request.url),
                timeout=aiohttp.ClientTimeout(
                    connect=wait.get("pool"), sock_connect=wait.get("connect"), sock_read=wait.get("read")
                ),
            )
        body = _Body(response, began)
        return httpx2.Response(response.status, headers=list(response.raw_headers), stream=body, request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _proxy(self, url: httpx2.URL) -> str | None:
        """The proxy on the way to `url`; looked up once for each host."""
        way = url.scheme, url.host
        if way not in self._proxies:
            try:
                self._proxies[way] = proxy_for(*way)
            except ConfigError as error:
                raise httpx2.ProxyError(str(error)) from error
        return self._proxies[way]

    def _opened(self) -> aiohttp.ClientSession:
        """The session. Bodies are unpacked and cookies kept by httpx2, and the client above bounds its calls."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


async def _sent(request: httpx2.Request) -> bytes | AsyncIterable[bytes] | None:
    """What goes out behind the headers. A file goes in parts: at once it would hold up everybody else."""
    if isinstance(request.stream, httpx2.ByteStream):
        return await request.aread() or None
    assert isinstance(request.stream, AsyncIterable), "an asynchronous client reads its files so"
    return request.stream


class _Body(httpx2.AsyncByteStream):
    """What comes after the headers; closing it before its end closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse, began: float) -> None:
        self._response, self._began = response, began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        paced, left = self._response.content_type == EVENTS, LONGEST_BODY
        with _told():
            while data := await self._response.content.readany():
                left -= len(data)
                if left < 0:
                    raise httpx2.ReadError("body_too_long")
                yield data
                if paced:
                    self._rest()

    def _rest(self) -> None:
        """Leave what comes in the next moment to the kernel."""
        connection = self._response.connection
        if connection is None or connection.transport is None:
            return  # All has come.
        reading = connection.transport
        assert isinstance(reading, asyncio.ReadTransport), "what comes over a connection can be read"
        reading.pause_reading()
        rest = min(SHARE * (perf_counter() - self._began), LONGEST)
        # A transport that has been closed meanwhile is not resumed, so the timer may outlive it.
        asyncio.get_running_loop().call_later(rest, reading.resume_reading)

    async def aclose(self) -> None:
        """Give the connection back, or close it where something is still to come."""
        self._response.release()
