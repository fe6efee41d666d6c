"""The bot under kill -9 at named points of every flow that acknowledges something.

A point is a request of the bot to Discord. The loopback Discord holds it before it is processed, or holds its response,
and the bot is killed there. After a restart, what was acknowledged must be there, and nothing must be there twice.
`tests/drills/test_named_points.py` visits every point three times, `tests/bot/test_named_points.py` some of them once.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.bot.harness import BotHarness, is_final, open_harness
from tests.cogs.adventure_story import StoryDriver, start_story
from tests.tuning.harness import TuningHarness, open_tuning_harness
from tests.wire.exchange import Message
from tests.wire.process import Process

# Seconds in which a bot that was started again must have put everything right.
TIMEOUT, POLL = 20.0, 0.05
CALLBACK = r"^/interactions/\d+/[^/]+/callback$"
# The rate limits of `tests/wire/`, shortened.
RATE_SCALE = 0.1


@dataclass(frozen=True)
class Point:
    """A request at which the bot is killed. `skip` requests with this path pass first."""

    name: str
    method: str
    path: str
    skip: int = 0


ACKNOWLEDGEMENT = Point("acknowledgement", "POST", CALLBACK)
MESSAGE = Point("message", "POST", "/channels/{place}/messages$")
LAST_EDIT = Point("last edit", "PATCH", "/channels/{place}/messages/(?!{newest})")


class Flow(ABC):
    """One flow. It is created once, and then run at each point."""

    points: tuple[Point, ...] = (ACKNOWLEDGEMENT,)
    # The point that tells the person that their step is done. The bot reaches the others only after it.
    acknowledgement = ACKNOWLEDGEMENT

    def __init__(self, harness: BotHarness) -> None:
        self.harness = harness

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["Flow"]:
        """The flow with a Discord and a model of its own, and no bot yet."""
        async with open_harness(rate_scale=RATE_SCALE) as harness:
            harness.model.says(lambda body: f"Reply to {body['messages'][-1]['content'][-40:]}")
            yield cls(harness)

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[Process]:
        """The bot, running for as long as the block lasts."""
        async with self.harness.bot() as process:
            yield process

    def point(self, point: Point) -> Point:
        """`point` with what is only known at run time."""
        return point

    @abstractmethod
    async def prepare(self) -> None:
        """Everything before the step."""

    @abstractmethod
    async def step(self) -> None:
        """Do what is acknowledged; wait for nothing."""

    @abstractmethod
    async def check(self, acknowledged: bool) -> None:
        """After the restart: assert that the step has been done once, or do it if it was not acknowledged."""

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`."""
        for _ in range(int(TIMEOUT / POLL)):
            if condition():
                return
            await asyncio.sleep(POLL)
        assert condition()


async def run(flow: Flow, point: Point, *, after: bool) -> None:
    """Kill the bot at a point of a flow, restart it and check. `after` holds the response instead of the request."""
    async with flow.bot() as process:
        await flow.prepare()
        at = flow.point(point)
        await flow.harness.wire.hold(at.method, at.path, after=after, skip=at.skip)
        await flow.step()
        await flow.harness.wire.held(at.path)
        process.kill()
        await process.wait()
        await flow.harness.wire.release()
        await flow.harness.wire.clear_faults()
        assert "Traceback" not in process.output, process.output
    async with flow.bot() as process:
        await flow.check(after or point != flow.acknowledgement)
        assert "Traceback" not in process.output, process.output


