"""Errors of the engine's wire, in the shape that OpenAI's clients expect.

The body is `{"error": {"message", "type", "param", "code"}}`; clients decide by status and `code`, people
read `message`. Every error that the engine answers is made here, so this file is also their list.
"""

import json
from collections.abc import Mapping

from aiohttp import web

from bot.core.errors import FewshotError


class WireError(FewshotError):
    """A request that is answered with an HTTP error; the text is the sentence for a person."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`kind` is the wire's `type`; `param` names the parameter at fault, as in `messages[0].role`."""
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The JSON object of the answer; the same stands as a line inside a broken stream."""
        return {
            "error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code},
        }

    def response(self) -> web.Response:
        """The whole HTTP answer."""
        text = json.dumps(self.body())
        return web.Response(text=text, status=self.status, content_type="application/json", headers=self.headers)


def unauthorized() -> WireError:
    """401: no token, or a wrong one."""
    return WireError(
        "Incorrect API key provided. The engine's token stands in engine.json in its data folder.",
        status=401,
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def foreign_origin() -> WireError:
    """403: a web page asks an engine that runs without a token."""
    return WireError(
        "Requests from web pages are refused while the engine runs without a token.",
        status=403,
        code="origin_not_allowed",
    )


def unknown_url(method: str, path: str) -> WireError:
    """404: the engine has no such route."""
    return WireError(f"Unknown request URL: {method} {path}.", status=404, code="unknown_url")


def unknown_model(model_id: str) -> WireError:
    """404: no model of that name is here."""
    return WireError(
        f"The model {model_id[:200]!r} does not exist on this engine.",
        status=404,
        code="model_not_found",
        param="model",
    )


def unknown_parameter(name: str) -> WireError:
    """400: a parameter that the model does not take; clients may drop it and try again."""
    return WireError(
        f"Unrecognized request argument supplied: {name[:200]}.",
        code="unsupported_parameter",
        param=name[:200],
    )


def too_large(limit: int) -> WireError:
    """413: a body of more than `limit` bytes."""
    return WireError(f"The request is larger than {limit:,} bytes.", status=413, code="request_too_large")


def no_model_connected() -> WireError:
    """422: the stand-in has no rule for this request.

    422 and not 501, because the stock client repeats every answer from 500 up, which would be in vain.
    """
    return WireError(
        "No model is connected, and the stand-in has no rule for this request.",
        status=422,
        code="no_model_connected",
        param="model",
    )


def storage_failed(why: str) -> WireError:
    """500: the engine's disk is full or cannot be used. The client is told not to repeat the request."""
    return WireError(why, status=500, kind="server_error", code="storage_error", headers={"x-should-retry": "false"})
