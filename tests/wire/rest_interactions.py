"""The routes by which a bot answers: the callback, the original response, and follow-ups."""

from aiohttp import web

from tests.wire import payloads, seeds
from tests.wire.bodies import read_draft
from tests.wire.faults import json_response
from tests.wire.form import ApiError, Form, Json, refusal
from tests.wire.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    USER_INSTALL_FOLLOWUPS,
    Interaction,
    for_callback,
    for_webhook,
    message_of,
    metadata,
)
from tests.wire.limits import check_choices, check_modal
from tests.wire.mentions import texts
from tests.wire.posting import Draft, announce, delete, edit, post
from tests.wire.state import STATE, State
from tests.wire.world import EPHEMERAL, LOADING, Message

PONG, REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
# Types of messages.
REPLY_MESSAGE, SLASH_RESPONSE, MENU_RESPONSE = 19, 20, 23

routes = web.RouteTableDef()


@routes.post("/api/v10/interactions/{interaction_id}/{webhook_token}/callback")
async def callback(request: web.Request) -> web.Response:
    """The first response, of type 4 to 9; a modal only here, choices only for autocomplete."""
    state = request.app[STATE]
    draft = await read_draft(request, state)
    info = request.match_info
    interaction = for_callback(state, int(info["interaction_id"]), info["webhook_token"])
    kind = draft.payload.get("type")
    _check_kind(interaction, kind)
    data = draft.payload.get("data") or {}
    inner = Draft(data, draft.files, prefix=("data",))
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
        form = Form()
        form.add(("type",), "INTERACTION_CALLBACK_TYPE_INVALID", "This interaction cannot be answered so.")
        form.close()


def _respond(state: State, interaction: Interaction, kind: int | None, draft: Draft) -> Message | None:
    if kind == MODAL:
        check_modal(draft.payload)
        interaction.modal = draft.payload
    elif kind == CHOICES:
        choices = draft.payload.get("choices") or []
        form = Form("data")
        check_choices(form, ("choices",), choices)
        form.close()
        interaction.choices = choices
    elif kind in (DEFER_UPDATE, UPDATE):
        source = interaction.source
        if source is None:
            raise refusal("unknown_message")
        interaction.original_id = source.id
        return edit(state, source, draft) if kind == UPDATE else source
    elif kind == DEFER:
        message = _send(state, interaction, draft, loading=True)
        interaction.original_id = message.id
        return message
    else:
        message = _send(state, interaction, draft)
        interaction.original_id = message.id
        return message
    return None


def _send(state: State, interaction: Interaction, draft: Draft, *, loading: bool = False) -> Message:
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
        return post(state, channel, seeds.APPLICATION, draft, **fields)
    # Discord writes the placeholder itself: what a deferral says beside its flags is not looked at.
    placeholder = Message(state.world.snowflake(), channel.id, seeds.APPLICATION)
    for name, value in fields.items():
        setattr(placeholder, name, value)
    placeholder.flags = LOADING | ((payload.get("flags") or 0) & EPHEMERAL)
    channel.messages[placeholder.id] = placeholder
    state.world.touch()
    announce(state, "MESSAGE_CREATE", placeholder)
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
    length = sum(map(len, texts(message.content, message.components)))
    parts = len(message.components)
    return {"message": str(message.id), "length": length, "components": parts, "files": len(message.attachments)}


@routes.post("/api/v10/webhooks/{webhook_id}/{webhook_token}")
async def follow_up(request: web.Request) -> web.Response:
    """Another message. While the deferred placeholder stands, it becomes this message."""
    state = request.app[STATE]
    interaction = for_webhook(state, request.match_info["webhook_token"])
    draft = await read_draft(request, state)
    placeholder = _placeholder(state, interaction)
    if interaction.user_install and len(interaction.followups) >= USER_INSTALL_FOLLOWUPS:
        raise refusal("too_many_followups")
    message = edit(state, placeholder, draft) if placeholder else _send(state, interaction, draft)
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
    interaction = for_webhook(state, request.match_info["webhook_token"])
    message = message_of(state, interaction, request.match_info["message_id"])
    return json_response(payloads.message(state.world, message))


@routes.patch(MESSAGE)
async def edit_response(request: web.Request) -> web.Response:
    """Changes a response."""
    state = request.app[STATE]
    interaction = for_webhook(state, request.match_info["webhook_token"])
    draft = await read_draft(request, state)
    message = message_of(state, interaction, request.match_info["message_id"])
    try:
        edit(state, message, draft)
    except ApiError as error:
        interaction.note("edit refused", code=error.code)
        raise
    interaction.note("edit", **_measure(message))
    return json_response(payloads.message(state.world, message))


@routes.delete(MESSAGE)
async def delete_response(request: web.Request) -> web.Response:
    """Removes a response."""
    state = request.app[STATE]
    interaction = for_webhook(state, request.match_info["webhook_token"])
    delete(state, message_of(state, interaction, request.match_info["message_id"]))
    interaction.note("delete")
    return web.Response(status=204)