class TurnFlow(Flow):
    """A turn in a story. Checks that it is shown once, with buttons that work, and that other turns are unchanged."""

    points: tuple[Point, ...] = (ACKNOWLEDGEMENT, MESSAGE, LAST_EDIT)
    game: StoryDriver
    newest: Message
    number = 0
    turns_before = 0

    async def prepare(self) -> None:
        if self.number == 0:
            self.game = await start_story(self.harness, "general")
            await self.game.act("first")
        self.number += 1
        self.newest = await self._playable()
        self.turns_before = len(self.game.turns())

    def point(self, point: Point) -> Point:
        path = point.path.replace("{place}", self.game.place).replace("{newest}", str(self.newest.id))
        return Point(point.name, point.method, path, point.skip)

    @property
    def words(self) -> str:
        """What the player says in this run."""
        return f"step {self.number}"

    async def check(self, acknowledged: bool) -> None:
        await self._playable()
        new = len(self.game.turns()) - self.turns_before
        assert new <= 1
        if new == 0:
            assert not acknowledged, f"{self.words!r} was acknowledged and is lost"
            await self.step()
            await self.until(lambda: len(self.game.turns()) > self.turns_before)
        newest = await self._playable()
        assert self._is_shown(newest)
        self._each_turn_is_done_once()
        await self._each_turn_is_shown_once(newest)

    def _is_shown(self, message: Message) -> bool:
        return f"› {self.words}\n" in message.content

    async def _playable(self) -> Message:
        """The newest turn's message, once no turn waits and it has its buttons. A stopped story is resumed."""
        resumed: set[int] = set()
        for _ in range(int(TIMEOUT / POLL)):
            newest = await self._head_message()
            if newest is not None and "Act…" in newest.buttons:
                return newest
            offered = next((label for label in ("Retry", "Go on") if newest and label in newest.buttons), None)
            if newest is not None and offered and newest.id not in resumed:
                resumed.add(newest.id)
                await self.harness.wire.press(newest, offered)
            await asyncio.sleep(POLL)
        raise AssertionError(f"the story cannot be played on: {self.game.turns()}")

    async def _head_message(self) -> Message | None:
        """The message with buttons that shows the head, unless turns wait that nobody is asked about."""
        ((head, words, state),) = self.harness.rows(
            "SELECT turns.id, words, turns.state FROM turns JOIN stories ON stories.head = turns.id"
            " WHERE channel_id = ?", int(self.game.place)
        )  # fmt: skip
        if state == "done" and any(state == "waiting" for _words, state in self.game.turns()):
            return None
        for found in reversed(await self.harness.wire.messages(self.game.place)):
            if f"› {words or '…'}\n" in found.content and any(
                f":{head}:" in str(one.get("custom_id")) for one in found.components
            ):
                return found
        return None

    async def _only_the_newest_has_buttons(self, newest: Message) -> None:
        """Buttons of older turns are removed in the background, so they may be there for a moment."""
        for _ in range(int(TIMEOUT / POLL)):
            with_buttons = [one.id for one in await self.harness.wire.messages(self.game.place) if one.buttons]
            if with_buttons == [newest.id]:
                return
            await asyncio.sleep(POLL)
        raise AssertionError(f"{with_buttons} have buttons, and {newest.id} is the newest turn")

    def _each_turn_is_done_once(self) -> None:
        states = [state for _words, state in self.game.turns()]
        assert set(states) == {"done"}, states
        assert len(states) == self.turns_before + 1

    async def _each_turn_is_shown_once(self, newest: Message) -> None:
        messages = [one for one in await self.harness.wire.messages(self.game.place) if "› " in one.content]
        headings = [one.content.partition("\n")[0] for one in messages]
        assert len(headings) == len(set(headings)), [(one.id, one.content, one.buttons) for one in messages]
        for one in messages:
            assert "\nReply to " in one.content, one.content
        await self._only_the_newest_has_buttons(newest)


class SlashTurn(TurnFlow):
    """`/adventure act`."""

    async def step(self) -> None:
        await self.harness.wire.slash("adventure act", channel=self.game.place, text=self.words)


class ModalTurn(TurnFlow):
    """The modal of Act…."""

    async def prepare(self) -> None:
        await super().prepare()
        self.modal = await (await self.harness.wire.press(self.newest, "Act…")).modal()

    async def step(self) -> None:
        await self.harness.wire.submit(self.modal, {"text": self.words})


class ReplyTurn(TurnFlow):
    """A reply to the newest turn, which Discord does not acknowledge."""

    points = TurnFlow.points[1:]

    async def step(self) -> None:
        newest = await self._playable()
        await self.harness.wire.say(self.words, channel=self.game.place, reply_to=newest)


