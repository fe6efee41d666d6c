"""Moderation: input and output are checked by a moderation model. Off unless MODERATION_MODEL is set.

A flagged text is neither sent nor shown; the person gets a sentence. Adult categories are allowed in age-restricted
channels of servers whose admins allow them.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bot.core.attached_picture import AttachedPicture
from bot.core.caller import Caller
from bot.core.errors import FewshotError, ModelError
from bot.core.i18n import N_, _
from bot.llm.client import ChatClient
from bot.server.guilds import GuildSettingsStore

_log = logging.getLogger(__name__)
# OpenAI's names (2026-11-22) of the categories that a server can allow in age-restricted channels. All others,
# sexual/minors among them, are blocked everywhere.
ADULT = frozenset({"sexual", "violence", "violence/graphic"})

# All of OpenAI's categories (2026-11-22) in words.
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "harassment": N_("harassment"),
        "harassment/threatening": N_("harassment: threatening"),
        "hate": N_("hate"),
        "hate/threatening": N_("hate: threatening"),
        "illicit": N_("illicit"),
        "illicit/violent": N_("illicit: violent"),
        "self-harm": N_("self harm"),
        "self-harm/instructions": N_("self harm: instructions"),
        "self-harm/intent": N_("self harm: intent"),
        "sexual": N_("sexual"),
        "sexual/minors": N_("sexual: minors"),
        "violence": N_("violence"),
        "violence/graphic": N_("violence: graphic"),
    }
)


class BlockedError(FewshotError):
    """The moderation model flagged a text."""


class Moderation:
    """Checks texts with `model`; one for the process."""

    def __init__(self, client: ChatClient, model: str, guilds: GuildSettingsStore) -> None:
        self._client, self._guilds, self.model = client, guilds, model
        # Whether a channel is age-restricted. Set by the Discord client.
        self.age_restricted: Callable[[int], bool] = lambda _channel: False

    async def check(
        self, text: str, caller: Caller, *, pictures: Sequence[AttachedPicture] = (), is_answer: bool = False
    ) -> None:
        """Raise `BlockedError` if `text` or one of the `pictures` is not allowed in the caller's channel.

        `is_answer` marks a model's answer. Raises `ModelError` if the moderation model cannot be asked, also where it
        takes no pictures.
        """
        found: frozenset[str] = frozenset()
        try:
            contents: list[str | AttachedPicture] = [text] if text.strip() else []
            for content in [*contents, *pictures]:
                found |= await self._client.moderate(self.model, content)
        except ModelError as error:
            _log.warning("the moderation could not be asked: %s", error)
            raise ModelError(
                "The moderation model cannot be reached right now, so I do not answer. Try again later."
            ) from error
        blocked = found - (ADULT if self._for_adults(caller) else frozenset())
        if blocked:
            why = ", ".join(_category(name) for name in sorted(blocked))
            if is_answer:
                raise BlockedError("The model's answer was held back by this bot's moderation ({why}).", why=why)
            raise BlockedError(
                "This bot's moderation does not let me send that to the model ({why}). Put it in other words.", why=why
            )

    def _for_adults(self, caller: Caller) -> bool:
        """Whether the channel is age-restricted, and the server's admins allow texts for adults in such channels."""
        allowed = self._guilds.of(caller.guild_id).adult
        return allowed and caller.channel_id is not None and self.age_restricted(caller.channel_id)


def _category(name: str) -> str:
    """A category in words; the endpoint's own name for one that is not in `CATEGORIES`."""
    plain = name.replace("/", ": ").replace("-", " ").replace("_", " ")
    return _(CATEGORIES.get(name, plain))
