"""Taking turns: one turn at a time in a story, in order of arrival.

Every turn is stored before anything else happens with it, and gets its place in the tree when its time comes. One
task for a story tells turn after turn until nobody waits. A turn whose answer fails stays open, the story stops
there, and those behind it go on waiting; after a crash the database says the same.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bot.core.errors import FewshotError, InputError, LimitError, NoModelError
from bot.core.i18n import N_, guild_locale
from bot.llm.request import Request
from bot.play.interfaces import Payer, Screen, Shown, Teller, Told, TurnView
from bot.play.memory import Memory
from bot.play.prompting import prompt, tokens_of
from bot.play.scenarios import Frame
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import OPEN, NewTurn, Story, Turn

_log = logging.getLogger(__name__)
# Turns that wait behind the one being told; who comes after them is told so.
LINE = 3
# A path is never read further up than this: where no summary could be made, the budget cuts long before.
FURTHEST = 400
# Seconds that stopping gives the turns under way, and then their last words.
GRACE, LAST_WORDS = 5.0, 3.0
# Seconds in which a turn whose last edit is made is put away too, also on a busy machine.
MOMENT = 1.0
INTERRUPTED = N_("I was stopped in the middle of this turn.")
STOPPING = N_("I am being restarted. This turn is kept; go on with it in a minute.")


class FullError(LimitError):
    """The line is as long as it may get."""


class BusyError(InputError):
    """A turn is being told, and the story cannot be moved under it."""


@dataclass(slots=True)
class EnqueueResult:
    """What became of a turn that arrived: `ahead` of it are so many; `stopped` where it waits for a push.

    `opened` is done once a turn with nobody ahead is shown, and raises where it could not be. A turn whose event
    was `known` is the same turn again, and nothing was done.
    """

    ahead: int = 0
    stopped: bool = False
    known: bool = False
    opened: "asyncio.Future[None] | None" = None


@dataclass(slots=True)
class StoryState:
    """What the process knows of a story that is played. `stopped` is None until the database was looked at; `fresh`
    says that nobody has made a move, or voted for one, since the process began.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    worker: "asyncio.Task[None] | None" = None
    stopped: bool | None = None
    problem: str = INTERRUPTED
    votes: dict[str, set[int]] = field(default_factory=dict)
    fresh: bool = True


