"""Interactions: the dispatch to the bot, the callback, the original response, follow-ups, and the token's expiry."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field

from aiohttp import web

from tests.wire import payloads, seeds
from tests.wire.errors import ApiError, FormErrors, Json, api_error
from tests.wire.faults import json_response
from tests.wire.limits import check_choices, check_modal
from tests.wire.messages import (
    MessageBody,
    create_message,
    delete_message_of,
    dispatch_message,
    edit_message_of,
    read_message_body,
    visible_texts,
)
from tests.wire.state import STATE, State
from tests.wire.world import DM, EPHEMERAL, LOADING, Channel, Message

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
# A person who installed the bot for themselves, in a server without it, gets so many follow-ups.
USER_INSTALL_FOLLOWUPS = 5


@dataclass(slots=True)
class Interaction:
    """One interaction. Times of `events` and `dispatched` are monotonic seconds, for measuring across processes."""

    id: int
    kind: int
    name: str
    token: str
    user_id: int
    channel_id: int
    data: Json
    expires: float
    source: Message | None = None
    user_install: bool = False
    # The interaction that opened the modal which this one submits.
    parent: "Interaction | None" = None
    dispatched: float = 0.0
    failed: bool = False
    callback: int | None = None
    original_id: int | None = None
    followups: list[int] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] | None = None
    events: list[Json] = field(default_factory=list)
    version: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, what: str, **more: object) -> None:
        """Writes down what the bot did, and wakes who waits for it."""
        self.events.append({"at": time.monotonic(), "what": what} | more)
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()


def dispatch_interaction(
    state: State,
    kind: int,
    name: str,
    *,
    user_id: int,
    channel: Channel,
    data: Json,
    source: Message | None = None,
    user_install: bool = False,
    parent: Interaction | None = None,
) -> Interaction:
    """Creates an interaction, sends it to the bot and starts its three seconds."""
    interaction = Interaction(
        id=state.world.snowflake(),
        kind=kind,
        name=name,
        token=secrets.token_urlsafe(60),
        user_id=user_id,
        channel_id=channel.id,
        data=data,
        expires=state.world.now() + state.settings.token_life,
        source=source,
        user_install=user_install,
        parent=parent,
    )
    state.interactions[interaction.id] = interaction
    state.tokens[interaction.token] = interaction
    payload = _payload(state, interaction, channel)
    interaction.dispatched = time.monotonic()
    state.gateway.dispatch("INTERACTION_CREATE", payload)
    loop = asyncio.get_running_loop()
    loop.call_later(state.settings.response_deadline, _miss_deadline, interaction)
    return interaction


def _miss_deadline(interaction: Interaction) -> None:
    if interaction.callback is None:
        interaction.failed = True
        interaction.note("failed")


def _payload(state: State, interaction: Interaction, channel: Channel) -> Json:
    world = state.world
    payload: Json = {
        "id": str(interaction.id),
        "application_id": str(seeds.APPLICATION),
        "type": interaction.kind,
        "token": interaction.token,
        "version": 1,
        "data": interaction.data,
        "channel_id": str(channel.id),
        "channel": payloads.channel(world, channel),
        "app_permissions": str(payloads.permissions_in(world, channel, seeds.APPLICATION)),
        "locale": world.users[interaction.user_id].locale,
        "entitlements": [],
        "attachment_size_limit": state.settings.upload_limit,
        "context": 1 if channel.kind == DM else 0,
        "authorizing_integration_owners": {},
    }
    if interaction.source:
        payload["message"] = payloads.message(world, interaction.source)
    if channel.guild_id is None:
        payload["user"] = payloads.user(world.users[interaction.user_id])
        payload["authorizing_integration_owners"] = {"0": "0"}
    else:
        guild = world.guild(channel.guild_id)
        payload["channel"]["permissions"] = str(payloads.permissions_in(world, channel, interaction.user_id))
        payload["member"] = payloads.member_in(world, channel, interaction.user_id)
        payload["guild_id"] = str(guild.id)
        payload["guild_locale"] = guild.locale
        payload["guild"] = {"id": str(guild.id), "locale": guild.locale, "features": []}
        payload["authorizing_integration_owners"] = {"0": str(guild.id)}
    if interaction.user_install:
        payload["authorizing_integration_owners"] = {"1": str(interaction.user_id)}
    return payload


def metadata(state: State, interaction: Interaction) -> Json:
    """What a message says about the interaction that it answers; `name` is for the older form."""
    about: Json = {
        "id": str(interaction.id),
        "type": interaction.kind,
        "name": interaction.name,
        "user": payloads.user(state.world.users[interaction.user_id]),
        "authorizing_integration_owners": {},
    }
    if interaction.kind == COMPONENT and interaction.source is not None:
        about["interacted_message_id"] = str(interaction.source.id)
    if interaction.parent is not None:
        about["triggering_interaction_metadata"] = metadata(state, interaction.parent)
    return about


def interaction_for_callback(state: State, interaction_id: int, token: str) -> Interaction:
    """The interaction that a first response is for, or 10062 when too late and 40060 when answered already."""
    interaction = state.interactions.get(interaction_id)
    if interaction is None or interaction.token != token:
        raise api_error("unknown_interaction")
    if interaction.callback is not None:
        raise api_error("acknowledged")
    late = time.monotonic() - interaction.dispatched > state.settings.response_deadline
    if late or interaction.failed:
        interaction.failed = True
        raise api_error("unknown_interaction")
    return interaction


def interaction_for_webhook(state: State, token: str) -> Interaction:
    """The interaction whose token this is: 50027 when it has run out, 10015 when it was never answered."""
    interaction = state.tokens.get(token)
    if interaction is None:
        raise api_error("unknown_webhook")
    if state.world.now() >= interaction.expires:
        raise api_error("invalid_token")
    if interaction.callback is None or interaction.kind == AUTOCOMPLETE:
        raise api_error("unknown_webhook")
    return interaction


def message_of(state: State, interaction: Interaction, ref: str) -> Message:
    """The message that `@original` or an id names: a response of this interaction, or the one it came from."""
    wanted = interaction.original_id if ref == "@original" else int(ref)
    known = (interaction.original_id, *interaction.followups)
    if wanted is None or wanted not in known:
        raise api_error("unknown_message")
    return state.world.message(interaction.channel_id, wanted)


def expire(state: State) -> int:
    """Ends the life of every token given so far; returns how many."""
    for interaction in state.interactions.values():
        interaction.expires = 0.0
    return len(state.interactions)


def timeline_of(interaction: Interaction) -> Json:
    """What happened when: the moments that benchmarks need, in monotonic seconds."""
    return {
        "id": str(interaction.id),
        "kind": interaction.kind,
        "name": interaction.name,
        "dispatched": interaction.dispatched,
        "failed": interaction.failed,
        "events": interaction.events,
    }


PONG, REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
# Types of messages.
REPLY_MESSAGE, SLASH_RESPONSE, MENU_RESPONSE = 19, 20, 23

routes = web.RouteTableDef()


@routes.post("/api/v10/interactions/{interaction_id}/{webhook_token}/callback")
async def callback(request: web.Request) -> web.Response:
    """The first response, of type 4 to 9; a modal only here, choices only for autocomplete."""
    state = request.app[STATE]
    draft = await read_message_body(request, state)
    info = request.match_info
    interaction = interaction_for_callback(state, int(info["interaction_id"]), info["webhook_token"])
    kind = draft.payload.get("type")
    _check_kind(interaction, kind)
    data = draft.payload.get("data") or {}
    inner = MessageBody(data, draft.files, prefix=("data",))
    message = _respond(state, interaction, kind, inner)
    interaction.callback = kind
    interaction.note("callback", type=kind, **_measure(message))
    if request.query.get("with_response") not in ("1", "true"):
        return web.Response(status=204)
    return json_response(_receipt(state, interaction, kind, message))


def _check_kind(interaction: Interaction, kind: int | None) -> None:
    """Which first responses an interaction takes."""
    if interaction.kind == AUTOCOMPLETE:
        allowed = {CHOICES}
    else:
        allowed = {REPLY, DEFER}
        if interaction.kind != MODAL_SUBMIT:
            allowed.add(MODAL)
        if interaction.source is not None and interaction.kind in (COMPONENT, MODAL_SUBMIT):
            allowed |= {DEFER_UPDATE, UPDATE}
    if kind not in allowed:
        form = FormErrors()
        form.add(("type",), "INTERACTION_CALLBACK_TYPE_INVALID", "This interaction cannot be answered so.")
        form.close()


def _respond(state: State, interaction: Interaction, kind: int | None, draft: MessageBody) -> Message | None:
    if kind == MODAL:
        check_modal(draft.payload)
        interaction.modal = draft.payload
    elif kind == CHOICES:
        choices = draft.payload.get("choices") or []
        form = FormErrors("data")
        check_choices(form, ("choices",), choices)
        form.close()
        interaction.choices = choices
    elif kind in (DEFER_UPDATE, UPDATE):
        source = interaction.source
        if source is None:
            raise api_error("unknown_message")
        interaction.original_id = source.id
        return edit_message_of(state, source, draft) if kind == UPDATE else source
    elif kind == DEFER:
        message = _send(state, interaction, draft, loading=True)
        interaction.original_id = message.id
        return message
    else:
        message = _send(state, interaction, draft)
        interaction.original_id = message.id
        return message
    return None


def _send(state: State, interaction: Interaction, draft: MessageBody, *, loading: bool = False) -> Message:
    """Writes a response's message; one that is ephemeral has the asker as its only reader."""
    channel = state.world.channel(interaction.channel_id)
    payload = draft.payload
    fields: Json = {"by_webhook": True, "interaction": metadata(state, interaction)}
    answers = interaction.original_id or (interaction.source and interaction.source.id)
    if answers:
        fields["kind"] = REPLY_MESSAGE
        fields["reference"] = {"type": 0, "channel_id": str(channel.id), "message_id": str(answers)}
    elif interaction.kind == COMMAND:
        fields["kind"] = SLASH_RESPONSE if interaction.data.get("type") == 1 else MENU_RESPONSE
    if (payload.get("flags") or 0) & EPHEMERAL:
        fields["audience"] = interaction.user_id
    if not loading:
        return create_message(state, channel, seeds.APPLICATION, draft, **fields)
    # Discord writes the placeholder itself: what a deferral says beside its flags is not looked at.
    placeholder = Message(state.world.snowflake(), channel.id, seeds.APPLICATION)
    for name, value in fields.items():
        setattr(placeholder, name, value)
    placeholder.flags = LOADING | ((payload.get("flags") or 0) & EPHEMERAL)
    channel.messages[placeholder.id] = placeholder
    state.world.touch()
    dispatch_message(state, "MESSAGE_CREATE", placeholder)
    return placeholder


