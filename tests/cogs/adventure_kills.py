"""A game of three under kill -9: no turn lost, none twice, and every button still works. For a test and a drill."""

import asyncio
import contextlib
import os
import random
import time

from tests.bot.harness import BotHarness, open_harness
from tests.cogs.adventure_story import StoryDriver, start_story
from tests.wire.driver import WireError
from tests.wire.exchange import Message, NoAnswerError
from tests.wire.process import Process

SEED = int(os.environ.get("DRILL_SEED", time.time()))
PLAYERS = ("member", "friend", "admin")
# Seconds that a turn may take before its player looks what became of it.
TIMEOUT, POLL = 4.0, 0.05


class Drill:
    """Plays on while somebody kills the bot; the players do what people would do."""

    def __init__(self, harness: BotHarness, chance: random.Random) -> None:
        self.harness, self.chance = harness, chance
        self.game: StoryDriver | None = None
        self.alive = asyncio.Event()

    async def play(self, turns: int) -> None:
        """So many turns, one player after the other, by command, form and reply."""
        assert self.game is not None
        for number in range(turns):
            await self._turn(f"step {number}", PLAYERS[number % len(PLAYERS)])

    async def _turn(self, words: str, user: str) -> None:
        """Say `words` until they are in the story; then push until they are told."""
        while True:
            await self.alive.wait()
            state = self._state(words)
            if state == "done":
                return
            with contextlib.suppress(WireError, NoAnswerError, AssertionError, TimeoutError):
                if state is None:
                    await self._say(words, user)
                else:
                    await self._push(user)
            await self._settled(words)

    async def _say(self, words: str, user: str) -> None:
        """By command, by form or as a reply to the newest turn, as chance has it."""
        assert self.game is not None
        wire, way = self.harness.wire, self.chance.choice(["command", "command", "form", "reply"])
        newest = await self._newest()
        if way == "form" and newest is not None and "Act…" in newest.buttons:
            form = await (await wire.press(newest, "Act…", user=user)).modal(timeout=TIMEOUT)
            await wire.submit(form, {"text": words})
        elif way == "reply" and newest is not None:
            await wire.say(words, user=user, reply_to=newest)
        else:
            await wire.slash("adventure act", channel=self.game.place, user=user, text=words)

    async def _push(self, user: str) -> None:
        """The story stands: press what it offers; where it offers nothing, look at its newest turn again."""
        assert self.game is not None
        newest = await self._newest()
        offered = next((label for label in ("Retry", "Go on") if newest and label in newest.buttons), None)
        if newest is not None and offered:
            await self.harness.wire.press(newest, offered, user=user)
        else:
            await self.harness.wire.slash("adventure resume", channel=self.game.place, user=user)

    async def _settled(self, words: str) -> None:
        """Until the turn is told, or nothing more comes of it."""
        for _ in range(int(TIMEOUT / POLL)):
            if not self.alive.is_set() or self._state(words) == "done":
                return
            await asyncio.sleep(POLL)

    async def _newest(self) -> Message | None:
        """The newest message with buttons."""
        assert self.game is not None
        messages = [one for one in await self.harness.wire.messages(self.game.place) if one.buttons]
        return messages[-1] if messages else None

    def _state(self, words: str) -> str | None:
        """Whether the words are stored, and told; asserts that they are not stored twice."""
        assert self.game is not None
        found = [state for said, state in self.game.turns() if said == words]
        assert len(found) < 2, f"{words!r} is stored {len(found)} times"
        return found[0] if found else None


async def _run(drill: Drill, turns: int, kills: int, within: float) -> int:
    """Start the bot again and again, killing it `kills` times at random moments; how often it was killed."""
    playing = asyncio.create_task(drill.play(turns))
    killed = 0
    while not playing.done():
        async with drill.harness.bot() as process:
            drill.alive.set()
            if killed < kills:
                await asyncio.wait({playing}, timeout=drill.chance.uniform(0.05 * within, within))
                if not playing.done():
                    drill.alive.clear()
                    await _kill(process)
                    killed += 1
            else:
                await asyncio.wait({playing})
            if playing.done():
                await _every_button_works(drill, turns)
    await playing
    return killed


async def _kill(process: Process) -> None:
    process.kill()
    await process.wait()


async def _every_button_works(drill: Drill, turns: int) -> None:
    """After all of it: retry, both arrows, undo, ⋯, continue, under the newest turn."""
    assert drill.game is not None
    game, wire = drill.game, drill.harness.wire
    newest = await game.turn_message(f"step {turns - 1}", until=lambda found: "▶" in found.buttons)
    await wire.press(newest, "▶", user="member")
    again = await wire.until(lambda found: "2/2" in found.buttons, game.place)
    back = await _turned_back(drill, again)
    card = await (await wire.press(back, "⋯", user="member")).answer(lambda found: "Branch here…" in found.buttons)
    assert card.ephemeral
    prompt = await (await wire.press(back, "Prompt", user="admin")).answer()
    assert "step" in prompt.text
    await wire.press(back, "Undo", user="member")
    undone = await wire.until(lambda found: found.id > back.id and "Undo" in found.buttons, game.place)
    await wire.press(undone, "Continue", user="member")
    await game.turn_message("…")


async def _turned_back(drill: Drill, message: Message) -> Message:
    """The telling before that of `shown`. A press in the moment in which a telling ends is refused; people press
    again.
    """
    assert drill.game is not None
    wire = drill.harness.wire
    for _ in range(10):
        pressed = await wire.press(message, "◀", user="member")
        if "A turn is being written" not in " ".join(found.text for found in await pressed.messages()):
            break
    return await wire.until(lambda found: "1/2" in found.buttons, drill.game.place)


async def drill(turns: int, kills: int, *, within: float = 4.0, rate_scale: float = 1.0) -> None:
    """A game of so many turns with so many kills in it, each `within` seconds of a start, and what must hold at its
    end. `rate_scale` shortens the rate limits of the loopback Discord.
    """
    chance = random.Random(SEED)
    print(f"DRILL_SEED={SEED}")
    async with open_harness(rate_scale=rate_scale) as harness:
        harness.model.says(
            "You go on. The corridor is long and dark, and there is a light at its end.", pieces=5, delay=0.05
        )
        game = Drill(harness, chance)
        async with harness.bot():
            game.game = await start_story(harness, "general")
        killed = await _run(game, turns, kills, within)
        done = [words for words, state in game.game.turns() if state == "done" and words]
        path = harness.rows(
            "WITH RECURSIVE walk AS (SELECT turns.* FROM turns JOIN stories ON stories.head = turns.id"
            " UNION ALL SELECT turns.* FROM turns JOIN walk ON turns.id = walk.parent_id)"
            " SELECT words FROM walk WHERE words != '' ORDER BY depth"
        )
        steps = [f"step {number}" for number in range(turns)]
        assert [words for (words,) in path] == steps[:-1]
        assert done == [*steps, steps[-1]]
        print(f"{turns} turns, {killed} kills: none lost, none twice, every button works")