class Taking:
    """Turn-taking for all stories; one for the process."""

    def __init__(
        self, database: Database, teller: Teller, memory: Memory, budget: int, without_model: FewshotError
    ) -> None:
        self._database, self._teller, self._memory = database, teller, memory
        self._budget, self._without_model = budget, without_model
        self._seats: dict[str, StoryState] = {}
        self._closing = False

    def seat(self, story_id: str) -> StoryState:
        """What is known of a story; its lock keeps moves and arrivals apart."""
        return self._seats.setdefault(story_id, StoryState())

    def leave(self, story_id: str) -> None:
        """Forget about a story that is not played any more."""
        if not self.busy(story_id):
            self._seats.pop(story_id, None)

    def busy(self, story_id: str) -> bool:
        """Whether a turn of the story is being told."""
        seat = self._seats.get(story_id)
        return seat is not None and seat.worker is not None

    async def refuse_if_busy(self, story_id: str) -> None:
        """Raises `BusyError` while a turn is being told.

        A turn has its buttons a moment before it is put away, so whoever is quick waits for that moment.
        """
        worker = self.seat(story_id).worker
        if worker is not None:
            await asyncio.wait({worker}, timeout=MOMENT)
        if self.busy(story_id):
            raise BusyError("A turn is being told; wait for its end.")

    async def stopped(self, story: Story) -> bool:
        """Whether the story wants a push: its newest turn is open, or turns wait, and nothing is being told."""
        seat = self.seat(story.id)
        if seat.stopped is None:
            turn = await stories.find_turn(self._database, story.head) if story.head else None
            open_ = turn is not None and turn.state == OPEN
            seat.stopped = open_ or bool(await stories.waiting_turns(self._database, story.id))
        return seat.stopped and seat.worker is None

    async def arrive(self, story: Story, new: NewTurn, screen: Screen) -> EnqueueResult:
        """Store `new` and tell it when its time comes. The caller holds the seat's lock.

        Raises `FullError` with the words in it, so that they are not lost on their writer.
        """
        self._refuse_if_closing()
        stopped = await self.stopped(story)
        seat = self.seat(story.id)
        ahead = await stories.enqueue_turn(self._database, new, LINE + (not stopped and seat.worker is None))
        if ahead == "known":
            return EnqueueResult(known=True)
        if ahead == "full":
            raise FullError(
                "{n} turns wait already; say it again after them. You said: {words}", n=LINE, words=new.words[:1500]
            )
        if stopped:
            return EnqueueResult(ahead=ahead + 1, stopped=True)
        if seat.worker is not None:
            return EnqueueResult(ahead=ahead + 1)
        return self.start(story, None, screen)

    def start(
        self, story: Story, turn: Turn | None, screen: Screen, *, payer: int = 0, place: int | None = None
    ) -> EnqueueResult:
        """Tell `turn` (charged to `payer`, else to its player; in the message `place`), and then all that wait."""
        self._refuse_if_closing()
        seat = self.seat(story.id)
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        opened.add_done_callback(_heard)
        seat.stopped, seat.votes = False, {}
        with guild_locale():  # All see the turns, whoever's was the first.
            worker = asyncio.create_task(self._work(story, seat, turn, screen, payer, place, opened), name="tell-turns")
        worker.add_done_callback(_ended)
        seat.worker = worker
        return EnqueueResult(opened=opened)

    async def close(self) -> None:
        """Take nothing new, give the turns under way a moment, then stop them; they stay open."""
        self._closing = True
        workers = {seat.worker for seat in self._seats.values() if seat.worker is not None}
        if workers:
            _done, late = await asyncio.wait(workers, timeout=GRACE)
            for worker in late:
                worker.cancel()
            if late:
                await asyncio.wait(late, timeout=LAST_WORDS)

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise BusyError("I am being restarted. Play on in a minute.")

    async def _work(
        self,
        story: Story,
        seat: StoryState,
        turn: Turn | None,
        screen: Screen,
        payer: int,
        place: int | None,
        opened: "asyncio.Future[None]",
    ) -> None:
        """Tell turn after turn; what goes wrong leaves the story stopped."""
        seat.stopped, seat.problem = True, INTERRUPTED
        try:
            while (turn := turn or await stories.begin_turn(self._database, story.id)) is not None:
                if not await self._tell(story, seat, turn, screen, payer or turn.player_id, place, opened):
                    return
                turn, payer, place = None, 0, None
            seat.stopped = False
        finally:
            seat.worker = None
            if not opened.done():
                opened.set_exception(InputError("The turn could not be shown; it is kept."))

    async def _tell(
        self,
        story: Story,
        seat: StoryState,
        turn: Turn,
        screen: Screen,
        payer: int,
        place: int | None,
        opened: "asyncio.Future[None]",
    ) -> bool:
        """Show and tell one turn; False where it stays open."""
        try:
            shown = await screen.open(story, turn, place)
        except FewshotError as error:
            if opened.done():
                _log.warning("a turn could not be shown: %s", error)
            else:
                opened.set_exception(error)
            return False
        if not opened.done():
            opened.set_result(None)
        await stories.set_turn_message(self._database, turn.id, shown.message_id)
        try:
            request = await self.request(story, turn)
            charged = Payer(payer, story.guild_id, story.channel_id)
            told = await self._teller.tell(request, charged, shown.show, shown.message_id)
        except asyncio.CancelledError:
            with suppress(FewshotError, TimeoutError):
                await asyncio.wait_for(self._stopped(story, seat, turn, shown, STOPPING), LAST_WORDS)
            raise
        except NoModelError:
            await self._stopped(story, seat, turn, shown, str(self._without_model))
            return False
        except FewshotError as error:
            await self._stopped(story, seat, turn, shown, str(error))
            return False
        await self._told(story, turn, shown, told)
        self._memory.remember(story, turn.id, tokens_of(request.messages))
        return True

    async def request(self, story: Story, turn: Turn) -> Request:
        """The prompt of a turn."""
        summary, path = await self._memory.before(turn.id, most=FURTHEST)
        pinned = [note.text for note in await stories.notes_of(self._database, story.id)]
        return prompt(Frame.from_json(story.frame), summary, pinned, path, self._budget)

    async def _told(self, story: Story, turn: Turn, shown: Shown, told: Told) -> None:
        await stories.complete_turn(
            self._database, turn.id, told.text, model=told.model, finish=told.finish, prompt_id=told.prompt_id
        )
        # Read again: its player may have been forgotten while it was told.
        done = await stories.find_turn(self._database, turn.id)
        if done is None:
            return  # The whole story is gone.
        await self._finish(TurnView(story, done), shown)

    async def _stopped(self, story: Story, seat: StoryState, turn: Turn, shown: Shown, problem: str) -> None:
        seat.problem = problem
        await self._finish(TurnView(story, turn, problem=problem), shown)

    async def _finish(self, scene: TurnView, shown: Shown) -> None:
        """Show how a turn stands in the end. That it cannot be shown does not undo it."""
        turn = scene.turn
        assert turn is not None, "turns are finished, not openings"
        places = await stories.sibling_turns(self._database, turn)
        try:
            message = await shown.finish(replace(scene, number=places.index(turn.id) + 1, count=len(places)))
        except FewshotError as error:
            _log.warning("a turn could not be shown in the end: %s", error)
            return
        if message != shown.message_id:
            await stories.set_turn_message(self._database, turn.id, message)


def _heard(opened: "asyncio.Future[None]") -> None:
    """Whoever waited for it heard of it; asyncio need not warn that nobody did."""
    if not opened.cancelled():
        opened.exception()


def _ended(worker: "asyncio.Task[None]") -> None:
    """Log a fault of ours: the story stands stopped by it, and the next thing said in it offers to go on."""
    if not worker.cancelled() and (error := worker.exception()):
        _log.error("the turns of a story stopped", exc_info=error)
