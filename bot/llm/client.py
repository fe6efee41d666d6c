"""`ChatClient`: the process's client for one model server. It uses `AsyncOpenAI` with the transport of
`bot.llm.transport`.

Only parameters that a template sets are sent; `bot.llm.unsupported_params` drops those that a model does not support.
Importing `openai` takes a third of a second of CPU time, more than the rest of a start together. So it is imported in a
thread, at the first call or by `ChatClient.warm` before it.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import unquote, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

from bot.core.attached_picture import AttachedPicture
from bot.core.errors import ConfigError, ModelError, NoModelError
from bot.core.i18n import N_
from bot.core.json_text import without_surrogates
from bot.core.proxies import is_loopback
from bot.core.settings import OPENAI_URL, ListedModel, Settings, load
from bot.llm.errors import (
    BAD_REQUEST,
    BROKE_OFF,
    FORBIDDEN,
    NO_CERTIFICATES,
    NO_SUCH_MODEL,
    PARSE_ERRORS,
    SERVER_ERROR,
    UNCLEAR,
    WRONG_ADDRESS,
    ServerError,
    error_in,
    provider_errors,
    to_user_error,
)
from bot.llm.request import Request, token_limit
from bot.llm.streaming import CHARACTERS_PER_TOKEN, MAX_CHARACTERS, AnswerStream, EventReader, OpenResponse
from bot.llm.unsupported_params import UnsupportedParams
from bot.llm.usage import TokenEstimator, Usage, is_plausible

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

# Seconds to wait for a connection.
CONNECT = 5.0
# Seconds to the first word, retries included: of a server somewhere else, and of one on this machine, which may have
# to load a model and read a long prompt on a CPU. MODEL_TIMEOUT sets both.
HOSTED_TIMEOUT, LOCAL_TIMEOUT = 60.0, 300.0
# The longest time between two words, in seconds.
IDLE_TIMEOUT = 30.0
# Seconds for the rest of an answer after the time for its first word. With 300 for the first word it ends before
# Discord's token for the interaction does, after 15 minutes.
ANSWER_TIME = 300.0
# The client waits as the server's retry-after says, else half a second and doubling. A time-out is not retried.
RETRIES = 2
# Used as the category when a moderation model flags a text and names no category.
NO_CATEGORY = N_("no category named")
# Parts of the names of models that are not chat models.
NOT_CHAT = re.compile(
    r"(?:^|[^a-z])(?:text-)?(?:embed(?:ding)?s?|rerank(?:er|ing)?|moderation|whisper|x?tts|stt|asr|transcribe|speech|"
    r"realtime|dall-e|images?|imagen|diffusion|sdxl|flux|sora|veo|lyria|musicgen|clip|siglip|bge|gte|e5|minilm|colbert|"
    r"(?:modern|distil|ro)?berta?|paraphrase|splade|voyage|ocr|guard|shieldgemma|davinci|babbage|kokoro|piper|"
    r"parakeet)(?![a-z])",
    re.IGNORECASE,
)
# The sentences about a server that has no list of models, or a key that may not read it.
NO_LIST = frozenset({UNCLEAR, NO_SUCH_MODEL, WRONG_ADDRESS, FORBIDDEN, BAD_REQUEST, SERVER_ERROR})
NO_MODEL_LIST = N_("The server at OPENAI_BASE_URL gives no list of chat models: set CHAT_MODEL.")


class ChatClient:
    """Calls one model server, with at most `concurrency` calls at a time. Cancelling a task stops its call.

    `timeout` is the time to the first word in seconds, `answer_time` the time for the rest of the answer. All calls
    raise `ModelError` with a sentence for people.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str,
        model: str,
        concurrency: int = 64,
        timeout: float | None = None,
        answer_time: float = ANSWER_TIME,
    ) -> None:
        self.model = model
        self.tokens = TokenEstimator()
        self._semaphore = asyncio.Semaphore(concurrency)
        # The calls that wait for one of the `concurrency` others to end, in order of arrival.
        self._queue: dict[AnswerStream, None] = {}
        self._unsupported = UnsupportedParams()
        # Set explicitly, so that an OPENAI_BASE_URL in the environment does not redirect a call.
        self._url, self._credentials = _split_credentials(base_url or OPENAI_URL)
        self._key = api_key
        self.timeout = timeout or (LOCAL_TIMEOUT if is_loopback(self.host) else HOSTED_TIMEOUT)
        self._answer_time = answer_time
        self._client: AsyncOpenAI | None = None
        self._opening = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """The number of calls that wait for another to end."""
        return len(self._queue)

    @property
    def host(self) -> str:
        """The host that prompts are sent to."""
        return urlsplit(self._url).hostname or ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._client is not None:
            await self._client.close()

    async def warm(self) -> None:
        """Create the `openai` client, so that the first call need not."""
        await self._opened()

    async def _opened(self) -> "AsyncOpenAI":
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._create_client)
        return self._client

    def _create_client(self) -> "AsyncOpenAI":
        import httpx2
        from openai import AsyncOpenAI
        from openai._models import FinalRequestOptions

        from bot.llm.transport import HEADERS, http_client

        try:
            # Only connecting has a time limit here: what times out in the client is retried.
            http = http_client(httpx2.Timeout(None, connect=min(CONNECT, self.timeout)))
        except OSError as error:
            raise ModelError(NO_CERTIFICATES) from error
        client = AsyncOpenAI(
            base_url=self._url,
            api_key=self._key,
            timeout=http.timeout,
            max_retries=RETRIES,
            http_client=http,
            default_headers={**HEADERS, **({"Authorization": self._credentials} if self._credentials else {})},
        )
        # A whole address is parsed in half the time of a path.
        address = f"{str(client.base_url).rstrip('/')}/chat/completions"
        self._completion = FinalRequestOptions.construct(method="post", url=address)
        return client

    @asynccontextmanager
    async def _short_call(self) -> AsyncIterator["AsyncOpenAI"]:
        """The client for a call that is not streamed, with a time limit."""
        try:
            async with asyncio.timeout(min(self.timeout, HOSTED_TIMEOUT)):
                yield await self._opened()
        except provider_errors() as error:
            raise to_user_error(error) from error
        except PARSE_ERRORS as error:
            raise ModelError(UNCLEAR) from error

    async def models(self) -> list[str]:
        """The ids of the models that the server lists."""
        async with self._short_call() as client:
            listed = [model.id async for model in await client.models.list()]
        return [without_surrogates(name) for name in listed if isinstance(name, str)]

    async def shutdown_date(self, model: str) -> str:
        """The day on which `model` is shut down; empty where the server does not say."""
        try:
            async with self._short_call() as client:
                found = await client.models.retrieve(model)
        except ModelError:
            return ""
        return found.shutdown_date if isinstance(found.shutdown_date, str) else ""

    async def first_chat_model(self) -> str:
        """The first model in the server's list whose name `NOT_CHAT` does not match.

        Raises `ConfigError` where the server gives no list of chat models.
        """
        try:
            listed = await self.models()
        except ModelError as error:
            if error.sentence in NO_LIST or getattr(error.__cause__, "status_code", None) == 501:
                raise ConfigError(NO_MODEL_LIST) from error
            raise
        found = next((name for name in listed if not NOT_CHAT.search(name)), None)
        if found is None:
            raise ConfigError(NO_MODEL_LIST)
        return found

    async def complete(self, request: Request) -> "ChatCompletion":
        """The whole answer, as an object of `openai`."""
        stream = AnswerStream(lambda stream, stack: self._open(stream, stack, request, {}), self._queue)
        async with stream:
            async for _piece in stream:
                pass
        if stream.finish == "broken":
            raise ModelError(BROKE_OFF)
        self.record_usage(request, stream)
        return stream.completion()

    def stream(self, request: Request) -> AnswerStream:
        """The answer while it arrives."""
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        return AnswerStream(lambda stream, stack: self._open(stream, stack, request, streamed), self._queue)

    async def moderate(self, model: str, content: str | AttachedPicture) -> frozenset[str]:
        """The categories under which the moderation `model` of this server objects to `content`; empty for none."""
        given: Any = content if isinstance(content, str) else [content.to_part()]
        async with self._short_call() as client:
            verdict = await client.moderations.create(model=model, input=given)
            (result,) = verdict.results
            categories = result.categories.to_dict()
        found = frozenset(name for name, flag in categories.items() if flag)
        return found or frozenset({NO_CATEGORY} if result.flagged else ())

    def record_usage(self, request: Request, stream: AnswerStream) -> Usage:
        """The usage of a stream: as the server reported it where that is plausible, else estimated.

        A plausible report also corrects the token estimator.
        """
        model = stream.sent.get("model", self.model)
        limit = token_limit(stream.sent)
        completion = self.tokens.estimate_characters(model, stream.characters) if stream.characters else 0
        completion = min(completion, limit or completion)
        if stream.usage is not None and is_plausible(stream.usage, stream.characters, limit):
            self.tokens.learn(model, request.messages, stream.usage.prompt)
            if completion and not stream.usage.completion:  # The report is not plausible in this: a text costs tokens.
                return replace(stream.usage, completion=completion, estimated=True)
            return stream.usage
        return Usage(self.tokens.estimate(model, request.messages), 0, completion, estimated=True)

    async def _open(
        self, stream: AnswerStream, stack: AsyncExitStack, request: Request, extra: Mapping[str, Any]
    ) -> OpenResponse:
        """Send `request`; return the response when its first objects have arrived. `stack` closes it.

        A parameter that the server refuses is left out of the next attempt and of later calls.
        """
        client = await self._opened()
        from openai import APIError

        self._queue[stream] = None
        try:
            await stack.enter_async_context(self._semaphore)
        finally:
            del self._queue[stream]
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout_at(began + self.timeout):
            while True:
                stream.sent = body = self._unsupported.body(request, self.model, extra)
                attempt = AsyncExitStack()
                try:
                    first, rest, reader = await self._first_objects(attempt, client, body)
                    break
                except (APIError, ServerError) as error:
                    await attempt.aclose()
                    stream.sent = {}  # The server has not worked on it, so nothing is charged.
                    if not self._unsupported.learn(error, request, body):
                        raise
                except BaseException:
                    await attempt.aclose()
                    raise
        stack.push_async_exit(attempt)
        limit = token_limit({**request.optional, **request.parameters})
        return OpenResponse(
            first,
            rest,
            reader,
            self._unsupported.local_stop(request, body),
            deadline=began + self.timeout,
            end=began + self.timeout + self._answer_time,
            idle_timeout=min(IDLE_TIMEOUT, self.timeout),
            max_characters=limit * CHARACTERS_PER_TOKEN if limit else MAX_CHARACTERS,
        )

    async def _first_objects(
        self, stack: AsyncExitStack, client: "AsyncOpenAI", body: dict[str, Any]
    ) -> tuple[list[Any], AsyncGenerator[list[Any], None], EventReader]:
        """The first objects of the response to `body`, an iterator over the others, and the reader of both.

        `request` sends the body as it is. `chat.completions.create` looks through it for types that are not used here,
        which takes a tenth of a command's CPU time, and most of it for the 40 messages of a long adventure. What
        requests have in common is made once (`_completion`).
        """
        from httpx2 import Response
        from openai import AsyncStream

        options = self._completion.model_copy(update={"json_data": body})
        response = cast(Response, await client.request(Response, options, stream=True, stream_cls=AsyncStream[Any]))
        stack.push_async_callback(response.aclose)
        # The transport has decompressed it. An open generator costs a task each, in which asyncio closes it.
        chunks = response.aiter_raw()
        stack.push_async_callback(chunks.aclose)
        reader = EventReader(chunks)
        rest = aiter(reader)
        stack.push_async_callback(rest.aclose)
        first: list[Any] = []
        try:
            while not first and not reader.done:
                first = await anext(rest)
        except StopAsyncIteration:
            pass
        except PARSE_ERRORS as error:
            raise ModelError(UNCLEAR) from error
        if first and isinstance(first[0], dict) and (error_sent := error_in(first[0])):
            raise error_sent
        return first, rest, reader


