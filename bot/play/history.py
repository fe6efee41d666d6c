"""Moves of a story's head: undo, retry, the arrows and switch; and resuming a story that has stopped.

A move names the turn that its button was under. If the head is elsewhere by then, nothing is moved. A caller who may
not move alone casts a vote; with enough votes the move is made.
"""

from dataclasses import dataclass
from time import time

from bot.core.caller import Caller
from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import N_, _
from bot.core.text import shorten
from bot.play.action_parser import display_words
from bot.play.adventures import Adventures
from bot.play.permissions import may_move, votes_needed
from bot.play.turn_queue import EnqueueResult, MessageView, TurnView
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import OPEN, Story, Turn

MOVED_ON = N_("The story has gone on since. Use the buttons under its newest turn.")
# The verbs of the buttons' custom ids. RESUME goes on with a stopped story; SKIP leaves out its open turn, or
# those that wait.
UNDO, BACK, FORWARD, RETRY, SWITCH, RESUME, SKIP = "undo", "back", "forward", "retry", "switch", "push", "drop"
# Options of one of Discord's menus.
MAX_DESTINATIONS = 25


@dataclass(frozen=True, slots=True)
class MoveResult:
    """The result of a move: a `view` to show, or the `reply` that is being written, or `votes` cast of those needed.

    `left` is the turn that the head was moved from. `votes_reset` says that this is the first vote since a restart:
    votes are kept in memory, so earlier ones are lost.
    """

    view: TurnView | None = None
    reply: EnqueueResult | None = None
    votes: tuple[int, int] | None = None
    left: Turn | None = None
    votes_reset: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """A turn to switch to: its id (None for the opening), its name, and its words."""

    turn_id: int | None
    name: str
    description: str


