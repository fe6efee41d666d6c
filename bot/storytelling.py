"""Tells stories at the desk: between the adventure, which knows no ledger, and the desk, which knows no story."""

from collections.abc import Callable
from dataclasses import replace

from bot.llm.request import Request
from bot.play.telling import Payer, Told
from bot.server.desk import Desk
from bot.server.ledger import SERVER, Asker
from bot.server.prompts import Prompts


class DeskTeller:
    """A `bot.play.telling.Teller` whose calls are reserved, settled and, where they are a turn's, kept."""

    def __init__(self, desk: Desk, prompts: Prompts) -> None:
        self._desk, self._prompts = desk, prompts

    async def tell(
        self,
        request: Request,
        payer: Payer,
        show: Callable[[str], None] | None = None,
        message_id: int | None = None,
    ) -> Told:
        """Ask at the payer's expense. The prompt of a turn that stands in a message is kept with it."""
        asker = Asker(payer.user_id, payer.guild_id, payer.channel_id)
        served = await self._desk.put(asker, request, show, hold=payer.user_id != SERVER)
        if message_id is not None:
            prompt = replace(served.prompt, message_id=message_id)
            self._prompts.hold(prompt)
            await self._prompts.keep(prompt)
        answer = served.answer
        return Told(answer.text, answer.model, answer.finish, served.prompt.id)