def _split_credentials(url: str) -> tuple[str, str | None]:
    """`url` without `user:password@`, and an `Authorization` header with them, or None.

    It replaces the API key's header, because a request has one `Authorization` header.
    """
    parts = urlsplit(url)
    user, at, address = parts.netloc.rpartition("@")
    if not at:
        return url, None
    encoded = b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=address)), f"Basic {encoded}"


def client_options(settings: Settings, model: ListedModel | None = None) -> dict[str, Any]:
    """The arguments of `ChatClient` for the server of `model`, by default of the model that answers by default.

    Without a key, a dummy one: `openai` requires one.
    """
    model = settings.default_model if model is None else settings.with_server(model)
    return {
        "base_url": model.base_url,
        "api_key": model.key.get_secret_value() if model.key else "none",
        "model": model.name,
        "concurrency": settings.chat_concurrency,
        "timeout": settings.model_timeout,
    }


def shared_client() -> ChatClient:
    """The client for scripts that pass none, from the environment and `.env`.

    One for each event loop, created when first used and closed when `asyncio.run` ends the loop.
    """
    loop = asyncio.get_running_loop()
    if loop not in _shared:
        settings = load()
        if not settings.has_model:
            raise NoModelError(
                "No language model is configured: set OPENAI_API_KEY, or OPENAI_BASE_URL for another server."
            )
        client = ChatClient(**client_options(settings))
        closing = _close_with_loop(client)
        _shared[loop] = client, closing, loop.create_task(anext(closing))
    return _shared[loop][0]


async def _close_with_loop(client: ChatClient) -> AsyncGenerator[None, None]:
    """Close `client` when the loop ends, which closes every asynchronous generator that has begun."""
    try:
        yield
    finally:
        await client.__aexit__()


# Holds the generator and its first step, so that neither is collected early.
_shared: WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[ChatClient, AsyncGenerator[None, None], "asyncio.Task[None]"]
] = WeakKeyDictionary()
