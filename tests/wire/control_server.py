"""Control: what happened, what goes wrong, and the server's settings."""

import asyncio
import dataclasses

from tests.wire import payloads
from tests.wire.commands import ImpossibleError
from tests.wire.control import action, channel_of, interaction_of, shown, user_of
from tests.wire.faults import Fault
from tests.wire.form import Json
from tests.wire.interactions import Interaction, expire, timeline
from tests.wire.state import State


@action
async def interaction(state: State, body: Json) -> Json:
    """How an interaction stands, as soon as its version is beyond `after`, or after `timeout` seconds."""
    found = interaction_of(state, body)
    if found.version <= body["after"]:
        await _changed(found, body["timeout"])
    messages = state.world.channels[found.channel_id].messages
    ids = list(dict.fromkeys(one for one in (found.original_id, *found.followups) if one))
    original = messages.get(found.original_id or 0)
    return timeline(found) | {
        "version": found.version,
        "token": found.token,
        "callback": found.callback,
        "original": shown(state, original) if original else None,
        "messages": [shown(state, messages[one]) for one in ids if one in messages],
        "modal": found.modal,
        "choices": found.choices,
    }


async def _changed(found: Interaction, timeout: float) -> None:
    try:
        await asyncio.wait_for(found.changed.wait(), timeout)
    except TimeoutError:
        return


@action
async def timelines(state: State, body: Json) -> list[Json]:
    """The timelines of all interactions since the one with that id."""
    return [timeline(one) for one in state.interactions.values() if one.id > int(body["after"])]


@action
async def messages(state: State, body: Json) -> Json:
    """The messages of a channel as a person sees them, as soon as anything changed since `after`."""
    await state.world.changed(body["after"], body["timeout"])
    who = user_of(body)
    ref = str(body["channel"])
    # A thread that is still to come has no messages yet: its id is known before it is there.
    channel = None if ref.isdigit() and int(ref) not in state.world.channels else channel_of(state, body)
    found = [one for one in channel.messages.values() if one.audience in (None, who)] if channel else []
    return {"version": state.world.version, "messages": [shown(state, one) for one in found]}


@action
async def channels(state: State, body: Json) -> list[Json]:
    """All channels and threads."""
    return [payloads.channel(state.world, one) | {"typing": one.typing} for one in state.world.channels.values()]


@action
async def registered(state: State, body: Json) -> dict[str, list[Json]]:
    """The registered commands, by server; the global ones under 0."""
    return {str(scope): found for scope, found in state.commands.items()}


@action
async def status(state: State, body: Json) -> Json:
    """How the bot's connections stand, and how much came in."""
    sessions = [
        {"id": one.id, "connected": one.socket is not None, "intents": one.intents, "sequence": one.sequence}
        for one in state.gateway.sessions.values()
    ]
    return {
        "sessions": sessions,
        "commands": sum(map(len, state.commands.values())),
        "requests": state.requests,
        "invalid_requests": state.invalid_requests,
    }


@action
async def requests(state: State, body: Json) -> list[Json]:
    """The journal, oldest first."""
    return list(state.journal)


@action
async def gateway_log(state: State, body: Json) -> list[Json]:
    """What happened on the gateway, oldest first."""
    return state.gateway.log


@action
async def disturb(state: State, body: Json) -> int:
    """Disturbs the gateway's connections."""
    return await state.gateway.disturb(body["how"])


@action
async def fault(state: State, body: Json) -> Json:
    """Adds a fault."""
    state.faults.rules.append(Fault(**body))
    return {}


@action
async def faults(state: State, body: Json) -> list[Json]:
    """The faults, with how often each has struck; `clear` takes them away."""
    found = [dataclasses.asdict(rule) for rule in state.faults.rules]
    if body.get("clear"):
        state.faults.rules.clear()
    return found


@action
async def expire_tokens(state: State, body: Json) -> int:
    """Ends the life of all interaction tokens."""
    return expire(state)


@action
async def configure(state: State, body: Json) -> Json:
    """Changes settings of the server, its gateway and its rate limits."""
    for name, value in body.items():
        if name == "rate_limits":
            state.rates.enabled = value
        elif name == "rate_scale":
            state.rates.scale = value
        elif name == "clock_shift":
            state.world.clock_shift = value
        elif name in ("heartbeat_interval", "acknowledge"):
            setattr(state.gateway, name, value)
        elif name in state.settings.__slots__:
            setattr(state.settings, name, value)
        else:
            raise ImpossibleError(f"There is no setting {name!r}.")
    state.apply()
    return {}
