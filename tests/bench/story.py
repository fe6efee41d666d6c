"""`python -m tests.bench.story`: the cost of turn 1,000 of a story, and of fifty stories at once.

Prints ratios: prompt tokens and CPU time of turn 1,000 against turn 50 (medians of the turns around them), for this
bot and for the chapter's method, which sends the whole history each time; and the time of a turn with fifty stories at
once against one. The model server runs in a process of its own with a fixed delay.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.app import open_services
from bot.core.caller import Caller
from bot.core.settings import Settings
from bot.llm.client import ChatClient
from bot.llm.request import Request
from bot.llm.usage import count_tokens
from bot.play import Story, Turn
from bot.play.scenarios import Frame
from bot.services import Services
from tests.bench.model_process import ModelProcess
from tests.play.harness import RecordingView

REPLY = "You go on along the corridor, one hand on the cold wall, and count the doors as they pass in the dark. " * 3
LINE = "walk on along the corridor, count the doors and listen at number {}"
ANN = Caller(1, name="Ann", is_moderator=True)
TURNS, EARLY, AROUND = 1_000, 50, 10
STORIES, TURNS_EACH, DELAY = 50, 6, 0.2


def started(delay: float = 0.0) -> AbstractAsyncContextManager[ModelProcess]:
    """The model server, which waits `delay` seconds before an answer."""
    return ModelProcess.start("--text", REPLY, "--delay", str(delay), "--pieces", "1")


@asynccontextmanager
async def open_bench_services(model: ModelProcess) -> AsyncIterator[Services]:
    """All services, with token limits that the benchmark does not reach."""
    with TemporaryDirectory() as folder:
        limit = 10**9
        settings = Settings(
            _env_file=None, data_dir=Path(folder), openai_base_url=model.url, openai_api_key=model.token,
            chat_model="fake-model", daily_tokens=limit, daily_tokens_per_user=limit, daily_tokens_per_guild=limit,
        )  # fmt: skip
        async with open_services(settings) as services:
            yield services


async def play(services: Services, story: Story, number: int) -> None:
    """Play one turn to its end."""
    await services.adventures.act(story, ANN, LINE.format(number), None, RecordingView())
    worker = services.adventures.queue.state(story.id).worker
    if worker is not None:
        await worker


async def ours(services: Services) -> tuple[list[int], list[float]]:
    """Prompt tokens and CPU seconds of each turn. Summaries run between the turns and are not counted."""
    story = await services.adventures.start(7, 1, ANN, "room")
    tokens, seconds = [], []
    for number in range(TURNS):
        began = time.process_time()
        await play(services, story, number)
        seconds.append(time.process_time() - began)
        await services.adventures.memory.wait()
        head = (await services.adventures.require_running(story.id)).head
        turn = (await services.adventures.view_of_head(story)).turn
        assert turn is not None
        assert turn.id == head
        tokens.append(count_tokens((await services.adventures.memory.prompt(story, turn.id)).messages))
    return tokens, seconds


async def whole_history(model: ModelProcess, frame: Frame) -> tuple[list[int], list[float]]:
    """Prompt tokens and CPU seconds of each turn when the whole history is sent."""
    tokens, seconds = [], []
    messages = list(frame.messages)
    async with ChatClient(base_url=model.url, api_key=model.token, model="fake-model") as client:
        for number in range(TURNS):
            began = time.process_time()
            messages.append({"role": "user", "content": LINE.format(number)})
            answer = await client.complete(Request(tuple(messages), frame.parameters, "adventure", frame.examples))
            messages.append({"role": "assistant", "content": answer.choices[0].message.content or ""})
            seconds.append(time.process_time() - began)
            tokens.append(count_tokens(messages))
    return tokens, seconds


def ratio(values: list[int] | list[float]) -> float:
    """Turn 1,000 against turn 50, each as the median of twenty turns."""
    early = statistics.median(values[EARLY - AROUND : EARLY + AROUND])
    return statistics.median(values[-2 * AROUND :]) / early


async def at_once(services: Services, count: int, first: int) -> tuple[float, list[list[Turn]]]:
    """Seconds per turn when `count` stories are played at once, and the resulting paths."""
    stories = [await services.adventures.start(7, first + number, ANN, "room") for number in range(count)]

    async def through(story: Story) -> None:
        for number in range(TURNS_EACH):
            await play(services, story, number)

    began = time.monotonic()
    await asyncio.gather(*(through(story) for story in stories))
    seconds = (time.monotonic() - began) / TURNS_EACH
    running = [await services.adventures.require_running(story.id) for story in stories]
    return seconds, [await services.adventures.path(story) for story in running]


async def main() -> None:
    """Print the figures."""
    async with started() as model, open_bench_services(model) as services:
        own_tokens, own_seconds = await ours(services)
        frame = services.adventures.scenarios.get("room").frame
        list_tokens, list_seconds = await whole_history(model, frame)
    print(f"turn {TURNS:,} against turn {EARLY}      tokens    CPU time of our process")
    print(f"  this bot                 {ratio(own_tokens):6.2f}    {ratio(own_seconds):6.2f}")
    print(f"  the whole history        {ratio(list_tokens):6.2f}    {ratio(list_seconds):6.2f}")
    print(f"longest prompt of this bot: {max(own_tokens):,} tokens; with the whole history: {list_tokens[-1]:,}")
    print(f"a turn of this bot: {statistics.median(own_seconds) * 1000:.1f} ms of CPU time")
    async with started(DELAY) as model, open_bench_services(model) as services:
        alone, _ = await at_once(services, 1, 1_000)
        together, paths = await at_once(services, STORIES, 2_000)
    wanted = [LINE.format(number) for number in range(TURNS_EACH)]
    wrong = sum([turn.words for turn in path] != wanted for path in paths)
    print(
        f"{STORIES} stories at once: a turn takes {together / alone:.2f} times as long as alone; out of order: {wrong}"
    )


if __name__ == "__main__":
    asyncio.run(main())
