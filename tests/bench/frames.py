"""`python -m tests.bench.frames`: how deep a call of the `openai` client is below the callback of an interaction.

Counted are the functions of `bot/` and `cogs/` on the call stack at the client's `request`. Where the call runs in
another task, the stack at the start of that task is counted as well. The bot runs in the simulator.
"""

import asyncio
import contextvars
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
OWN = (f"{ROOT / 'bot'}/", f"{ROOT / 'cogs'}/")
# The simulator is the bot's own code as well, and no part of an answer's way.
NOT_COUNTED = (f"{ROOT / 'bot' / 'demo'}/", str(ROOT / "bot" / "bot.py"))

_before: contextvars.ContextVar[tuple[str, ...]] = contextvars.ContextVar("frames of the tasks before", default=())


def own_frames(frame: FrameType | None) -> Iterator[str]:
    """The functions of the bot from the innermost to the outermost."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(OWN) and not file.startswith(NOT_COUNTED):
            yield f"{Path(file).relative_to(ROOT)}:{frame.f_code.co_qualname}"
        frame = frame.f_back


class Recorder:
    """Records the frames of every call of the client while it is active."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def __enter__(self) -> "Recorder":
        from openai import AsyncOpenAI

        request, new_task = AsyncOpenAI.request, asyncio.create_task

        async def recorded(client: AsyncOpenAI, *args: Any, **options: Any) -> Any:
            self.calls.append((*_before.get(), *reversed(list(own_frames(sys._getframe(1))))))
            return await request(client, *args, **options)

        def started(coroutine: Any, **options: Any) -> Any:
            context = (options.pop("context", None) or contextvars.copy_context()).copy()
            context.run(_before.set, (*_before.get(), *reversed(list(own_frames(sys._getframe(1))))))
            return new_task(coroutine, context=context, **options)

        self._patches = ExitStack()
        self._patches.enter_context(patch.object(AsyncOpenAI, "request", recorded))
        self._patches.enter_context(patch.object(asyncio, "create_task", started))
        return self

    def __exit__(self, *exc: object) -> None:
        self._patches.close()


async def translate(folder: Path) -> Recorder:
    """`/translate`."""
    from tests.simulated import simulated

    async with simulated(folder) as sim:
        sim.model.says("Bonjour")
        with Recorder() as recorder:
            await sim.member.slash(sim.general, "translate", text="Good morning", to="French")
    return recorder


async def adventure(folder: Path) -> Recorder:
    """`/adventure act`."""
    from tests.simulated import simulated

    async with simulated(folder) as sim:
        sim.model.says("You see a door.")
        await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures)
        await sim.member.slash(sim.adventures, "adventure start", scenario="room")
        with Recorder() as recorder:
            await sim.member.slash(sim.adventures, "adventure act", text="open the door")
    return recorder


async def racing(folder: Path, trained: Path) -> Recorder:
    """`/racing ask`, of a smaller corpus."""
    from tests.cogs.operating import CORPUS, season

    async with season(folder, trained=trained) as sim:
        with Recorder() as recorder:
            await sim.member.slash(sim.general, f"{CORPUS} ask", question="Which pod does Senn Kava fly?")
    return recorder


def main() -> None:
    """Print the number of frames of each, and the frames."""
    from tests.cogs.operating import trained_data

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found = {
            "/translate": asyncio.run(translate(folder / "translate")),
            "/adventure act": asyncio.run(adventure(folder / "adventure")),
        }
        (folder / "trained").mkdir()
        trained = trained_data(folder / "trained")
        found["/racing ask"] = asyncio.run(racing(folder / "racing", trained))
    for command, recorder in found.items():
        frames = recorder.calls[0] if recorder.calls else ()
        print(f"{command}: {len(frames)} frames")
        for number, frame in enumerate(frames, 1):
            print(f"  {number:2}  {frame}")


if __name__ == "__main__":
    main()
