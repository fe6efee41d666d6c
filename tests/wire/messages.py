"""Read request bodies, and create, edit and delete messages, for REST routes, interactions and people."""

import json
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from tests.wire import payloads, seeds
from tests.wire.errors import Json, Path, api_error
from tests.wire.gateway import INTENT_CONTENT, INTENT_DM, INTENT_MESSAGES
from tests.wire.limits import check_message, check_not_empty, media_items, number_components, walk
from tests.wire.state import JOURNAL_ENTRY, State
from tests.wire.world import COMPONENTS_V2, LOADING, Channel, Message, snowflake_time

USER = re.compile(r"<@!?(\d{15,20})>")
ROLE = re.compile(r"<@&(\d{15,20})>")
EVERYONE = re.compile(r"@(everyone|here)\b")


def visible_texts(content: str, components: list[Json]) -> Iterator[str]:
    """The texts that can ping: the content, and the text displays of Components V2."""
    yield content
    for component in components:
        if component.get("type") == 10:
            yield component.get("content") or ""
        yield from visible_texts("", component.get("components") or [])


def pinged_by(content: str, components: list[Json], allowed: Json | None) -> list[str]:
    """Whom it would notify: user ids, role ids with `&` before them, and `everyone`.

    Without `allowed_mentions` everything pings. `parse` lets a kind through; `users` and `roles` single ids.
    """
    text = "\n".join(visible_texts(content, components))
    found = [f"{user}" for user in USER.findall(text) if _passes("users", user, allowed)]
    found += [f"&{role}" for role in ROLE.findall(text) if _passes("roles", role, allowed)]
    if EVERYONE.search(text) and (allowed is None or "everyone" in (allowed.get("parse") or [])):
        found.append("everyone")
    return list(dict.fromkeys(found))


def _passes(kind: str, snowflake: str, allowed: Json | None) -> bool:
    if allowed is None or kind in (allowed.get("parse") or []):
        return True
    return snowflake in [str(item) for item in allowed.get(kind) or []]


def pings_author(allowed: Json | None) -> bool:
    """Whether a reply pings the author of the message it answers; the default is yes."""
    return bool((allowed or {}).get("replied_user", allowed is None))


# An author may set these alone: embeds suppressed, ephemeral, no notification, Components V2.
SETTABLE = 1 << 2 | 1 << 6 | 1 << 12 | COMPONENTS_V2
OLD_SECONDS = 3600


@dataclass(slots=True)
class Upload:
    """A file that came with a request, at the place `files[index]`."""

    index: int
    name: str
    kind: str
    data: bytes


@dataclass(slots=True)
class MessageBody:
    """A message on its way in: the request's JSON, its files, and where in the JSON the message stands."""

    payload: Json
    files: list[Upload] = field(default_factory=list)
    prefix: Path = ()


def create_message(state: State, channel: Channel, author: int, draft: MessageBody, **fields: object) -> Message:
    """Writes a new message, checked against the limits, and tells the gateway. `fields` are `Message`'s own."""
    payload = draft.payload
    flags = (payload.get("flags") or 0) & SETTABLE
    check_not_empty(payload, len(draft.files))
    names = [upload.name for upload in draft.files]
    check_message(payload, flags=flags, file_names=names, prefix=draft.prefix)
    message = Message(state.world.snowflake(), channel.id, author, flags=flags)
    for name, value in fields.items():
        setattr(message, name, value)
    _fill(state, message, draft)
    _mention(state, message, payload.get("allowed_mentions"))
    channel.messages[message.id] = message
    state.world.touch()
    dispatch_message(state, "MESSAGE_CREATE", message)
    return message


def edit_message_of(state: State, message: Message, draft: MessageBody) -> Message:
    """Changes the fields that the request names, and no others."""
    payload = draft.payload
    _refuse_old(state, message)
    flags = message.flags | ((payload.get("flags") or 0) & COMPONENTS_V2)
    kept = _kept(message, payload)
    names = [upload.name for upload in draft.files] + [attachment["filename"] for attachment in kept]
    # What stays is checked together with what changes, so that no edit leaves an impossible message.
    whole = {"content": message.content, "embeds": message.embeds} | payload
    if "components" not in payload:
        whole["components"] = message.components
    check_message(whole, flags=flags, file_names=names, prefix=draft.prefix)
    first_words = message.flags & LOADING
    message.flags = flags & ~LOADING
    message.attachments = kept
    _fill(state, message, draft)
    if first_words:
        # Later edits notify nobody; the one that fills a deferred response does.
        _mention(state, message, payload.get("allowed_mentions"))
    message.edited = state.world.now()
    message.edits += 1
    state.world.touch()
    dispatch_message(state, "MESSAGE_UPDATE", message)
    return message


def delete_message_of(state: State, message: Message) -> None:
    """Removes a message and tells the gateway."""
    channel = state.world.channel(message.channel_id)
    channel.messages.pop(message.id, None)
    state.world.touch()
    if message.audience is None:
        data = {"id": str(message.id), "channel_id": str(channel.id)}
        if channel.guild_id:
            data["guild_id"] = str(channel.guild_id)
        state.gateway.dispatch("MESSAGE_DELETE", data, _intent(channel))


def dispatch_message(state: State, event: str, message: Message) -> None:
    """Tells the gateway of a message, without its words where the bot may not read them.

    A message that one person alone sees goes to nobody else, the bot's gateway included.
    """
    if message.audience is not None:
        return
    channel = state.world.channel(message.channel_id)
    payload = payloads.message(state.world, message)
    if channel.guild_id:
        payload["guild_id"] = str(channel.guild_id)
        guild = state.world.guild(channel.guild_id)
        if message.author_id in guild.members:
            payload["member"] = payloads.member(state.world, guild, message.author_id, with_user=False)
    readable = _readable(channel, message)
    blind = payload if readable else _blind(payload)
    state.gateway.dispatch(event, lambda intents: payload if intents & INTENT_CONTENT else blind, _intent(channel))