def _receipt(state: State, interaction: Interaction, kind: int | None, message: Message | None) -> Json:
    about: Json = {"id": str(interaction.id), "type": interaction.kind}
    resource: Json = {"type": kind}
    if message is not None:
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": bool(message.flags & LOADING),
            "response_message_ephemeral": message.audience is not None,
            "channel_id": str(message.channel_id),
        }
        resource["message"] = payloads.message(state.world, message)
    return {"interaction": about, "resource": resource}


def _measure(message: Message | None) -> Json:
    """What a benchmark wants to know of an answer: its characters, its files, and whether it has components."""
    if message is None:
        return {}
    length = sum(map(len, visible_texts(message.content, message.components)))
    parts = len(message.components)
    return {"message": str(message.id), "length": length, "components": parts, "files": len(message.attachments)}


@routes.post("/api/v10/webhooks/{webhook_id}/{webhook_token}")
async def follow_up(request: web.Request) -> web.Response:
    """Another message. While the deferred placeholder stands, it becomes this message."""
    state = request.app[STATE]
    interaction = interaction_for_webhook(state, request.match_info["webhook_token"])
    draft = await read_message_body(request, state)
    placeholder = _placeholder(state, interaction)
    if interaction.user_install and len(interaction.followups) >= USER_INSTALL_FOLLOWUPS:
        raise api_error("too_many_followups")
    message = edit_message_of(state, placeholder, draft) if placeholder else _send(state, interaction, draft)
    interaction.followups.append(message.id)
    interaction.note("follow-up", **_measure(message))
    return json_response(payloads.message(state.world, message))


