"""How the stock client reaches a model: over aiohttp, and an answer that streams is read at our own pace.

A provider sends some fifty pieces a second, and each that wakes the bot costs it 0.2 ms of CPU time, for a person
who sees one frame a second. So between two reads the connection rests, the pieces gather in the kernel, and one
read brings them all: what an answer costs no longer depends on how finely it is cut.
"""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import aiohttp
import httpx2

# The rest between two reads, as a share of the time since the request went out. So nobody who has waited for an answer
# waits more than a fifth longer for its end, and one that is there at once is read at once.
SHARE = 0.2
# The longest rest, in seconds: an edit of a message takes Discord as long.
LONGEST = 0.2
EVENTS = "text/event-stream"


class PacedTransport(httpx2.AsyncBaseTransport):
    """Carries the stock client's requests over one aiohttp session, opened at first need."""

    def __init__(self) -> None:
        # Made here because it reads certificates from the disk; who makes a transport does so off the loop.
        self._tls = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`; its response as soon as the headers are there.

        Raises httpx2's `ConnectTimeout` or `ReadTimeout`, which the stock client words as such, and whatever else
        aiohttp raises, which it takes for a broken connection.
        """
        began, wait = perf_counter(), request.extensions.get("timeout", {})
        try:
            response = await self._opened().request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=wait.get("pool"), sock_connect=wait.get("connect"), sock_read=wait.get("read")
                ),
            )
        except aiohttp.ConnectionTimeoutError as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except aiohttp.ServerTimeoutError as error:
            raise httpx2.ReadTimeout(str(error)) from error
        body = _Body(response, began)
        return httpx2.Response(response.status, headers=list(response.raw_headers), stream=body, request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session. Bodies are unpacked and cookies kept by httpx2, and the client above bounds its calls."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


class _Body(httpx2.AsyncByteStream):
    """What comes after the headers; closing it before its end closes the connection."""

    def __init__(self, response: aiohttp.ClientResponse, began: float) -> None:
        self._response, self._began = response, began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        paced = self._response.content_type == EVENTS
        try:
            while data := await self._response.content.readany():
                yield data
                if paced:
                    self._rest()
        except aiohttp.ServerTimeoutError as error:
            raise httpx2.ReadTimeout(str(error)) from error

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