def _readable(channel: Channel, message: Message) -> bool:
    """Whether the bot may read it without the message content intent: its own, to it, or mentioning it."""
    own = message.author_id == seeds.APPLICATION
    return own or channel.guild_id is None or seeds.APPLICATION in message.mentions


def _blind(payload: Json) -> Json:
    empty: Json = {"content": "", "embeds": [], "attachments": [], "components": []}
    hidden = {key: value for key, value in payload.items() if key != "poll"} | empty
    if "message_snapshots" in hidden:
        hidden["message_snapshots"] = [{"message": one["message"] | empty} for one in payload["message_snapshots"]]
    referenced = hidden.get("referenced_message")
    if referenced and referenced["author"]["id"] != str(seeds.APPLICATION):
        hidden["referenced_message"] = referenced | {"content": "", "embeds": [], "attachments": []}
    return hidden


def _intent(channel: Channel) -> int:
    return INTENT_MESSAGES if channel.guild_id else INTENT_DM


def _refuse_old(state: State, message: Message) -> None:
    age = state.world.now() - snowflake_time(message.id)
    if state.settings.old_edit_limit and age > OLD_SECONDS:
        raise api_error("old_edits")


def _kept(message: Message, payload: Json) -> list[Json]:
    """The attachments that an edit keeps: those it lists, or all where it lists none."""
    if payload.get("attachments") is None:
        return message.attachments
    listed = {str(entry.get("id")) for entry in payload["attachments"]}
    return [attachment for attachment in message.attachments if attachment["id"] in listed]


def _fill(state: State, message: Message, draft: MessageBody) -> None:
    payload = draft.payload
    if "content" in payload:
        message.content = payload["content"] or ""
    entries = {str(entry.get("id")): entry for entry in payload.get("attachments") or []}
    for upload in draft.files:
        described = entries.get(str(upload.index), {})
        attachment = store_file(state, message.channel_id, upload)
        if described.get("description"):
            attachment["description"] = described["description"]
        message.attachments = [*message.attachments, attachment]
    urls = {f"attachment://{item['filename']}": item for item in message.attachments}
    if "embeds" in payload:
        message.embeds = [{"type": "rich"} | embed for embed in payload["embeds"] or []]
        for embed in message.embeds:
            embed["fields"] = [{"inline": False} | field for field in embed.get("fields") or []]
            for slot in ("image", "thumbnail"):
                _resolve(embed.get(slot), urls)
    if "components" in payload:
        message.components = payload["components"] or []
        number_components(message.components)
        for _, component in walk(message.components):
            if found := urls.get((component.get("file") or {}).get("url", "")):
                component.update(name=found["filename"], size=found["size"])
            for item in media_items(component):
                _resolve(item, urls)
            if component.get("emoji"):
                component["emoji"] = {key: value for key, value in component["emoji"].items() if value is not None}


def _resolve(item: Json | None, urls: dict[str, Json]) -> None:
    """Puts the file's address where `attachment://name` stood."""
    found = urls.get((item or {}).get("url", ""))
    if item is not None and found is not None:
        item.update(url=found["url"], proxy_url=found["proxy_url"], attachment_id=found["id"], id=found["id"])


def store_file(state: State, channel_id: int, upload: Upload) -> Json:
    """Keeps a file for the CDN route, and returns its attachment object."""
    if len(upload.data) > state.settings.upload_limit:
        raise api_error("too_large")
    file_id = state.world.snowflake()
    state.world.files[file_id] = (upload.kind, upload.data)
    url = f"{state.address}/cdn/attachments/{channel_id}/{file_id}/{upload.name}"
    return {
        "id": str(file_id),
        "filename": upload.name,
        "size": len(upload.data),
        "url": url,
        "proxy_url": url,
        "content_type": upload.kind,
    }


def _mention(state: State, message: Message, allowed: Json | None) -> None:
    """Works out whom a new message mentions and whom it notifies."""
    found = pinged_by(message.content, message.components, allowed)
    mentioned = [int(user) for user in USER.findall(message.content)]
    answered = _answered(state, message)
    if answered and pings_author(allowed) and answered.author_id != message.author_id:
        found.append(str(answered.author_id))
        # A reply to the response of an interaction does not count as a mention of the bot.
        if not answered.by_webhook:
            mentioned.append(answered.author_id)
    message.pings = list(dict.fromkeys(found))
    message.mentions = [user for user in dict.fromkeys(mentioned) if user in state.world.users]


def _answered(state: State, message: Message) -> Message | None:
    if not message.reference:
        return None
    channel = state.world.channel(int(message.reference["channel_id"]))
    return channel.messages.get(int(message.reference["message_id"]))


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
        raise api_error("bad_json") from None
    if not isinstance(body, dict):
        raise api_error("bad_json")
    return body


async def read_message_body(request: web.Request, state: State, prefix: Path = ()) -> MessageBody:
    """A message's body with its files; `prefix` says where in the JSON the message stands."""
    if not request.content_type.startswith("multipart/"):
        return MessageBody(await read_json(request), prefix=prefix)
    draft = MessageBody({}, prefix=prefix)
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read())
        if part.name == "payload_json":
            draft.payload = request[JOURNAL_ENTRY]["body"] = json.loads(data)
        elif match := FILE_FIELD.fullmatch(part.name or ""):
            if len(data) > state.settings.upload_limit:
                raise api_error("too_large")
            name = part.filename or "file"
            draft.files.append(Upload(int(match[1]), name, media_type(name), data))
    return draft
