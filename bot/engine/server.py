"""The engine's HTTP server: routes, the token, and one place where every error gets OpenAI's shape."""

import contextlib
import hmac
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.core.errors import InputError, StorageError
from bot.engine import errors
from bot.engine.chat import CATALOGUE, completions
from bot.engine.models import Catalogue, card

# A chat of 128,000 tokens is about half a megabyte; files are read as streams and have their own bound.
MAX_BODY = 4 * 1024 * 1024
# A burst of connections beyond the listening queue would wait a second for its next try.
BACKLOG = 1024


def create_app(catalogue: Catalogue, *, token: str | None) -> web.Application:
    """The application for one catalogue. Without a `token` every local program may ask, web pages not."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_answer_errors, _require_token(token)])
    app[CATALOGUE] = catalogue
    app.router.add_get("/v1/models", _list_models)
    app.router.add_get("/v1/models/{model:.+}", _show_model)
    app.router.add_post("/v1/chat/completions", completions)
    return app


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serves `app` until the block ends and gives the port, which is a free one for `port=0`.

    Raises `OSError` when the address is taken. Answers under way get two seconds when the block ends.
    """
    # A client that goes away cancels its handler, so that nobody writes an answer that nobody reads.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except errors.WireError as error:
        return error.response()
    except InputError as error:
        return errors.WireError(str(error), code="invalid_value").response()
    except StorageError as error:
        return errors.storage_failed(str(error)).response()
    except ConnectionError:
        raise  # the client has gone; there is nobody to tell
    except OSError as error:
        return errors.storage_failed(f"A file could not be used: {error.strerror or error}.").response()
    except web.HTTPRequestEntityTooLarge:
        return errors.too_large(MAX_BODY).response()
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return errors.unknown_url(request.method, request.path[:200]).response()


def _require_token(token: str | None) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token is None and "Origin" in request.headers:
            # Without a token any page in the person's browser could ask; pages always send an Origin.
            raise errors.foreign_origin()
        given = request.headers.get("Authorization", "").encode()
        if token is not None and not hmac.compare_digest(given, expected):
            raise errors.unauthorized()
        return await handler(request)

    return check


async def _list_models(request: web.Request) -> web.Response:
    cards = [card(model) for model in request.app[CATALOGUE].all()]
    return web.json_response({"object": "list", "data": cards})


async def _show_model(request: web.Request) -> web.Response:
    return web.json_response(card(request.app[CATALOGUE].get(request.match_info["model"])))
