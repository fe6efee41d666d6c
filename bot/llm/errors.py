"""What a model's server can answer instead of an answer, worded for people.

The table is read from top to bottom along the class hierarchy. No sentence quotes a server's own text: it
may hold an address or a piece of a key. It is made at the first error, as `bot.llm.client` imports `openai` late.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from bot.core.errors import ModelError, NoModelError
from bot.core.i18n import N_

# The local engine answers with this code where the stand-in has no skill for a request.
NO_MODEL = "no_model_connected"

REFUSED = N_("The model did not accept this request. A shorter or simpler text may work.")
UNCLEAR = N_("The model's server gave an answer that cannot be understood. Try again in a moment.")
UNREACHABLE = N_("The model cannot be reached right now. Try again in a moment.")
# What the stock client raises over an answer that is not of the wire's form: it believes what it reads.
MALFORMED_RESPONSE: tuple[type[Exception], ...] = (ValueError, TypeError, AttributeError)
NO_CERTIFICATES = N_("The certificates that SSL_CERT_FILE names cannot be read; the bot's operator must correct it.")
TOO_LONG = N_("The model took too long to answer. Try again in a moment.")
BROKE_OFF = N_("The connection to the model broke off. Try again in a moment.")
QUOTA = N_("The account behind the bot has used up its credit with the model's provider; its operator must add some.")


class InStreamError(Exception):
    """An error that a server sent inside a stream it had begun with 200."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.code = body.get("code")
        super().__init__(self.code)


@cache
def _table() -> tuple[tuple[type[Exception], str], ...]:
    import httpx2
    import openai

    from bot.llm.transport import UntrustedError

    return (
        (openai.APITimeoutError, TOO_LONG),
        (openai.APIConnectionError, UNREACHABLE),
        (
            openai.AuthenticationError,
            N_("The model's server did not accept the bot's credentials; its operator must check them."),
        ),
        (
            openai.PermissionDeniedError,
            N_("The bot's account may not use this model; its operator must choose another."),
        ),
        (
            openai.NotFoundError,
            N_("The model that the bot is set to use does not exist; its operator must choose another."),
        ),
        (
            openai.RateLimitError,
            N_("The model is getting more requests than it takes right now. Try again in a minute."),
        ),
        (openai.InternalServerError, N_("The model's server has a fault right now. Try again in a minute.")),
        (openai.BadRequestError, REFUSED),
        (openai.UnprocessableEntityError, REFUSED),
        (openai.APIError, UNCLEAR),
        (httpx2.TimeoutException, TOO_LONG),
        (
            UntrustedError,
            N_(
                "The bot does not trust the certificate of the model's server; its operator must check the address, "
                "or name the certificate in SSL_CERT_FILE."
            ),
        ),
        (
            httpx2.ProxyError,
            N_("The proxy between the bot and the model does not let the bot through; its operator must check it."),
        ),
        (httpx2.ConnectError, UNREACHABLE),
        (httpx2.HTTPError, BROKE_OFF),
        (httpx2.StreamError, BROKE_OFF),
        (TimeoutError, TOO_LONG),
        (InStreamError, UNCLEAR),
    )


def provider_errors() -> tuple[type[Exception], ...]:
    """All that can be raised on the way to a model and back, for an `except`."""
    return tuple(kind for kind, _text in _table())


def to_user_error(error: Exception) -> ModelError:
    """`error`, one of `foreign`, as a `ModelError` with the sentence for it; the cause stays attached."""
    import openai

    code = getattr(error, "code", None)
    if code == NO_MODEL:
        made: ModelError = NoModelError("No language model is connected.")
    elif code == "insufficient_quota":
        made = ModelError(QUOTA)
    elif getattr(error, "status_code", None) == 413:
        made = ModelError(REFUSED)
    else:
        lost = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
        made = ModelError(next(text for kind, text in _table() if isinstance(lost or error, kind)))
    made.__cause__ = error
    return made


def is_permanent(error: ModelError) -> bool:
    """Whether `error`, made by `worded`, would meet every other request as well, until the operator mends it."""
    from openai import AuthenticationError, NotFoundError, PermissionDeniedError

    cause = error.__cause__
    # What no other request would escape: the account or the model is at fault, not what was asked.
    lasting = isinstance(cause, AuthenticationError | PermissionDeniedError | NotFoundError)
    return lasting or getattr(cause, "code", None) == "insufficient_quota"
