"""`ChatClients`: one client for each model server, opened once."""

from contextlib import AsyncExitStack
from typing import Any, Self

from bot.core.settings import ListedModel, Settings
from bot.llm.client import ChatClient, client_options


class ChatClients:
    """The clients of the models in the settings, one for each address and key. `default` is the default model's."""

    def __init__(self, settings: Settings, default: ChatClient) -> None:
        self._settings, self._stack = settings, AsyncExitStack()
        self._clients = {_server(client_options(settings)): default}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def of(self, model: ListedModel) -> ChatClient:
        """The client of the server that has `model`."""
        options = client_options(self._settings, model)
        server = _server(options)
        if server not in self._clients:
            client = self._clients[server] = ChatClient(**options)
            self._stack.push_async_exit(client)
        return self._clients[server]


def _server(options: dict[str, Any]) -> tuple[str, str]:
    return options["base_url"].rstrip("/"), options["api_key"]
