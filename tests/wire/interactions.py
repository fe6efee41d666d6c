"""An interaction from its dispatch to the end of its token: who may answer it, how often, and until when."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field

from tests.wire import payloads, seeds
from tests.wire.form import Json, refusal
from tests.wire.state import State
from tests.wire.world import DM, Channel, Message

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


def begin(
    state: State,
    kind: int,
    name: str,
    *,
    user_id: int,
    channel: Channel,
    data: Json,
    source: Message | None = None,
    user_install: bool = False,
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
    return {
        "id": str(interaction.id),
        "type": interaction.kind,
        "name": interaction.name,
        "user": payloads.user(state.world.users[interaction.user_id]),
        "authorizing_integration_owners": {},
    }


def for_callback(state: State, interaction_id: int, token: str) -> Interaction:
    """The interaction that a first response is for, or 10062 when too late and 40060 when answered already."""
    interaction = state.interactions.get(interaction_id)
    if interaction is None or interaction.token != token:
        raise refusal("unknown_interaction")
    if interaction.callback is not None:
        raise refusal("acknowledged")
    late = time.monotonic() - interaction.dispatched > state.settings.response_deadline
    if late or interaction.failed:
        interaction.failed = True
        raise refusal("unknown_interaction")
    return interaction


def for_webhook(state: State, token: str) -> Interaction:
    """The interaction whose token this is: 50027 when it has run out, 10015 when it was never answered."""
    interaction = state.tokens.get(token)
    if interaction is None:
        raise refusal("unknown_webhook")
    if state.world.now() >= interaction.expires:
        raise refusal("invalid_token")
    if interaction.callback is None or interaction.kind == AUTOCOMPLETE:
        raise refusal("unknown_webhook")
    return interaction


def message_of(state: State, interaction: Interaction, ref: str) -> Message:
    """The message that `@original` or an id names: a response of this interaction, or the one it came from."""
    wanted = interaction.original_id if ref == "@original" else int(ref)
    known = (interaction.original_id, *interaction.followups)
    if wanted is None or wanted not in known:
        raise refusal("unknown_message")
    return state.world.message(interaction.channel_id, wanted)


def expire(state: State) -> int:
    """Ends the life of every token given so far; returns how many."""
    for interaction in state.interactions.values():
        interaction.expires = 0.0
    return len(state.interactions)


def timeline(interaction: Interaction) -> Json:
    """What happened when: the moments that benchmarks need, in monotonic seconds."""
    return {
        "id": str(interaction.id),
        "kind": interaction.kind,
        "name": interaction.name,
        "dispatched": interaction.dispatched,
        "failed": interaction.failed,
        "events": interaction.events,
    }
