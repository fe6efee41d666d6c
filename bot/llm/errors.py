"""The errors of a model's server, as sentences for people.

No sentence quotes a server's own text: it may hold an address or a piece of a key. `openai` is imported at the first
error, as in `bot.llm.client`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from bot.core.errors import ModelError, NoModelError
from bot.core.i18n import N_

# The local engine answers with this code where the stand-in has no rule for a request.
NO_MODEL = "no_model_connected"
# What reading a response of an unexpected form raises, for example a list in place of an object.
PARSE_ERRORS: tuple[type[Exception], ...] = (ValueError, TypeError, AttributeError, RecursionError)

BAD_REQUEST = N_("The model did not accept this request. A shorter or simpler text may work.")
NO_PICTURES = N_(
    "The model that the bot uses cannot see pictures. Send the text alone; the bot's operator can choose a model that "
    "reads pictures."
)
UNCLEAR = N_(
    "The model's server gave an answer that cannot be understood. If this goes on, the bot's operator must look at it."
)
FILTERED = N_("The model did not answer this: its provider's content filter refused it. Put it in other words.")
CONTEXT = N_("The prompt has {prompt:,} tokens, and the model's context holds {context:,}. Send a shorter text.")
UNREACHABLE = N_("The model cannot be reached right now. Try again in a moment.")
NO_CERTIFICATES = N_("The certificates that SSL_CERT_FILE names cannot be read; the bot's operator must correct it.")
TOO_LONG = N_("The model took too long to answer. Try again in a moment.")
BROKE_OFF = N_("The connection to the model broke off. Try again in a moment.")
QUOTA = N_("The account behind the bot has used up its credit with the model's provider; its operator must add some.")
CREDENTIALS = N_("The model's server did not accept the bot's credentials; its operator must check them.")
FORBIDDEN = N_("The bot's account may not use this model; its operator must choose another.")
NO_SUCH_MODEL = N_("The model that the bot is set to use does not exist; its operator must choose another.")
WRONG_ADDRESS = N_(
    "There is no chat model at the address that the bot is set to use; its operator must check OPENAI_BASE_URL and "
    "its /v1."
)
TOO_MANY = N_("The model is getting more requests than it takes right now. Try again in a minute.")
FAULT = N_("The model's server has a fault right now. Try again in a minute.")
SERVER_ERROR = N_("The model's server answered with an error. If this goes on, the bot's operator must look at it.")
REDIRECTED = N_(
    "The model's server sends requests on to another host, and the bot does not follow; its operator must check "
    "OPENAI_BASE_URL."
)
UNTRUSTED = N_(
    "The bot does not trust the certificate of the model's server; its operator must check the address, "
    "or name the certificate in SSL_CERT_FILE."
)
PROXY = N_("The proxy between the bot and the model does not let the bot through; its operator must check it.")

BY_CODE: Mapping[str, str] = {
    "insufficient_quota": QUOTA,
    "invalid_api_key": CREDENTIALS,
    "model_not_found": NO_SUCH_MODEL,
    "rate_limit_exceeded": TOO_MANY,
    "context_length_exceeded": BAD_REQUEST,
    "content_filter": FILTERED,
    "server_error": FAULT,
}
BY_STATUS: Mapping[int, str] = {
    400: BAD_REQUEST,
    401: CREDENTIALS,
    402: QUOTA,
    403: FORBIDDEN,
    405: WRONG_ADDRESS,
    408: TOO_LONG,
    409: FAULT,
    413: BAD_REQUEST,
    422: BAD_REQUEST,
    429: TOO_MANY,
    504: TOO_LONG,
}
# Errors that every other request would also get, until the operator acts.
PERMANENT = frozenset({QUOTA, CREDENTIALS, FORBIDDEN, NO_SUCH_MODEL, WRONG_ADDRESS, REDIRECTED, UNTRUSTED})
# A 404 that says that the model is unknown, in the words of Ollama, vLLM, LiteLLM, LM Studio and OpenRouter.
MODEL = re.compile(r"\bmodels?\b|\bendpoints found\b", re.IGNORECASE)
UNKNOWN = re.compile(
    r"not (?:be )?(?:found|available|loaded|exist|supported)|(?:does ?n[o']t|doesn't|not) exist|unknown|no such|"
    r"no endpoints|invalid|unavailable|try pulling",
    re.IGNORECASE,
)
# A refused prompt in the words of OpenAI, vLLM, llama.cpp and the engine: "maximum context length is 8192 tokens".
CONTEXT_SIZE = re.compile(r"\bcontext\b[^0-9.]{0,40}?(\d[\d,]{2,9})", re.IGNORECASE)
NUMBER = re.compile(r"\b\d[\d,]{2,9}")
# The members of an error object in which servers write texts. Not among them: `input`, which echoes the request.
TEXT_MEMBERS = ("message", "msg", "detail", "error", "errors", "title", "description", "error_description", "reason")
# Levels of an error's body that are looked at.
DEPTH = 6


class ServerError(Exception):
    """An error that a server sent with status 200, in place of an answer or inside a stream.

    `status` is the HTTP status that the error itself names, or None.
    """

    def __init__(self, body: object) -> None:
        self.body = body
        found = body if isinstance(body, Mapping) else {}
        code = found.get("code")
        self.code = code if isinstance(code, str) else None
        self.param = found.get("param") if isinstance(found.get("param"), str) else None
        numbers = (_status(found.get(name)) for name in ("status", "status_code", "code"))
        self.status = next((number for number in numbers if number), None)
        super().__init__(self.code or self.status)


def error_in(data: Mapping[str, Any]) -> ServerError | None:
    """The error in an object that a server sent as an answer, in any of the places where servers put one."""
    choices = data.get("choices")
    error = data.get("error")
    if not error and isinstance(choices, list):
        error = next((choice["error"] for choice in choices if isinstance(choice, dict) and choice.get("error")), None)
    if error:
        return ServerError(error if isinstance(error, Mapping) else {"message": error, "code": data.get("code")})
    if data.get("object") == "error" or (choices is None and any(data.get(name) for name in TEXT_MEMBERS)):
        return ServerError(data)
    return None


def texts_in(body: object, depth: int = DEPTH) -> Iterator[str]:
    """The texts of an error's body, without what it echoes of the request."""
    if isinstance(body, str):
        yield body
    elif depth and isinstance(body, Mapping):
        for name in TEXT_MEMBERS:
            yield from texts_in(body.get(name), depth - 1)
    elif depth and isinstance(body, list | tuple):
        for item in body[:20]:
            yield from texts_in(item, depth - 1)


