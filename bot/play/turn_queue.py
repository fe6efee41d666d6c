"""The turn queue: one turn at a time in a story, in order of arrival.

Every turn is stored before anything else happens with it, and gets its place in the tree when it is next. One task
per story asks the model for turn after turn until no turn waits. A turn whose reply fails stays open and stops the
story; the turns after it keep waiting. After a crash the database shows the same state.

A turn that cannot be shown because its thread is locked is taken out of the tree again: its player gets the words
back, or it goes on waiting until the thread is open.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.core.caller import Caller
from bot.core.errors import FewshotError, InputError, LimitError, NoModelError
from bot.core.i18n import N_, guild_locale
from bot.llm.usage import count_tokens
from bot.play.memory import Memory
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import DROPPED, OPEN, WAITING, NewTurn, Story, Turn

_log = logging.getLogger(__name__)
# Turns that may wait behind the current one; the next player gets a sentence.
MAX_WAITING = 3
# Seconds that the current turns get when the bot stops, and then for showing that they were stopped.
CLOSE_TIMEOUT, LAST_EDIT_TIMEOUT = 5.0, 3.0
# Seconds between the last edit of a turn and the end of its task, also on a busy machine.
IDLE_TIMEOUT = 1.0
LOCKED_WITH_WORDS = N_(
    "This thread is locked, so I cannot write in it. Say it again once a moderator has opened it. You said: {words}"
)
INTERRUPTED = N_("I was stopped in the middle of this turn.")
FAILED = N_("Something went wrong on my side. This turn is kept; press Retry.")
STOPPING = N_("I am being restarted. This turn is kept; go on with it in a minute.")


class FullError(LimitError):
    """`MAX_WAITING` turns wait already."""


class BusyError(InputError):
    """The model is writing a reply, so the head of the story cannot be moved."""


class LockedError(FewshotError):
    """The story's thread is locked: nothing in it can be sent or edited until a moderator opens it."""


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as it is shown; `turn` is None for the opening of the story.

    `number` of `count` is its position among its siblings; `problem` says why an open turn has no reply; `waiting`
    are the turns behind it when the story has stopped.
    """

    story: Story
    turn: Turn | None
    number: int = 1
    count: int = 1
    problem: str = ""
    waiting: tuple[Turn, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether somebody has to press Retry or Go on: the newest turn is open, or turns wait after it."""
        return bool(self.waiting) or (self.turn is not None and self.turn.state == OPEN)


class TurnMessage(Protocol):
    """The message of a turn while the model writes the reply."""

    @property
    def message_id(self) -> int:
        """The id of the message."""

    def update(self, reply: str) -> None:
        """Show the reply so far."""

    async def finish(self, view: TurnView) -> int:
        """Show the turn's final state with its buttons. Returns the message's id: a new one where it was deleted."""


class MessageView(Protocol):
    """Shows turns in channels; here so that this package need not import discord."""

    async def open_turn(self, story: Story, turn: Turn, message_id: int | None) -> TurnMessage:
        """Show a turn without a reply in the message `message_id`, or in a new one. The previous message loses its
        buttons.

        Raises `LockedError`, or another `FewshotError` where the channel cannot be written to.
        """

    async def post(self, view: TurnView) -> int:
        """Show a turn with its buttons in a new message. Returns its id."""


@dataclass(slots=True)
class EnqueueResult:
    """What became of a new turn: `ahead` turns are before it; `stopped` says that the story has to be resumed.

    `opened` is done once a turn with none ahead is shown, and raises where it could not be. `known` says that the
    event of the turn was stored before, and nothing was done.
    """

    ahead: int = 0
    stopped: bool = False
    known: bool = False
    opened: "asyncio.Future[None] | None" = None

    @property
    def is_next(self) -> bool:
        """Whether the turn is stored and nothing is before it."""
        return not (self.ahead or self.stopped or self.known)


