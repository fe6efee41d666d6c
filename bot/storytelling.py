"""Tells stories at the desk: between the adventure, which knows no ledger, and the desk, which knows no story."""

from collections.abc import Callable
from dataclasses import replace

from bot.core.caller import SERVER, Caller
from bot.llm.request import Request
from bot.play.interfaces import Payer, Told
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts


class DeskTeller:
    """A `bot.play.interfaces.Teller` whose calls are reserved, settled and, where they are a turn's, kept."""

    def __init__(self, gateway: ModelGateway, prompts: Prompts) -> None:
        self._gateway, self._prompts = gateway, prompts

    async def tell(
        self,
        request: Request,
        payer: Payer,
        show: Callable[[str], None] | None = None,
        message_id: int | None = None,
    ) -> Told:
        """Ask at the payer's expense. The prompt of a turn that stands in a message is kept with it."""
        caller = Caller(payer.user_id, payer.guild_id, payer.channel_id)
        answer = await self._gateway.ask(caller, request, show, cache=payer.user_id != SERVER)
        if message_id is not None:
            answer = replace(answer, message_id=message_id)
            self._prompts.cache(answer)
            await self._prompts.persist(answer)
        return Told(answer.text, answer.model, answer.finish, answer.id)
