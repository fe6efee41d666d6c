"""`ChatClient`: the one client of the process, on `AsyncOpenAI` with a transport of our own.

A parameter is sent only where the template sets it; `bot.llm.request` drops what a model refuses by name.
Importing `openai` takes a third of a second of CPU time, more than all the rest of a start. So it is done at the first
call, or by `ChatClient.warm` before it, and off the loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from bot.core.errors import ModelError, NoModelError
from bot.core.i18n import N_
from bot.core.settings import DEFAULT_OPENAI_MODEL, OPENAI_URL, Settings, load
from bot.core.stop_sequences import truncate_at_stop
from bot.llm.errors import MALFORMED_RESPONSE, NO_CERTIFICATES, UNCLEAR, provider_errors, to_user_error
from bot.llm.request import Request, UnsupportedParams
from bot.llm.streaming import AnswerStream, Chunks
from bot.llm.usage import TokenEstimator, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

T = TypeVar("T")
# One way to make a call with a body, through the stock client.
Create = Callable[["AsyncOpenAI", dict[str, Any]], Awaitable[T]]
# Longest wait for a connection, and for the next word of an answer, in seconds: a person gives up sooner.
CONNECT, SILENCE = 5.0, 60.0
# The client waits as the server's retry-after says, up to two minutes, else half a second and doubling.
RETRIES = 2
# Seconds until a call, its retries included, must have begun to answer.
PATIENCE = 120.0
# In place of a category, where a moderation objects and names none.
NO_CATEGORY = N_("no category named")


class ChatClient:
    """Asks one server. At most `concurrency` calls run at a time; cancelling a task stops its call; one that says
    nothing for `silence` seconds (default: `SILENCE`) is given up.

    All calls raise `ModelError` with a sentence for people.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str,
        model: str,
        concurrency: int = 64,
        silence: float | None = None,
    ) -> None:
        self.model = model
        self.tokens = TokenEstimator()
        self._places = asyncio.Semaphore(concurrency)
        self._refusals = UnsupportedParams()
        # Pinned to the address: an OPENAI_BASE_URL in the environment must not move a call of ours.
        self._url, self._key = base_url or OPENAI_URL, api_key
        self._silence = SILENCE if silence is None else silence
        self._client: AsyncOpenAI | None = None
        self._making = asyncio.Lock()

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
        """Make the stock client ready, so that the first call need not."""
        await self._stock()

    async def _stock(self) -> "AsyncOpenAI":
        """The stock client, made at first need."""
        if self._client is None:
            async with self._making:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._made)
        return self._client

    def _made(self) -> "AsyncOpenAI":
        import httpx2
        from openai import AsyncOpenAI

        from bot.llm.transport import http_client

        try:
            carrier = http_client(httpx2.Timeout(self._silence, connect=CONNECT))
        except OSError as error:
            raise ModelError(NO_CERTIFICATES) from error
        return AsyncOpenAI(
            base_url=self._url,
            api_key=self._key,
            timeout=carrier.timeout,
            max_retries=RETRIES,
            http_client=carrier,
        )

    async def models(self) -> list[str]:
        """The ids of the models that the server lists."""
        try:
            return [model.id async for model in await (await self._stock()).models.list()]
        except provider_errors() as error:
            raise to_user_error(error) from error
        except MALFORMED_RESPONSE as error:
            raise ModelError(UNCLEAR) from error

    async def complete(self, request: Request) -> "ChatCompletion":
        """The client's own response object, whole."""
        try:
            async with self._places, asyncio.timeout(PATIENCE):
                completion, body, stop = await self._asking(request, self._create, {})
        except provider_errors() as error:
            raise to_user_error(error) from error
        if stop and completion.choices[0].message.content:
            completion.choices[0].message.content = truncate_at_stop(completion.choices[0].message.content, stop)
        if completion.usage is not None:
            self.tokens.learn(body["model"], request.messages, completion.usage.prompt_tokens)
        return completion

    async def flagged(self, model: str, text: str) -> frozenset[str]:
        """The categories under which the moderation `model` of the same server objects to `text`; empty for none."""
        try:
            async with asyncio.timeout(PATIENCE):
                verdict = await (await self._stock()).moderations.create(model=model, input=text)
            (result,) = verdict.results
            categories = result.categories.to_dict()
        except provider_errors() as error:
            raise to_user_error(error) from error
        except MALFORMED_RESPONSE as error:
            raise ModelError(UNCLEAR) from error
        found = frozenset(name for name, flag in categories.items() if flag)
        return found or frozenset({NO_CATEGORY} if result.flagged else ())

    def stream(self, request: Request) -> AnswerStream:
        """The same as it comes."""

        async def opener(stack: AsyncExitStack) -> Chunks:
            await stack.enter_async_context(self._places)
            streamed = {"stream": True, "stream_options": {"include_usage": True}}

            async def create(client: "AsyncOpenAI", body: dict[str, Any]) -> AsyncIterator[bytes]:
                raw = client.chat.completions.with_streaming_response.create(**_unwalked(body))
                chunks: AsyncIterator[bytes] = (await stack.enter_async_context(raw)).iter_bytes()
                return chunks

            async with asyncio.timeout(PATIENCE):
                return Chunks(*await self._asking(request, create, streamed), self._silence)

        return AnswerStream(opener)

    async def _create(self, client: "AsyncOpenAI", body: dict[str, Any]) -> "ChatCompletion":
        """One plain call. A page of HTML would come back as a text, and a list as a list."""
        from openai.types.chat import ChatCompletion

        try:
            completion: object = await client.chat.completions.create(**_unwalked(body))
        except MALFORMED_RESPONSE as error:
            raise ModelError(UNCLEAR) from error
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise ModelError(UNCLEAR)
        return completion

    def usage(self, request: Request, stream: AnswerStream) -> Usage:
        """What a stream used: as reported, else estimated; a report also corrects the estimates to come."""
        model = stream.sent.get("model", self.model)
        if stream.usage is not None:
            self.tokens.learn(model, request.messages, stream.usage.prompt)
            return stream.usage
        prompt = self.tokens.estimate(model, request.messages)
        return Usage(prompt, 0, self.tokens.estimate_text(model, stream.text), estimated=True)

    async def _asking(
        self, request: Request, create: "Create[T]", extra: Mapping[str, Any]
    ) -> tuple[T, dict[str, Any], tuple[str, ...]]:
        """What `create` gives, the body that it was given in the end, and the stops to apply here."""
        client = await self._stock()
        from openai import BadRequestError

        while True:
            body = self._refusals.body(request, self.model, extra)
            try:
                return await create(client, body), body, self._refusals.local_stop(request, body)
            except BadRequestError as error:
                if not self._refusals.learned(error, body):
                    raise


