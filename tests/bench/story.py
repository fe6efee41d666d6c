"""`python -m tests.bench.story`: what the thousandth turn of a story costs, and fifty stories at once.

Three figures as ratios, so that they hold on any machine: tokens of the prompt and CPU time of our own code, turn
1,000 against turn 50, each as the median of the turns around it, once for ours and once for the chapter's own way,
which sends the whole list each time; and how much longer a turn takes with fifty stories at once against one, for
the server's delay is the same for all of them. The server is the scripted model in a process of its own.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.app import open_services
from bot.core.caller import Caller
from bot.core.settings import Settings
from bot.llm.client import ChatClient
from bot.llm.request import Request
from bot.play import Story, Turn
from bot.play.memory import count_tokens
from bot.play.scenarios import Frame
from bot.services import Services
from tests.play.harness import RecordingView

REPLY = "You go on along the corridor, one hand on the cold wall, and count the doors as they pass in the dark. " * 3
LINE = "walk on along the corridor, count the doors and listen at number {}"
ANN = Caller(1, name="Ann", is_moderator=True)
TURNS, EARLY, AROUND = 1_000, 50, 10
STORIES, TURNS_EACH, DELAY = 50, 6, 0.2


@asynccontextmanager
async def server(delay: float = 0.0) -> AsyncIterator[dict[str, str]]:
    """The scripted model in a process of its own: `url` and `token`."""
    command = ["-m", "tests.fake_model", "--port", "0", "--text", REPLY, "--delay", str(delay), "--pieces", "1"]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def house(about: dict[str, str]) -> AsyncIterator[Services]:
    """Everything that a cog is given, with limits that no benchmark reaches."""
    with TemporaryDirectory() as folder:
        limit = 10**9
        settings = Settings(
            _env_file=None, data_dir=Path(folder), openai_base_url=about["url"], openai_api_key=about["token"],
            chat_model="fake-model", daily_tokens=limit, daily_tokens_per_user=limit, daily_tokens_per_guild=limit,
        )  # type: ignore[call-arg]  # fmt: skip
        async with open_services(settings) as services:
            yield services


async def play(services: Services, story: Story, number: int) -> None:
    """One turn, to its end."""
    await services.adventures.act(story, ANN, LINE.format(number), None, RecordingView())
    worker = services.adventures.queue.state(story.id).worker
    if worker is not None:
        await worker


async def ours(services: Services) -> tuple[list[int], list[float]]:
    """Tokens of the prompt, and seconds of CPU time, of each turn. Summaries run between turns and are not counted."""
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


async def chapters(about: dict[str, str], frame: Frame) -> tuple[list[int], list[float]]:
    """The same for a list that grows and is sent whole each time."""
    tokens, seconds = [], []
    messages = list(frame.messages)
    async with ChatClient(base_url=about["url"], api_key=about["token"], model="fake-model") as client:
        for number in range(TURNS):
            began = time.process_time()
            messages.append({"role": "user", "content": LINE.format(number)})
            answer = await client.complete(Request(tuple(messages), frame.parameters, "adventure", frame.examples))
            messages.append({"role": "assistant", "content": answer.choices[0].message.content or ""})
            seconds.append(time.process_time() - began)
            tokens.append(count_tokens(messages))
    return tokens, seconds


def ratio(values: list[int] | list[float]) -> float:
    """Turn 1,000 against turn 50, each the median of the twenty turns around or before it."""
    early = statistics.median(values[EARLY - AROUND : EARLY + AROUND])
    return statistics.median(values[-2 * AROUND :]) / early


async def at_once(services: Services, count: int, first: int) -> tuple[float, list[list[Turn]]]:
    """Seconds for a turn of each of `count` stories, played side by side; and the paths that came of it."""
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
    async with server() as about, house(about) as services:
        own_tokens, own_seconds = await ours(services)
        frame = services.adventures.scenarios.get("room").frame
        list_tokens, list_seconds = await chapters(about, frame)
    print(f"turn {TURNS:,} against turn {EARLY}      tokens    CPU time of our process")
    print(f"  this bot                 {ratio(own_tokens):6.2f}    {ratio(own_seconds):6.2f}")
    print(f"  the whole list each time {ratio(list_tokens):6.2f}    {ratio(list_seconds):6.2f}")
    print(f"the longest prompt of ours: {max(own_tokens):,} tokens; the list's last: {list_tokens[-1]:,}")
    print(f"a turn of ours: {statistics.median(own_seconds) * 1000:.1f} ms of CPU time")
    async with server(DELAY) as about, house(about) as services:
        alone, _ = await at_once(services, 1, 1_000)
        together, paths = await at_once(services, STORIES, 2_000)
    wanted = [LINE.format(number) for number in range(TURNS_EACH)]
    wrong = sum([turn.words for turn in path] != wanted for path in paths)
    print(
        f"{STORIES} stories at once: a turn takes {together / alone:.2f} times as long as alone; out of order: {wrong}"
    )


if __name__ == "__main__":
    asyncio.run(main())