@cache
def _by_class() -> tuple[tuple[type[Exception], str], ...]:
    """The sentence for each exception without a status. The first class that fits counts."""
    import httpx2
    import openai

    from bot.llm.transport import RedirectError, UntrustedError

    return (
        (openai.APITimeoutError, TOO_LONG),
        (openai.APIConnectionError, UNREACHABLE),
        (openai.APIError, UNCLEAR),
        (httpx2.TimeoutException, TOO_LONG),
        (UntrustedError, UNTRUSTED),
        (RedirectError, REDIRECTED),
        (httpx2.ProxyError, PROXY),
        (httpx2.ConnectError, UNREACHABLE),
        (httpx2.DecodingError, UNCLEAR),
        (httpx2.HTTPError, BROKE_OFF),
        (httpx2.StreamError, BROKE_OFF),
        (TimeoutError, TOO_LONG),
        (ServerError, SERVER_ERROR),
    )


def provider_errors() -> tuple[type[Exception], ...]:
    """All exceptions of a call to a model's server, for an `except`."""
    return tuple(kind for kind, _sentence in _by_class())


def to_user_error(error: Exception) -> ModelError:
    """`error`, one of `provider_errors`, as a `ModelError` with a sentence. `error` becomes its cause."""
    if getattr(error, "code", None) == NO_MODEL:
        made: ModelError = NoModelError("No language model is connected.")
    elif numbers := _context_numbers(error):
        made = ModelError(CONTEXT, **numbers)
    else:
        made = ModelError(_sentence(error))
    made.__cause__ = error
    return made


def _context_numbers(error: Exception) -> dict[str, int]:
    """The tokens of a prompt and of the context that it does not fit into; empty where `error` does not name both."""
    message = " ".join(texts_in(getattr(error, "body", None)))[:2_000]
    context = CONTEXT_SIZE.search(message)
    if context is None:
        return {}
    size = _number(context[1])
    prompt = max(_number(number) for number in NUMBER.findall(message))
    return {"prompt": prompt, "context": size} if prompt > size else {}


def _number(digits: str) -> int:
    return int(digits.replace(",", ""))


def is_permanent(error: ModelError) -> bool:
    """Whether every other request would fail in the same way until the operator acts."""
    return error.sentence in PERMANENT


def _sentence(error: Exception) -> str:
    import openai

    code = getattr(error, "code", None)
    status = error.status_code if isinstance(error, openai.APIStatusError) else getattr(error, "status", None)
    if isinstance(code, str) and code in BY_CODE and (code != "server_error" or status is None):
        return BY_CODE[code]
    if status == 404:
        body = getattr(error, "body", None)
        is_page = isinstance(body, str) and body.lstrip().startswith("<")
        message = "" if is_page else " ".join(texts_in(body))[:2_000]
        return NO_SUCH_MODEL if MODEL.search(message) and UNKNOWN.search(message) else WRONG_ADDRESS
    if isinstance(status, int):
        found = BY_STATUS.get(status) or (REDIRECTED if 300 <= status < 400 else FAULT if status >= 500 else None)
        if found:
            return found
    lost = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
    return next(text for kind, text in _by_class() if isinstance(lost or error, kind))


def _status(value: object) -> int | None:
    """`value` as the HTTP status of an error, or None where it is none."""
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:
        value = int(value)
    return value if type(value) is int and 300 <= value < 600 else None
