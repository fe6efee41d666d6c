"""The chat models that people may choose: the operator's list, narrowed by each server, with defaults of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.caller import Caller
from bot.core.errors import InputError
from bot.llm.client import ChatClient
from bot.llm.request import Request
from bot.server.guilds import GuildSettingsStore


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A model, and the client of its server. `label` is what people see, empty where the operator gave none."""

    name: str
    label: str
    client: ChatClient

    @property
    def shown(self) -> str:
        """The label, or the name."""
        return self.label or self.name


@dataclass(frozen=True, slots=True)
class Route:
    """A request and the model that it goes to; `replaced` names the one that it should go to and may not any more."""

    model: ChatModel
    request: Request
    replaced: str = ""


class ChatModels:
    """All models, the default first. Without a list of the operator it is the one model that `client` asks.

    Servers narrow the list and set defaults in `guilds`. One for the process.
    """

    def __init__(self, client: ChatClient, guilds: GuildSettingsStore, listed: Sequence[ChatModel] = ()) -> None:
        self._client, self._listed, self._guilds = client, listed, guilds

    @property
    def all(self) -> Sequence[ChatModel]:
        """All models, the operator's default first."""
        return self._listed or (ChatModel(self._client.model, "", self._client),)

    @property
    def clients(self) -> Sequence[ChatClient]:
        """The clients of all servers, the default model's first."""
        return list(dict.fromkeys(model.client for model in self.all))

    def allowed(self, guild_id: int | None) -> Sequence[ChatModel]:
        """The models that may be chosen in a server; all in direct messages, and the default where none is left."""
        chosen = self._guilds.of(guild_id).models
        return [model for model in self.all if not chosen or model.name in chosen] or self.all[:1]

    def choose(self, guild_id: int | None, given: str) -> ChatModel:
        """The model that a person gave by name or label. Raises `InputError` for one that may not be chosen there."""
        allowed = self.allowed(guild_id)
        wanted = given.strip().casefold()
        for model in allowed:
            if wanted in (model.name.casefold(), model.label.casefold()):
                return model
        names = ", ".join(model.shown for model in allowed)
        raise InputError("The model “{model}” cannot be chosen here; there are {models}.", model=given, models=names)

    def shown(self, name: str) -> str:
        """What people call the model `name`."""
        return next((model.shown for model in self.all if model.name == name), name)

    def default(self, caller: Caller) -> ChatModel:
        """The model that answers `caller` where nobody chose one."""
        return self._find(caller.guild_id, self._default(caller))

    def route(self, caller: Caller, request: Request) -> Route:
        """Which model is asked, and with what. A model that a template names itself is asked in any case."""
        asked = request.parameters.get("model")
        if request.template is not None and asked is not None and request.template.parameters.get("model") == asked:
            listed = next((model for model in self.all if model.name == asked), None)
            return Route(listed or ChatModel(asked, "", self._client), request)
        wanted = asked or self._default(caller)
        model = self._find(caller.guild_id, wanted)
        replaced = self.shown(wanted) if wanted and wanted != model.name else ""
        # Of several models, the request names the one that is asked, so that it can be asked again.
        return Route(model, request.with_model(model.name) if self._listed or replaced else request, replaced)

    def _default(self, caller: Caller) -> str | None:
        """The default that is set for the channel, for the channel of the thread, or for the server."""
        own = self._guilds.of(caller.guild_id)
        channels = own.channel_models
        return channels.get(str(caller.channel_id)) or channels.get(str(caller.parent_id)) or own.model

    def _find(self, guild_id: int | None, wanted: str | None) -> ChatModel:
        """The model called `wanted`; where it may not be asked, the server's default, else the first that may."""
        allowed = {model.name: model for model in self.allowed(guild_id)}
        for name in (wanted, self._guilds.of(guild_id).model):
            if name in allowed:
                return allowed[name]
        return next(iter(allowed.values()))
