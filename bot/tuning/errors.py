"""The errors of tuning providers, as sentences for the operator."""

from functools import cache
from typing import TYPE_CHECKING, Any

import aiohttp

from bot.core.errors import FewshotError
from bot.core.i18n import _
from bot.llm.errors import PARSE_ERRORS
from bot.tuning.profiles import WAYS_OUT

if TYPE_CHECKING:
    from openai import APIStatusError

# What the stock client raises over an answer in another form than the wire's, and our own code where a key is missing.
MALFORMED: tuple[type[Exception], ...] = (*PARSE_ERRORS, KeyError)
# The parameters that name an uploaded file.
FILE_PARAMETERS = frozenset({"training_file", "validation_file", "file", "file_id"})
# Codes of an account without credit: the status is 429, but waiting does not help.
NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
# The status and the code (the local engine's) of a server without disk space.
NO_SPACE_STATUS, NO_SPACE_CODE = 507, "storage_error"


class TuningError(FewshotError):
    """A step of tuning failed for good; the sentence says why and what to do."""


class RefusedError(TuningError):
    """The provider does not let this account create jobs, or not on this model."""


class VanishedError(TuningError):
    """The provider has no job, file or model of that name any more."""


class TemporaryError(TuningError):
    """A temporary error of the provider: the same step may succeed later."""


class FileNotReadyError(TemporaryError):
    """The provider still reads an uploaded file, or refused a job because of one."""


@cache
def provider_errors() -> tuple[type[Exception], ...]:
    """Everything that a call to a provider can raise, for an `except`. `openai` is imported late: it takes 0.3 s."""
    import httpx2
    import openai

    return (openai.OpenAIError, httpx2.HTTPError, aiohttp.ClientError, OSError, TimeoutError, *MALFORMED)


def to_user_error(error: Exception, provider: str) -> TuningError:
    """`error`, one of `provider_errors`, as a sentence: by its class, status, code and parameter, never by its text.

    `provider` is the title of a profile.
    """
    import openai

    if isinstance(error, openai.APIStatusError):
        return _of_status(error, _(provider))
    if isinstance(error, MALFORMED):
        return unclear_answer(provider)
    return TemporaryError("{provider} cannot be reached; the bot tries again.", provider=_(provider))


def unclear_answer(provider: str) -> TemporaryError:
    """The error for an answer that lacks what it must have. `provider` is the title of a profile."""
    return TemporaryError(
        "{provider} gave an answer that cannot be understood; the bot tries again.", provider=_(provider)
    )


def _of_status(error: "APIStatusError", provider: str) -> TuningError:
    status, code, parameter = error.status_code, _text(error.code), _text(error.param)
    if status == NO_SPACE_STATUS or code == NO_SPACE_CODE:
        return TuningError(
            "{provider} has no space left to store this: make space there, then start the job again.",
            provider=provider,
        )
    if status == 401:
        return RefusedError("{provider} did not accept TUNING_API_KEY; check it.", provider=provider)
    if status == 402 or code in NO_CREDIT:
        return RefusedError(
            "The account at {provider} has no credit left; add some, then start the job again.", provider=provider
        )
    if status == 403:
        return RefusedError(
            "{provider} does not let this account do that (403). {ways_out}", provider=provider, ways_out=_(WAYS_OUT)
        )
    if parameter in FILE_PARAMETERS:
        return FileNotReadyError(
            "{provider} does not take the uploaded file yet ({status}); the bot tries again.",
            provider=provider,
            status=status,
        )
    if status == 404:
        return VanishedError("{provider} does not know this any more.", provider=provider)
    if status in (408, 409, 425, 429) or status >= 500:
        return TemporaryError(
            "{provider} is busy or has a fault ({status}); the bot tries again.", provider=provider, status=status
        )
    if not parameter:
        return TuningError("{provider} did not accept the request ({status}).", provider=provider, status=status)
    return TuningError(
        "{provider} did not accept the request ({status}). It named the parameter {name}.",
        provider=provider,
        status=status,
        name=parameter[:60],
    )


def _text(value: Any) -> str:
    """`value` where it is a text; servers also send numbers and null."""
    return value if isinstance(value, str) else ""
