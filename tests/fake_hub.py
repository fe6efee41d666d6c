"""A small model hub on loopback: what the hub's own client asks of it, with faults on demand.

    async with FakeHub({"owner/repo/file.gguf": data}) as hub:
        environment["HF_ENDPOINT"] = hub.url

`hub.break_after` ends the next response after so many bytes; `hub.tag` replaces the checksum that it states.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

from aiohttp import web

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """Serves files by owner, repository and name, in any revision."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.tag: str | None = None
        self.break_after: int | None = None
        self.ranges: list[str] = []
        # Called in the middle of the next response.
        self.at_middle: Callable[[], Awaitable[None]] | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/{owner}/{repo}/resolve/{revision}/{file:.+}", self._file)
        app.router.add_get("/api/models/{owner}/{repo}/revision/{revision}", self._about)
        app.router.add_get("/api/models/{owner}/{repo}/tree/{revision}", self._tree)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response({"id": "{owner}/{repo}".format(**request.match_info), "sha": COMMIT, "siblings": []})

    async def _tree(self, request: web.Request) -> web.Response:
        place = "{owner}/{repo}/".format(**request.match_info)
        found = {name.removeprefix(place): data for name, data in self.files.items() if name.startswith(place)}
        return web.json_response(
            [{"type": "file", "path": path, "size": len(data), "oid": COMMIT} for path, data in found.items()]
        )

    async def _file(self, request: web.Request) -> web.StreamResponse:
        place = request.match_info
        data = self.files.get(f"{place['owner']}/{place['repo']}/{place['file']}")
        if data is None:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        tag = self.tag or hashlib.sha256(data).hexdigest()
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        headers |= {"X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{tag}"'}
        start = 0
        if (wanted := request.headers.get("Range")) is not None:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if request.method == "HEAD":
            return web.Response(headers=headers | {"Content-Length": str(len(data))})
        self.ranges.append(request.headers.get("Range", ""))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        response.content_length = len(data) - start
        await response.prepare(request)
        end, self.break_after = self.break_after, None
        middle = (start + len(data)) // 2 if end is None else end
        await response.write(data[start:middle])
        if self.at_middle is not None:
            call, self.at_middle = self.at_middle, None
            await call()
        await response.write(data[middle : end if end is not None else None])
        if end is not None:
            assert request.transport is not None
            request.transport.close()
        return response