def _placeholder(state: State, interaction: Interaction) -> Message | None:
    messages = state.world.channel(interaction.channel_id).messages
    found = messages.get(interaction.original_id or 0)
    return found if found and found.flags & LOADING else None


MESSAGE = "/api/v10/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"


@routes.get(MESSAGE)
async def get_response(request: web.Request) -> web.Response:
    """A response by its id, or `@original`."""
    state = request.app[STATE]
    interaction = interaction_for_webhook(state, request.match_info["webhook_token"])
    message = message_of(state, interaction, request.match_info["message_id"])
    return json_response(payloads.message(state.world, message))


@routes.patch(MESSAGE)
async def edit_response(request: web.Request) -> web.Response:
    """Changes a response."""
    state = request.app[STATE]
    interaction = interaction_for_webhook(state, request.match_info["webhook_token"])
    draft = await read_message_body(request, state)
    message = message_of(state, interaction, request.match_info["message_id"])
    try:
        edit_message_of(state, message, draft)
    except ApiError as error:
        interaction.note("edit refused", code=error.code)
        raise
    interaction.note("edit", **_measure(message))
    return json_response(payloads.message(state.world, message))


@routes.delete(MESSAGE)
async def delete_response(request: web.Request) -> web.Response:
    """Removes a response."""
    state = request.app[STATE]
    interaction = interaction_for_webhook(state, request.match_info["webhook_token"])
    delete_message_of(state, message_of(state, interaction, request.match_info["message_id"]))
    interaction.note("delete")
    return web.Response(status=204)
