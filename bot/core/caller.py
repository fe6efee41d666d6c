"""Who acts and who pays: the one type for it, from an interaction to the ledger and the database."""

from dataclasses import dataclass, field

from bot.core.i18n import ENGLISH

# The user id of a call that a server causes as a whole (the summary of a story): no person's limit counts it.
SERVER = 0


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """A message whose text is sent to the model, and its author: Discord ids."""

    message_id: int
    author_id: int


@dataclass(frozen=True, slots=True)
class Caller:
    """A person who acts: Discord ids, language, name and rights. `guild_id` is None in direct messages.

    `source` is the message that the request is about. `is_moderator` says that they may manage messages in the
    channel. `parent_id` is the channel of a thread, `roles` are the ids of the person's roles in the server. Two
    callers are equal when their ids and sources are.
    """

    user_id: int
    guild_id: int | None = None
    channel_id: int | None = None
    source: SourceMessage | None = None
    name: str = field(default="", compare=False)
    is_moderator: bool = field(default=False, compare=False)
    locale: str = field(default=ENGLISH, compare=False)
    parent_id: int | None = field(default=None, compare=False)
    roles: tuple[int, ...] = field(default=(), compare=False)
