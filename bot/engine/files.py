"""`/v1/files`: uploaded training files and the results of jobs, each its bytes and a JSON record in one folder."""

import asyncio
import hashlib
import secrets
import time
from pathlib import Path
from typing import Any, Literal

import aiohttp
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from bot.core.json_text import without_surrogates
from bot.engine import disk
from bot.engine.dataset import MAX_BYTES, parse_training_file
from bot.engine.errors import APIError, invalid_value, missing_parameter, unknown_parameter
from bot.engine.requests import StrictModel, list_page, page_of

MAX_FILES = 1000
MAX_TOTAL = 1024**3
# The boundaries, headers and purpose around the file in a form.
FORM_OVERHEAD = 16 * 1024
MAX_PURPOSE = 100
CHUNK = 64 * 1024

# What aiohttp raises for a form that is malformed or cut off.
MALFORMED_FORM = (
    ValueError,
    AssertionError,
    RuntimeError,
    aiohttp.ClientPayloadError,
    HttpProcessingError,
    web.RequestPayloadError,
)

Purpose = Literal["fine-tune", "fine-tune-results"]


class StoredFile(StrictModel):
    """One file's record. `converted` tells that its lines are prompt/completion pairs."""

    id: str
    size: int
    created_at: int
    filename: str
    purpose: Purpose
    sha256: str
    rows: int
    converted: bool = False

    def to_api(self) -> dict[str, Any]:
        """OpenAI's file object."""
        converted = f"{self.rows} prompt/completion pairs will be trained as chat examples."
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size,
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": converted if self.converted else None,
            "expires_at": None,
        }


class FileStore:
    """Every file of one engine. Names from people are kept as data and are not used in paths."""

    def __init__(self, folder: Path) -> None:
        """Reads the records in `folder`; a file without a record was not stored completely and is ignored."""
        self._folder = folder
        disk.make_folder(folder)
        records = (disk.read_json(path) for path in folder.glob("*.json"))
        stored = [StoredFile.model_validate(record) for record in records if record is not None]
        self._files = {file.id: file for file in sorted(stored, key=lambda file: file.created_at)}

    def all(self) -> list[StoredFile]:
        """Every file, the newest first."""
        return list(reversed(self._files.values()))

    def get(self, file_id: str, param: str | None = "file_id") -> StoredFile:
        """One file, or an `APIError` 404 that names `param`."""
        try:
            return self._files[file_id]
        except KeyError:
            raise APIError(
                f"There is no file {file_id[:100]!r}.", status=404, code="file_not_found", param=param
            ) from None

    def add(self, data: bytes, filename: str, purpose: Purpose, *, rows: int, converted: bool = False) -> StoredFile:
        """Stores a file durably. Raises `APIError` 400 when the store is full, `OSError` when the disk is."""
        total = sum(file.size for file in self._files.values()) + len(data)
        if len(self._files) >= MAX_FILES or total > MAX_TOTAL:
            raise APIError(
                f"The engine keeps {MAX_FILES:,} files and {MAX_TOTAL:,} bytes at most; delete a file first.",
                code="storage_limit_exceeded",
            )
        file = StoredFile(
            id=f"file-{secrets.token_hex(12)}",
            size=len(data),
            created_at=int(time.time()),
            filename=filename[:200],
            purpose=purpose,
            sha256=hashlib.sha256(data).hexdigest(),
            rows=rows,
            converted=converted,
        )
        try:
            disk.write_bytes(self._data(file.id), data, durable=True)
            # The record is written last: where it exists, the file is whole.
            disk.write_json(self._folder / f"{file.id}.json", file.model_dump(), durable=True)
        except OSError:
            self._data(file.id).unlink(missing_ok=True)
            raise
        self._files[file.id] = file
        return file

    def read(self, file_id: str) -> bytes:
        """The bytes as they were uploaded."""
        return self._data(self.get(file_id).id).read_bytes()

    def delete(self, file_id: str) -> None:
        """Removes a file. Jobs made from it have copies of the rows."""
        file = self.get(file_id)
        (self._folder / f"{file.id}.json").unlink(missing_ok=True)
        self._data(file.id).unlink(missing_ok=True)
        del self._files[file.id]

    def _data(self, file_id: str) -> Path:
        return self._folder / f"{file_id}.data"


FILES = web.AppKey("files", FileStore)


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
        raise _too_large()
    if request.content_type != "multipart/form-data":
        raise APIError("Upload the file as multipart/form-data.", code="invalid_form")
    try:
        purpose, filename, data = await _read_form(request)
    except MALFORMED_FORM:
        raise APIError("The form is malformed or was cut off.", code="invalid_form") from None
    if purpose != "fine-tune":
        raise _wrong_purpose()
    if data is None:
        raise missing_parameter("file")
    file = await asyncio.to_thread(_check_and_store, request.app[FILES], filename, bytes(data))
    return web.json_response(file.to_api())


def _check_and_store(files: FileStore, filename: str, data: bytes) -> StoredFile:
    parsed = parse_training_file(data)
    return files.add(data, filename, "fine-tune", rows=len(parsed.rows), converted=parsed.converted)


async def _read_form(request: web.Request) -> tuple[str | None, str, bytearray | None]:
    """Purpose, file name and bytes of an upload. Reading stops at the bounds."""
    purpose, filename, data = None, "", None
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name not in ("purpose", "file"):
            raise unknown_parameter(without_surrogates(getattr(part, "name", None) or "an unnamed part"))
        if part.name == "file":
            filename, data = (
                without_surrogates(part.filename or "upload.jsonl"),
                await _read_part(part, MAX_BYTES, _too_large()),
            )
        else:
            purpose = (await _read_part(part, MAX_PURPOSE, _wrong_purpose())).decode("utf-8", errors="replace")
    return purpose, filename, data


async def _read_part(part: BodyPartReader, limit: int, too_long: APIError) -> bytearray:
    data = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        data += chunk
        if len(data) > limit:
            raise too_long
    return data


def _wrong_purpose() -> APIError:
    return invalid_value("This engine keeps files for fine-tuning alone.", "purpose")


def _too_large() -> APIError:
    return APIError(
        f"The file is larger than {MAX_BYTES:,} bytes, the most that this engine trains on.",
        status=413,
        code="file_too_large",
        param="file",
    )


async def _list(request: web.Request) -> web.Response:
    page = page_of(request, default=10_000, maximum=10_000, also=("order", "purpose"))
    purpose, order = request.query.get("purpose"), request.query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise invalid_value("order must be asc or desc.", "order")
    files = [file.to_api() for file in request.app[FILES].all() if purpose is None or file.purpose == purpose]
    return web.json_response(list_page(files if order == "desc" else files[::-1], page))


async def _show(request: web.Request) -> web.Response:
    return web.json_response(request.app[FILES].get(request.match_info["file"]).to_api())


async def _content(request: web.Request) -> web.Response:
    file = request.app[FILES].get(request.match_info["file"])
    data = await asyncio.to_thread(request.app[FILES].read, file.id)
    kind = "text/csv" if file.purpose == "fine-tune-results" else "application/jsonl"
    return web.Response(body=data, content_type=kind)


async def _delete(request: web.Request) -> web.Response:
    file_id = request.match_info["file"]
    await asyncio.to_thread(request.app[FILES].delete, file_id)
    return web.json_response({"id": file_id, "object": "file", "deleted": True})