@dataclass(slots=True)
class StoryState:
    """What the process knows of a story. `stopped` is None until it is read from the database; `fresh` says that
    nobody has moved the head, or voted for it, since the process started. `callers` are the players who acted since
    then, with their roles.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    worker: "asyncio.Task[None] | None" = None
    stopped: bool | None = None
    problem: str = INTERRUPTED
    votes: dict[str, set[int]] = field(default_factory=dict)
    fresh: bool = True
    callers: dict[int, Caller] = field(default_factory=dict)


class TurnQueue:
    """The queues of all stories; one for the process. `without_model` is shown where no model is connected."""

    def __init__(
        self, database: Database, gateway: ModelGateway, prompts: Prompts, memory: Memory, without_model: FewshotError
    ) -> None:
        self._database, self._gateway, self._prompts = database, gateway, prompts
        self._memory, self._without_model = memory, without_model
        self._states: dict[str, StoryState] = {}
        self._closing = False

    def state(self, story_id: str) -> StoryState:
        """The state of a story; its lock is held while a turn is added or the head is moved."""
        return self._states.setdefault(story_id, StoryState())

    def forget(self, story_id: str) -> None:
        """Drop the state of a story that has ended."""
        if not self.is_busy(story_id):
            self._states.pop(story_id, None)

    def is_busy(self, story_id: str) -> bool:
        """Whether the model is writing a reply in the story."""
        state = self._states.get(story_id)
        return state is not None and state.worker is not None

    async def check_idle(self, story_id: str) -> None:
        """Raises `BusyError` while the model is writing a reply.

        A turn has its buttons a moment before its task ends, so this waits for that moment.
        """
        worker = self.state(story_id).worker
        if worker is not None:
            await asyncio.wait({worker}, timeout=IDLE_TIMEOUT)
        if self.is_busy(story_id):
            raise BusyError("A turn is being written; wait until it ends.")

    async def wait_until_idle(self, story_id: str) -> None:
        """Wait until no reply is being written in the story."""
        worker = self.state(story_id).worker
        if worker is not None:
            await asyncio.wait({worker})

    async def is_stopped(self, story: Story) -> bool:
        """Whether the story has to be resumed: its newest turn is open, or turns wait, and no task is running."""
        state = self.state(story.id)
        if state.stopped is None:
            turn = await stories.find_turn(self._database, story.head)
            is_open = turn is not None and turn.state == OPEN
            state.stopped = is_open or bool(await stories.waiting_turns(self._database, story.id))
        return state.stopped and state.worker is None

    async def enqueue(self, story: Story, new: NewTurn) -> EnqueueResult:
        """Store `new`. The caller holds the story's lock, and starts the task if the turn is next.

        Raises `FullError`, whose sentence contains the words so that their author can copy them.
        """
        self._check_open()
        stopped = await self.is_stopped(story)
        state = self.state(story.id)
        ahead = await stories.enqueue_turn(self._database, new, MAX_WAITING + (not stopped and state.worker is None))
        if ahead == "known":
            return EnqueueResult(known=True)
        if ahead == "full":
            raise FullError(
                "{n} turns wait already; say it again after them. You said: {words}",
                n=MAX_WAITING,
                words=new.words[:1500],
            )
        is_next = not stopped and state.worker is None
        return EnqueueResult(ahead=0 if is_next else ahead + 1, stopped=stopped)

    def start(
        self,
        story: Story,
        turn: Turn | None,
        view: MessageView,
        *,
        payer: int = 0,
        message_id: int | None = None,
        is_new: bool = False,
    ) -> EnqueueResult:
        """Start the story's task with `turn`, then the turns that wait.

        `turn` is charged to `payer`, by default to its player, and shown in the message `message_id`, by default in
        a new one. `is_new` says that the first turn was just enqueued, and its player waits for `opened`.
        """
        self._check_open()
        state = self.state(story.id)
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        opened.add_done_callback(_mark_retrieved)
        state.stopped, state.votes = False, {}
        with guild_locale():  # Everyone sees the turns, so they are in the server's language.
            worker = asyncio.create_task(
                self._run(story, state, turn, view, payer, message_id, is_new, opened), name="reply-to-turns"
            )
        worker.add_done_callback(_log_failure)
        state.worker = worker
        return EnqueueResult(opened=opened)

    async def close(self) -> None:
        """Refuse new turns, wait a moment for the current ones, then cancel them; they stay open."""
        self._closing = True
        workers = {state.worker for state in self._states.values() if state.worker is not None}
        if workers:
            _done, late = await asyncio.wait(workers, timeout=CLOSE_TIMEOUT)
            for worker in late:
                worker.cancel()
            if late:
                await asyncio.wait(late, timeout=LAST_EDIT_TIMEOUT)

    def _check_open(self) -> None:
        if self._closing:
            raise BusyError("I am being restarted. Play on in a minute.")

    async def _run(
        self,
        story: Story,
        state: StoryState,
        turn: Turn | None,
        view: MessageView,
        payer: int,
        message_id: int | None,
        is_new: bool,
        opened: "asyncio.Future[None]",
    ) -> None:
        """Reply to turn after turn; a failure leaves the story stopped."""
        state.stopped, state.problem = True, INTERRUPTED
        # Where the head goes back to if the turn cannot be shown, and the state of the turn then: what the person who
        # waits for `opened` asked for is dropped, other turns go on waiting.
        head = story.head
        withdrawn = WAITING if turn is None and not is_new else DROPPED
        try:
            while (turn := turn or await stories.begin_turn(self._database, story.id)) is not None:
                try:
                    message = await self._open(story, turn, view, message_id, opened)
                except LockedError as error:
                    await self._withdraw(turn, head, withdrawn, error, opened)
                    state.stopped = None
                    return
                if message is None or not await self._reply(story, state, turn, message, payer or turn.player_id):
                    return
                head, withdrawn, turn, payer, message_id = turn.id, WAITING, None, 0, None
            state.stopped = False
        finally:
            state.worker = None
            if not opened.done():
                opened.set_exception(InputError("The turn could not be shown; it is kept."))

    async def _open(
        self, story: Story, turn: Turn, view: MessageView, message_id: int | None, opened: "asyncio.Future[None]"
    ) -> TurnMessage | None:
        """Show the turn without a reply; None where that failed. Raises `LockedError`."""
        try:
            message = await view.open_turn(story, turn, message_id)
        except LockedError:
            raise
        except FewshotError as error:
            if opened.done():
                _log.warning("a turn could not be shown: %s", error)
            else:
                opened.set_exception(error)
            return None
        if not opened.done():
            opened.set_result(None)
        if message.message_id != turn.message_id:
            await stories.set_turn_message(self._database, turn.id, message.message_id)
        return message

    async def _withdraw(
        self, turn: Turn, head: int | None, state: str, error: LockedError, opened: "asyncio.Future[None]"
    ) -> None:
        """Take a turn that cannot be shown out of the tree, unless it was open before; report `error` to `opened`."""
        words = ""
        if head != turn.id:
            await stories.withdraw_turn(self._database, turn, head, state)
            words = turn.words[:1500] if state == DROPPED else ""
        if not opened.done():
            opened.set_exception(LockedError(LOCKED_WITH_WORDS, words=words) if words else error)

    async def _reply(self, story: Story, state: StoryState, turn: Turn, message: TurnMessage, payer: int) -> bool:
        """Ask the model, store and show the reply; False where the turn stays open."""
        try:
            request = await self._memory.prompt(story, turn.id)
            known = state.callers.get(payer, Caller(payer))
            caller = replace(known, guild_id=story.guild_id, channel_id=story.channel_id)
            answer = await self._gateway.ask(caller, request, message.update)
            answer = replace(answer, message_id=message.message_id)
            self._prompts.cache(answer)
            await self._prompts.persist(answer)
            await stories.complete_turn(
                self._database,
                turn.id,
                answer.text,
                model=answer.shown_model,
                finish=answer.finish,
                prompt_id=answer.id,
            )
        except asyncio.CancelledError:
            with suppress(FewshotError, TimeoutError):
                await asyncio.wait_for(self._show_problem(story, state, turn, message, STOPPING), LAST_EDIT_TIMEOUT)
            raise
        except NoModelError:
            await self._show_problem(story, state, turn, message, str(self._without_model))
            return False
        except FewshotError as error:
            await self._show_problem(story, state, turn, message, str(error))
            return False
        except Exception:
            # A bug: the task ends and logs it, and the message must not look as if the reply were still coming.
            await self._show_problem(story, state, turn, message, FAILED)
            raise
        # Read again: its player may have been forgotten, or the whole story deleted, in the meantime.
        done = await stories.find_turn(self._database, turn.id)
        if done is not None:
            await self._finish(TurnView(story, done), message)
        self._memory.schedule_summary(story, turn.id, count_tokens(request.messages))
        return True

    async def _show_problem(
        self, story: Story, state: StoryState, turn: Turn, message: TurnMessage, problem: str
    ) -> None:
        state.problem = problem
        await self._finish(TurnView(story, turn, problem=problem), message)

    async def _finish(self, view: TurnView, message: TurnMessage) -> None:
        """Show the final state of a turn. A failure is only logged, because the turn is stored."""
        turn = view.turn
        assert turn is not None, "an opening has no reply to finish"
        siblings = await stories.sibling_turns(self._database, turn)
        try:
            message_id = await message.finish(replace(view, number=siblings.index(turn.id) + 1, count=len(siblings)))
        except FewshotError as error:
            _log.warning("the end of a turn could not be shown: %s", error)
            return
        if message_id != message.message_id:
            await stories.set_turn_message(self._database, turn.id, message_id)


def _mark_retrieved(opened: "asyncio.Future[None]") -> None:
    """Retrieve the exception, so that asyncio does not log one that nobody awaited."""
    if not opened.cancelled():
        opened.exception()


def _log_failure(worker: "asyncio.Task[None]") -> None:
    """Log an exception. The story is stopped, and the next turn in it offers to resume it."""
    if not worker.cancelled() and (error := worker.exception()):
        _log.error(
            "the turns of a story stopped: %s", error, exc_info=None if isinstance(error, FewshotError) else error
        )