def _unwalked(body: dict[str, Any]) -> dict[str, Any]:
    """`body` for the client's `create`, beside the arguments that it checks one by one.

    It walks through all that it is given for types that ours does not have, which took two thirds of our own time for
    the prompt of a long adventure: 18 ms of 27 for 40 messages (measured 2026-11-22). What is sent is the same.
    """
    return {"model": body["model"], "messages": (), "extra_body": body}


def client_options(settings: Settings) -> dict[str, Any]:
    """How to reach the configured model; servers on a laptop want no key, but the client wants one to send."""
    key = settings.openai_api_key
    return {
        "base_url": settings.openai_base_url,
        "api_key": key.get_secret_value() if key else "none",
        "model": settings.chat_model or DEFAULT_OPENAI_MODEL,
        "concurrency": settings.chat_concurrency,
    }


def shared_client() -> ChatClient:
    """The client for scripts that bring none, from the environment and `.env`: one for each event loop, made at
    first need inside it, and closed when `asyncio.run` ends the loop.
    """
    loop = asyncio.get_running_loop()
    if loop not in _shared:
        settings = load()
        if not settings.has_model:
            raise NoModelError(
                "No language model is configured: set OPENAI_API_KEY, or OPENAI_BASE_URL for another server."
            )
        client = ChatClient(**client_options(settings))
        closing = _closed_with_its_loop(client)
        _shared[loop] = client, closing, loop.create_task(anext(closing))
    return _shared[loop][0]


async def _closed_with_its_loop(client: ChatClient) -> AsyncGenerator[None, None]:
    """Begun inside a loop and left at its `yield`; ending the loop closes every generator, and this one the client."""
    try:
        yield
    finally:
        await client.__aexit__()


# The generator and its first step are held, so that neither is collected before its time.
_shared: WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[ChatClient, AsyncGenerator[None, None], "asyncio.Task[None]"]
] = WeakKeyDictionary()
