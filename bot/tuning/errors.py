"""What can go wrong with a provider of tuning, as sentences for the operator."""

import aiohttp
import httpx2
import openai

from bot.core.errors import FewshotError


class TuningError(FewshotError):
    """A step of tuning failed for good; the sentence says why and what to do."""


class RefusedError(TuningError):
    """The provider does not let this account create jobs, or not on this model."""


class VanishedError(TuningError):
    """The provider has no job, file or model of that name any more."""


class AgainError(TuningError):
    """The provider could not be asked just now: the same step may succeed later."""


WAYS_OUT = (
    "Ways out: TUNING_PROVIDER=engine trains a small model on this machine, TUNING_PROVIDER=nebius is open to anyone, "
    "and custom takes any server of the same wire."
)
# What the stock client raises over an answer that is not of the wire's form: it believes what it reads.
NONSENSE: tuple[type[Exception], ...] = (ValueError, TypeError, AttributeError, KeyError)
FOREIGN: tuple[type[Exception], ...] = (
    openai.OpenAIError,
    httpx2.HTTPError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    *NONSENSE,
)


def worded(error: Exception, provider: str) -> TuningError:
    """`error`, one of `FOREIGN`, by its class and status and never by its wording."""
    if isinstance(error, openai.PermissionDeniedError):
        return RefusedError(f"{provider} does not let this account do that (403). {WAYS_OUT}")
    if isinstance(error, openai.AuthenticationError):
        return RefusedError(f"{provider} did not accept TUNING_API_KEY; check it.")
    if isinstance(error, openai.NotFoundError):
        return VanishedError(f"{provider} does not know this any more.")
    if isinstance(error, (openai.RateLimitError, openai.ConflictError, openai.InternalServerError)):
        return AgainError(f"{provider} is busy or has a fault ({error.status_code}); this goes on by itself.")
    if isinstance(error, openai.APIStatusError):
        named = f" It named the parameter {error.param}." if isinstance(error.param, str) else ""
        return TuningError(f"{provider} did not accept the request ({error.status_code}).{named}")
    if isinstance(error, NONSENSE):
        return AgainError(f"{provider} gave an answer that cannot be understood; this goes on by itself.")
    return AgainError(f"{provider} cannot be reached; this goes on by itself.")