class ContinueTurn(TurnFlow):
    """The button Continue. The player's name tells its turns apart."""

    @property
    def words(self) -> str:
        return "…"

    async def step(self) -> None:
        newest = await self._playable()
        await self.harness.wire.press(newest, "Continue")

    async def _each_turn_is_shown_once(self, newest: Message) -> None:
        messages = [one for one in await self.harness.wire.messages(self.game.place) if "› " in one.content]
        assert len(messages) == len(self.game.turns())
        await self._only_the_newest_has_buttons(newest)


class UndoTurn(TurnFlow):
    """The button Undo: the turn before is shown, and the head is moved once."""

    points = (ACKNOWLEDGEMENT, MESSAGE)

    async def prepare(self) -> None:
        await super().prepare()
        await self.game.act(self.words)
        self.newest = await self._playable()

    async def step(self) -> None:
        await self.harness.wire.press(await self._playable(), "Undo")

    async def check(self, acknowledged: bool) -> None:
        newest = await self._playable()
        if self._is_shown(newest):
            assert not acknowledged
            await self.step()
            newest = await self.harness.wire.until(
                lambda found: found.id > newest.id and "Act…" in found.buttons, self.game.place
            )
        assert not self._is_shown(newest)
        await self._only_the_newest_has_buttons(newest)


class RetryTurn(TurnFlow):
    """The button ▶ under the last sibling: one more reply to the turn, in the place of the one before."""

    points = (ACKNOWLEDGEMENT, Point("first edit", "PATCH", "/channels/{place}/messages/{newest}$"))

    async def prepare(self) -> None:
        await super().prepare()
        self.siblings = self._siblings()

    def _siblings(self) -> int:
        return len(self.game.turns())

    async def step(self) -> None:
        await self.harness.wire.press(await self._playable(), "▶")

    async def check(self, acknowledged: bool) -> None:
        newest = await self._playable()
        if self._siblings() == self.siblings:
            assert not acknowledged
            await self.step()
            await self.until(lambda: self._siblings() > self.siblings)
            newest = await self._playable()
        assert f"{self.siblings + 1}/{self.siblings + 1}" in newest.buttons
        self._each_turn_is_done_once()
        messages = await self.harness.wire.messages(self.game.place)
        assert [one.id for one in messages if "› first\n" in one.content] == [newest.id]


class RowFlow(Flow):
    """A step that stores one row."""

    number = 0

    async def prepare(self) -> None:
        self.number += 1
        await self.ready()

    async def ready(self) -> None:
        """Everything before the step."""

    @abstractmethod
    def rows(self) -> int:
        """How many rows of this run there are."""

    async def check(self, acknowledged: bool) -> None:
        assert self.rows() <= 1
        if self.rows() == 0:
            assert not acknowledged, f"{type(self).__name__} was acknowledged and is lost"
            await self.ready()
            await self.step()
            await self.until(lambda: self.rows() == 1)
        assert self.rows() == 1

    def count(self, sql: str, *values: object) -> int:
        """The number that a query gives."""
        return int(self.harness.rows(sql, *values)[0][0])


class PromptKept(RowFlow):
    """A public answer with its button Prompt."""

    acknowledgement = Point("answer", "PATCH", "^/webhooks/.*/messages/@original$")
    points = (acknowledgement,)

    async def step(self) -> None:
        text = f"Good morning {self.number}"
        self.exchange = await self.harness.slash("translate", text=text, to="Greek", private=False)

    def rows(self) -> int:
        return self.count("SELECT count(*) FROM prompts WHERE body LIKE ?", f'%Good morning {self.number}"%')

    async def check(self, acknowledged: bool) -> None:
        # An edit while the answer is streamed has no buttons: it does not say that the prompt is stored.
        messages = await self.harness.wire.messages(self.harness.place)
        shown = [one for one in messages if "Prompt" in one.buttons]
        is_shown = any(f"Good morning {self.number}\n" in one.content for one in shown)
        await super().check(acknowledged and is_shown)
        for one in shown:
            assert "Good morning" in (await self.harness.press(one, "Prompt")).text


