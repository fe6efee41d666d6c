"""The errors of the engine's HTTP API, in the shape that OpenAI's clients expect.

The body is `{"error": {"message", "type", "param", "code"}}`. Clients decide by status and `code`; `message` is for
people. Errors that several modules raise are made here.
"""

import json
from collections.abc import Mapping

from aiohttp import web

from bot.core.errors import FewshotError
from bot.engine import disk

# Clients retry after 429 and after every status from 500 on, unless this header tells them not to.
NO_RETRY = {"x-should-retry": "false"}


class APIError(FewshotError):
    """A request that is answered with an HTTP error. The text is a sentence for a person."""

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
        """`kind` is `type` in the body; `param` names the parameter at fault, as in `messages[0].role`."""
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The JSON object of the response. In a stream that breaks it is the last event."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> web.Response:
        """The whole HTTP response."""
        text = json.dumps(self.body())
        return web.Response(text=text, status=self.status, content_type="application/json", headers=self.headers)


def invalid_value(message: str, param: str) -> APIError:
    """400: a parameter with a value that cannot be used."""
    return APIError(message, code="invalid_value", param=param)


def missing_parameter(param: str) -> APIError:
    """400: a required parameter is not there."""
    return APIError(f"Missing required parameter: {param}.", code="missing_required_parameter", param=param)


def unknown_parameter(name: str) -> APIError:
    """400: a parameter that the model does not take. Clients may leave it out and try again."""
    return APIError(
        f"Unrecognized request argument supplied: {name[:200]}.", code="unsupported_parameter", param=name[:200]
    )


def unknown_model(model_id: str) -> APIError:
    """404: the engine has no model of that name."""
    return APIError(
        f"The model {model_id[:200]!r} does not exist on this engine.",
        status=404,
        code="model_not_found",
        param="model",
    )


def storage_failed(message: str) -> APIError:
    """500: the engine's data folder cannot be used."""
    return APIError(message, status=500, kind="server_error", code="storage_error", headers=NO_RETRY)


def disk_failed(error: OSError) -> APIError:
    """507 `disk_full` where the disk or the quota is full, else `storage_failed`."""
    if disk.is_full(error):
        return APIError(
            "The disk of the engine's data folder is full. Free some space, then try again.",
            status=507,
            kind="server_error",
            code="disk_full",
            headers=NO_RETRY,
        )
    return storage_failed(f"A file could not be used: {error.strerror or error}.")
