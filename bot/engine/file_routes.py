"""`/v1/files`: upload, list, retrieve, content, delete."""

import asyncio
from typing import Any

import aiohttp
from aiohttp import BodyPartReader, web

from bot.engine.dataset import MAX_BYTES, check
from bot.engine.errors import WireError, unknown_parameter
from bot.engine.files import FileStore, StoredFile, too_many_bytes
from bot.engine.paging import cut, page_of

FILES = web.AppKey("files", FileStore)

# What stands around the file in a form: boundaries, headers, the purpose.
FORM_OVERHEAD = 16 * 1024
PURPOSE_BYTES = 100
CHUNK = 64 * 1024


def add_routes(app: web.Application, files: FileStore) -> None:
    """Serves `files` under `/v1/files`."""
    app[FILES] = files
    app.router.add_post("/v1/files", _upload)
    app.router.add_get("/v1/files", _list)
    app.router.add_get("/v1/files/{file}", _show)
    app.router.add_get("/v1/files/{file}/content", _content)
    app.router.add_delete("/v1/files/{file}", _delete)


async def _upload(request: web.Request) -> web.Response:
    if (request.content_length or 0) > MAX_BYTES + FORM_OVERHEAD:
        raise too_many_bytes()
    if request.content_type != "multipart/form-data":
        raise WireError("Upload the file as multipart/form-data.", code="invalid_form")
    try:
        purpose, filename, data = await _form(request)
    except (ValueError, AssertionError, aiohttp.ClientPayloadError):
        # The reader's ways of saying that a form is malformed or cut off.
        raise WireError("The form is malformed or was cut off.", code="invalid_form") from None
    if purpose != "fine-tune":
        raise WireError("This engine keeps files for fine-tuning alone.", code="invalid_value", param="purpose")
    if data is None:
        raise WireError("Missing required parameter: file.", code="missing_required_parameter", param="file")
    file = await asyncio.to_thread(_keep, request.app[FILES], filename, bytes(data))
    return web.json_response(file.card())


def _keep(files: FileStore, filename: str, data: bytes) -> StoredFile:
    checked = check(data)
    return files.add(data, filename, "fine-tune", rows=len(checked.rows), converted=checked.converted)


async def _form(request: web.Request) -> tuple[str | None, str, bytearray | None]:
    """Purpose, file name and bytes of an upload; nothing is read beyond the bounds."""
    purpose, filename, data = None, "", None
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name not in ("purpose", "file"):
            raise unknown_parameter(getattr(part, "name", None) or "an unnamed part")
        if part.name == "file":
            filename, data = part.filename or "upload.jsonl", await _bounded(part, MAX_BYTES)
        else:
            purpose = (await _bounded(part, PURPOSE_BYTES)).decode("utf-8", errors="replace")
    return purpose, filename, data


async def _bounded(part: BodyPartReader, limit: int) -> bytearray:
    data = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        data += chunk
        if len(data) > limit:
            raise too_many_bytes()
    return data


async def _list(request: web.Request) -> web.Response:
    page = page_of(request, default=10_000, most=10_000, also=("order", "purpose"))
    cards: list[dict[str, Any]] = [file.card() for file in request.app[FILES].all()]
    purpose, order = request.query.get("purpose"), request.query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise WireError("order must be asc or desc.", code="invalid_value", param="order")
    wanted = [card for card in cards if purpose is None or card["purpose"] == purpose]
    return web.json_response(cut(wanted if order == "desc" else wanted[::-1], page))


async def _show(request: web.Request) -> web.Response:
    return web.json_response(request.app[FILES].get(request.match_info["file"]).card())


async def _content(request: web.Request) -> web.Response:
    file = request.app[FILES].get(request.match_info["file"])
    data = await asyncio.to_thread(request.app[FILES].read, file.id)
    kind = "text/csv" if file.purpose == "fine-tune-results" else "application/jsonl"
    return web.Response(body=data, content_type=kind)


async def _delete(request: web.Request) -> web.Response:
    file_id = request.match_info["file"]
    await asyncio.to_thread(request.app[FILES].delete, file_id)
    return web.json_response({"id": file_id, "object": "file", "deleted": True})