class TrickTaught(RowFlow):
    """The modal of `/trick teach`."""

    async def ready(self) -> None:
        self.modal = await (await self.harness.slash("trick teach", name=f"refuse-{self.number}", user="admin")).modal()

    async def step(self) -> None:
        values = {"instruction": "Refuse politely.", "given": "Work on Sunday?", "wanted": "Alas, no."}
        await self.harness.wire.submit(self.modal, values)

    def rows(self) -> int:
        return self.count("SELECT count(*) FROM tricks WHERE name = ?", f"refuse-{self.number}")


class CorrectionSuggested(RowFlow):
    """The button Suggest to the server under an answer that was corrected with Not like that…."""

    async def ready(self) -> None:
        answer = await self.harness.answer("translate", text=f"Good morning {self.number}", to="Greek")
        more = await self.harness.press(answer, "⋯")
        modal = await (await self.harness.wire.press(more, "Not like that…")).modal()
        self.corrected = await (await self.harness.wire.submit(modal, {"wanted": f"Kalimera {self.number}"})).answer(
            is_final
        )

    async def step(self) -> None:
        await self.harness.wire.press(self.corrected, "Suggest to the server")

    def rows(self) -> int:
        return self.count("SELECT count(*) FROM trick_suggestions WHERE wanted = ?", f"Kalimera {self.number}")


class PrivacyDelete(RowFlow):
    """The button Forget me of `/privacy delete`."""

    async def ready(self) -> None:
        await self.harness.answer("translate", text=f"Good morning {self.number}", to="Greek", private=False)
        await self.until(lambda: self.count("SELECT count(*) FROM prompts") > 0)
        self.card = await self.harness.notice("privacy delete")

    async def step(self) -> None:
        await self.harness.wire.press(self.card, "Delete my data")

    def rows(self) -> int:
        return int(self.count("SELECT count(*) FROM prompts WHERE user_id != 0") == 0)


class TuningFlow(RowFlow):
    """A step of tuning, with a provider's double."""

    def __init__(self, tuning: TuningHarness) -> None:
        super().__init__(tuning.harness)
        self.tuning = tuning

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Flow]:
        async with open_tuning_harness(texts=3) as tuning:
            tuning.writer()
            yield cls(tuning)

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[Process]:
        async with self.tuning.bot() as process:
            yield process


class JobStart(TuningFlow):
    """The button that confirms a job's price."""

    async def ready(self) -> None:
        if self.number == 1 and not self.harness.rows("SELECT id FROM datasets"):
            await self.tuning.prepare()
        self.confirmation = await self.tuning.estimate()

    async def step(self) -> None:
        await self.harness.wire.press(self.confirmation, "Start: price not known", user="operator")

    def rows(self) -> int:
        return self.count("SELECT count(*) FROM tuning_jobs")

    async def check(self, acknowledged: bool) -> None:
        await super().check(acknowledged)
        await self.tuning.done()
        await self.tuning.nothing_twice()


class ModelPromoted(TuningFlow):
    """The button Promote under the card of a job."""

    async def ready(self) -> None:
        if not self.harness.rows("SELECT id FROM datasets"):
            await self.tuning.prepare()
            await self.tuning.start()
        self.card = await self.tuning.done()

    async def step(self) -> None:
        await self.harness.wire.press(self.card, "Promote", user="operator")

    def rows(self) -> int:
        return self.count("SELECT count(*) FROM promotions WHERE undone = 0")


FLOWS: tuple[type[Flow], ...] = (
    SlashTurn,
    ModalTurn,
    ReplyTurn,
    ContinueTurn,
    UndoTurn,
    RetryTurn,
    PromptKept,
    TrickTaught,
    CorrectionSuggested,
    PrivacyDelete,
    JobStart,
    ModelPromoted,
)
# Flows that can be done once in a harness.
ONCE = (JobStart, ModelPromoted)