class History:
    """Moves the heads of stories; one for the process."""

    def __init__(self, database: Database, adventures: Adventures) -> None:
        self._database, self._adventures, self._queue = database, adventures, adventures.queue
        self._started_at = time()

    async def move(
        self, story_id: str, seen: int | None, caller: Caller, verb: str, view: MessageView, *, to: int | None = None
    ) -> MoveResult:
        """Make the move `verb` from the turn `seen`; `to` is the destination of a switch.

        Raises `NotFoundError` where the head has moved or the story has ended, `BusyError` while the model replies.
        """
        async with self._queue.state(story_id).lock:
            story = await self._adventures.require_running(story_id)
            if story.head != seen:
                raise NotFoundError(MOVED_ON)
            await self._queue.check_idle(story_id)
            turn = await stories.find_turn(self._database, seen)
            state = self._queue.state(story_id)
            votes = await self._vote(story, turn, caller, verb, to)
            votes_reset = state.fresh and (turn.at if turn else story.at) < self._started_at
            state.fresh = False
            if votes is not None:
                return MoveResult(votes=votes, votes_reset=votes_reset)
            result = await self._move(story, turn, caller, verb, view, to)
            state.votes.clear()
            return result

    async def destinations(self, story: Story) -> list[Destination]:
        """Where one can switch to: the named branches, then the newest other leaves of the tree."""
        tree, branches = await self._adventures.tree(story)
        by_id = {turn.id: turn for turn in tree}
        named = [Destination(one.turn_id, one.name, _description(by_id.get(one.turn_id or 0))) for one in branches]
        known = {one.turn_id for one in named} | {story.head}
        parents = {turn.parent_id for turn in tree}
        leaves = [turn for turn in reversed(tree) if turn.id not in parents and turn.id not in known]
        others = [Destination(turn.id, _("turn {n}", n=turn.depth), _description(turn)) for turn in leaves]
        return (named + others)[:MAX_DESTINATIONS]

    async def _vote(
        self, story: Story, turn: Turn | None, caller: Caller, verb: str, to: int | None
    ) -> tuple[int, int] | None:
        """Count the caller's vote: votes cast and needed, or None where the move may be made."""
        players = await self._adventures.check_player(story, caller, must_have_played=verb != RESUME)
        if verb == RESUME or may_move(caller, story, turn):
            return None
        votes = self._queue.state(story.id).votes.setdefault(f"{verb}:{to}", set())
        votes.add(caller.user_id)
        needed = votes_needed(players)
        return None if len(votes) >= needed else (len(votes), needed)

    async def _move(
        self, story: Story, turn: Turn | None, caller: Caller, verb: str, view: MessageView, to: int | None
    ) -> MoveResult:
        if verb == RESUME:
            return await self._resume(story, turn, caller, view)
        if verb == SKIP and (turn is None or turn.state != OPEN):
            await stories.drop_waiting_turns(self._database, story.id)
            return await self._set_head(story, story.head, None, view)
        if verb == SWITCH:
            await self._check_destination(story, to)
            return await self._set_head(story, to, turn, view)
        if turn is None:
            raise InputError("There is nothing before the opening.")
        if verb in (UNDO, SKIP):
            return await self._set_head(story, turn.parent_id, turn, view)
        return await self._to_sibling(story, turn, caller, verb, view)

    async def _to_sibling(self, story: Story, turn: Turn, caller: Caller, verb: str, view: MessageView) -> MoveResult:
        """Move to the sibling before or after, or make a new one."""
        siblings = await stories.sibling_turns(self._database, turn)
        at = siblings.index(turn.id)
        if verb == BACK:
            if at == 0:
                raise InputError("This is the first version of this turn.")
            return await self._set_head(story, siblings[at - 1], turn, view)
        if verb == FORWARD and at + 1 < len(siblings):
            return await self._set_head(story, siblings[at + 1], turn, view)
        if turn.state == OPEN:
            return await self._resume(story, turn, caller, view)
        sibling = await stories.retry_turn(self._database, turn)
        if sibling is None:
            raise NotFoundError(MOVED_ON)
        return MoveResult(
            reply=self._queue.start(story, sibling, view, payer=caller.user_id, message_id=story.message_id)
        )

    async def _set_head(self, story: Story, to: int | None, left: Turn | None, view: MessageView) -> MoveResult:
        """Move the head. Turns that waited behind an open turn get their replies now, unless the new head is open."""
        if to != story.head and not await stories.move_head(self._database, story.id, story.head, to):
            raise NotFoundError(MOVED_ON)
        state = self._queue.state(story.id)
        head = await stories.find_turn(self._database, to)
        is_open = head is not None and head.state == OPEN
        state.stopped = is_open or bool(await stories.waiting_turns(self._database, story.id))
        if state.stopped and not is_open and left is not None and left.state == OPEN:
            story = await self._adventures.require_running(story.id)
            return MoveResult(reply=self._queue.start(story, None, view), left=left)
        return MoveResult(view=await self._adventures.view_of_head(story), left=left)

    async def _resume(self, story: Story, turn: Turn | None, caller: Caller, view: MessageView) -> MoveResult:
        """Go on with a stopped story: its open turn first, then those that wait."""
        if not await self._queue.is_stopped(story):
            raise NotFoundError(MOVED_ON)
        if turn is None or turn.state != OPEN:
            return MoveResult(reply=self._queue.start(story, None, view))
        message_id = story.message_id if turn.message_id == story.message_id else None
        return MoveResult(reply=self._queue.start(story, turn, view, payer=caller.user_id, message_id=message_id))

    async def _check_destination(self, story: Story, to: int | None) -> None:
        """Raises `NotFoundError` for a turn of another story, one without a place, or none."""
        turn = await stories.find_turn(self._database, to)
        if to is not None and (turn is None or turn.story_id != story.id or turn.depth == 0):
            raise NotFoundError("That place is not in this story.")


def _description(turn: Turn | None) -> str:
    return shorten(f"{turn.player}: {display_words(turn)}", 90) if turn else _("the opening")
