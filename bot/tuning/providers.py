"""The workshop: tuning with its providers, its purse and its desk; between tuning and the rest of the bot."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bot.core.caller import Caller
from bot.core.errors import ConfigError
from bot.core.settings import Settings
from bot.engine.launch import EngineError, connected
from bot.llm.client import ChatClient
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.server.ledger import Ledger
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage import tuning as tuning_rows
from bot.storage.calls import Bill
from bot.storage.database import Database
from bot.tuning.errors import AgainError
from bot.tuning.profiles import PROFILES
from bot.tuning.provider_client import Wire, open_wire
from bot.tuning.service import Tuning

# Calls at one time to a provider of tuned models, beside those to the chat model.
CONCURRENCY = 32


class Providers:
    """Opens each provider once, at first need: most processes never ask one."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings, self._stack = settings, stack
        self._wires: dict[str, Wire] = {}
        self._lock = asyncio.Lock()

    async def wire(self, name: str) -> Wire:
        """The provider called `name`. Raises `ConfigError` where a setting is missing."""
        async with self._lock:
            if name not in self._wires:
                # In a context of its own: a connection outlives the command that needs it first, and is no part of it.
                self._wires[name] = await contextvars.Context().run(asyncio.ensure_future, self._open(name))
            return self._wires[name]

    async def _open(self, name: str) -> Wire:
        url, key = await self._address(name)
        profile = PROFILES[name]
        base = self._settings.tuning_model or profile.base or ""
        return await self._stack.enter_async_context(open_wire(profile, url, key, base, CONCURRENCY))

    async def _address(self, name: str) -> tuple[str, str]:
        """Where a provider is, and with which key."""
        settings = self._settings
        if name == "engine":
            try:
                engine = await self._stack.enter_async_context(connected(settings.data_dir, settings.models))
            except EngineError as error:
                raise AgainError(str(error)) from error
            return engine.url, engine.token
        mine = name == settings.tuning_provider
        url = (settings.tuning_base_url if mine else None) or PROFILES[name].url
        if url is None:
            raise ConfigError("TUNING_BASE_URL is not set: a custom tuning provider needs its address.")
        key = settings.tuning_api_key if mine else None
        if key is None and name == "openai":
            key = settings.openai_api_key
        if key is None and name != "custom":
            raise ConfigError("TUNING_API_KEY is not set: {provider} asks for a key.", provider=PROFILES[name].title)
        return url, key.get_secret_value() if key else "none"


class DeskPurse:
    """A `bot.tuning.billing.Purse` that calls the model gateway, so that all limits hold and the ledger has it all."""

    def __init__(self, gateway: ModelGateway, desk_of: Callable[[ChatClient], ModelGateway], ledger: Ledger) -> None:
        self._desk, self._desk_of, self._ledger = gateway, desk_of, ledger

    @property
    def chat_model(self) -> str:
        """The chat model in use."""
        return self._desk.model

    async def ask(
        self, user_id: int, template: ChatTemplate, values: Mapping[str, str], chat: ChatClient | None = None
    ) -> Answer:
        """Ask at the expense of the person `user_id`."""
        gateway = self._desk if chat is None else self._desk_of(chat)
        return await gateway.ask(Caller(user_id), template.fill(values), cache=False, background=True)

    def paid(self, bill: Bill) -> None:
        """Let the ledger count what was paid."""
        self._ledger.spent(bill)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Tuning, and the desk over which people ask tuned models."""

    tuning: Tuning
    providers: Providers
    desk_of: Callable[[ChatClient], ModelGateway]

    async def gateway(self, provider: str) -> ModelGateway:
        """The desk that asks the tuned models of a provider; a question names its model in its template."""
        return self.desk_of((await self.providers.wire(provider)).chat)

    async def desk_for(self, template: ChatTemplate, otherwise: ModelGateway) -> ModelGateway:
        """The desk for the model that `template` names: of a tuned one its provider's, else `otherwise`."""
        name = template.parameters.get("model")
        row = await tuning_rows.get_model(self.tuning.database, str(name)) if name else None
        return otherwise if row is None else await self.gateway(row.provider)


@asynccontextmanager
async def open_workshop(
    settings: Settings,
    database: Database,
    gateway: ModelGateway,
    ledger: Ledger,
    prompts: Prompts,
    templates: Mapping[str, ChatTemplate],
) -> AsyncIterator[Workshop]:
    """Raises `ConfigError` for corpora whose names cannot be used. Nobody follows jobs before somebody asks."""
    async with AsyncExitStack() as stack:
        desks: dict[int, ModelGateway] = {}

        def desk_of(chat: ChatClient) -> ModelGateway:
            return desks.setdefault(id(chat), gateway.with_client(chat))

        providers = Providers(settings, stack)
        tuning = Tuning(
            settings=settings,
            database=database,
            templates=templates,
            purse=DeskPurse(gateway, desk_of, ledger),
            wire=providers.wire,
        )
        stack.push_async_callback(tuning.follower.close)
        yield Workshop(tuning, providers, desk_of)
