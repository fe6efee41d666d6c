"""The server's whole state in one object, which every route gets from the application."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from tests.wire import payloads, seeds
from tests.wire.errors import Json
from tests.wire.faults import Faults
from tests.wire.gateway import INTENT_CONTENT, INTENT_MEMBERS, Gateway, Session
from tests.wire.rates import Rates
from tests.wire.world import World

if TYPE_CHECKING:
    from tests.wire.interactions import Interaction

# Requests kept for tests to look at; a benchmark's thousands of commands fit.
JOURNAL = 50_000


@dataclass(slots=True)
class Settings:
    """Settings that a test may change, in seconds and bytes; the defaults are Discord's."""

    response_deadline: float = 3.0
    token_life: float = 900.0
    upload_limit: int = 10 * 1024 * 1024
    old_edit_limit: bool = False
    message_content: bool = False
    guild_members: bool = False
    user_install: bool = False
    shards: int = 1
    max_concurrency: int = 1


@dataclass(slots=True)
class State:
    """The state of one server."""

    address: str
    world: World = field(default_factory=seeds.seed)
    settings: Settings = field(default_factory=Settings)
    rates: Rates = field(default_factory=Rates)
    faults: Faults = field(default_factory=Faults)
    journal: deque[Json] = field(default_factory=lambda: deque(maxlen=JOURNAL))
    commands: dict[int, list[Json]] = field(default_factory=dict)
    interactions: "dict[int, Interaction]" = field(default_factory=dict)
    tokens: "dict[str, Interaction]" = field(default_factory=dict)
    requests: int = 0
    invalid_requests: int = 0
    gateway: Gateway = field(init=False)

    def __post_init__(self) -> None:
        """Create the gateway for this world."""
        self.gateway = Gateway(seeds.TOKEN, self.ready_data)
        self.gateway.members = self.members_chunk

    def application_flags(self) -> int:
        """The flags that say which privileged intents are switched on in the portal."""
        content = payloads.FLAG_MESSAGE_CONTENT if self.settings.message_content else 0
        return content | (payloads.FLAG_GUILD_MEMBERS if self.settings.guild_members else 0)

    def apply(self) -> None:
        """Pass changed settings on to the gateway."""
        content = INTENT_CONTENT if self.settings.message_content else 0
        self.gateway.max_concurrency = self.settings.max_concurrency
        self.gateway.allowed_intents = content | (INTENT_MEMBERS if self.settings.guild_members else 0)

    def ready_data(self, session: Session) -> tuple[Json, list[Json]]:
        """The data of READY, and the guilds for the GUILD_CREATE events after it; each shard gets its own of them."""
        here = [one for one in self.world.guilds.values() if session.concerns("GUILD_CREATE", {"id": one.id})]
        channels = self.world.channels_by_guild()
        ready = {
            "v": 10,
            "user": payloads.user(self.world.users[seeds.APPLICATION]) | {"verified": True, "mfa_enabled": True},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in here],
            "shard": list(session.shard),
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.gateway_url(),
            "application": {"id": str(seeds.APPLICATION), "flags": self.application_flags()},
            "private_channels": [],
            "relationships": [],
        }
        return ready, [payloads.guild(self.world, guild, channels.get(guild.id, [])) for guild in here]

    def members_chunk(self, request: Json) -> Json:
        """The answer to a request for members, by ids or by the start of a name."""
        guild = self.world.guild(int(request["guild_id"]))
        wanted = request.get("user_ids") or []
        ids = {int(one) for one in (wanted if isinstance(wanted, list) else [wanted])}
        query = (request.get("query") or "").lower()
        found = [
            payloads.member(self.world, guild, user_id)
            for user_id in guild.members
            if (user_id in ids if ids else self.world.users[user_id].name.startswith(query))
        ]
        return {
            "guild_id": str(guild.id),
            "members": found,
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [str(one) for one in ids - guild.members.keys()],
            "nonce": request.get("nonce"),
        }

    def gateway_url(self) -> str:
        """The address that a bot's gateway connection goes to."""
        return self.address.replace("http", "ws", 1) + "/gateway"


STATE = web.AppKey("state", State)
# The journal entry of a request.
JOURNAL_ENTRY = web.RequestKey("journal", dict)
