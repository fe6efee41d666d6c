"""Reads request bodies: JSON, or multipart with `payload_json` and `files[n]`, within the upload limit."""

import json
import mimetypes
import re

from aiohttp import BodyPartReader, web

from tests.wire.form import Json, Path, refusal
from tests.wire.posting import Draft, Upload
from tests.wire.state import LINE, State

FILE_FIELD = re.compile(r"files?\[(\d+)\]")


def media_type(name: str) -> str:
    """The type that Discord gives a file, by its name."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


async def read_json(request: web.Request) -> Json:
    """The body as a JSON object, or error 50109."""
    raw = await request.read()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        raise refusal("bad_json") from None
    if not isinstance(body, dict):
        raise refusal("bad_json")
    return body


async def read_draft(request: web.Request, state: State, prefix: Path = ()) -> Draft:
    """A message's body with its files; `prefix` says where in the JSON the message stands."""
    if not request.content_type.startswith("multipart/"):
        return Draft(await read_json(request), prefix=prefix)
    draft = Draft({}, prefix=prefix)
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read())
        if part.name == "payload_json":
            draft.payload = request[LINE]["body"] = json.loads(data)
        elif match := FILE_FIELD.fullmatch(part.name or ""):
            if len(data) > state.settings.upload_limit:
                raise refusal("too_large")
            name = part.filename or "file"
            draft.files.append(Upload(int(match[1]), name, media_type(name), data))
    return draft
