"""What can go wrong with a provider of tuning, as sentences for the operator."""

from functools import cache
from typing import TYPE_CHECKING

import aiohttp

from bot.core.errors import FewshotError
from bot.core.i18n import N_, _
from bot.llm.errors import MALFORMED_RESPONSE

if TYPE_CHECKING:
    from openai import APIStatusError


class TuningError(FewshotError):
    """A step of tuning failed for good; the sentence says why and what to do."""


class RefusedError(TuningError):
    """The provider does not let this account create jobs, or not on this model."""


class VanishedError(TuningError):
    """The provider has no job, file or model of that name any more."""


class AgainError(TuningError):
    """The provider could not be asked just now: the same step may succeed later."""


WAYS_OUT = N_(
    "Alternatives: TUNING_PROVIDER=engine trains a small model on this machine, "
    "TUNING_PROVIDER=nebius is open to anyone, and TUNING_PROVIDER=custom uses any server with the "
    "same API."
)
# What is raised over an answer that is not of the wire's form: by the stock client, and by us where a key is missing.
NONSENSE: tuple[type[Exception], ...] = (*MALFORMED_RESPONSE, KeyError)


@cache
def provider_errors() -> tuple[type[Exception], ...]:
    """All that asking a provider can raise, for an `except`. `openai` is imported late, as in `bot.llm.client`."""
    import httpx2
    import openai

    return (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError, TimeoutError, *NONSENSE)


def to_user_error(error: Exception, provider: str) -> TuningError:
    """`error`, one of `foreign`, by its class and status and never by its wording. `provider` is a profile's title."""
    import openai

    provider = _(provider)
    if isinstance(error, openai.PermissionDeniedError):
        return RefusedError(
            "{provider} does not let this account do that (403). {ways_out}", provider=provider, ways_out=_(WAYS_OUT)
        )
    if isinstance(error, openai.AuthenticationError):
        return RefusedError("{provider} did not accept TUNING_API_KEY; check it.", provider=provider)
    if isinstance(error, openai.NotFoundError):
        return VanishedError("{provider} does not know this any more.", provider=provider)
    if isinstance(error, (openai.RateLimitError, openai.ConflictError, openai.InternalServerError)):
        return AgainError(
            "{provider} is busy or has a fault ({status}); the bot tries again.",
            provider=provider,
            status=error.status_code,
        )
    if isinstance(error, openai.APIStatusError):
        return _not_accepted(error, provider)
    if isinstance(error, NONSENSE):
        return AgainError(
            "{provider} gave an answer that cannot be understood; the bot tries again.", provider=provider
        )
    return AgainError("{provider} cannot be reached; the bot tries again.", provider=provider)


def _not_accepted(error: "APIStatusError", provider: str) -> TuningError:
    if not isinstance(error.param, str):
        return TuningError(
            "{provider} did not accept the request ({status}).", provider=provider, status=error.status_code
        )
    return TuningError(
        "{provider} did not accept the request ({status}). It named the parameter {name}.",
        provider=provider,
        status=error.status_code,
        name=error.param,
    )
