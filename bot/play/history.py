"""Moves of the head: undo, retry, the arrows, switch; and the push for a story that has stopped.

A move names the turn that it was made under. Where the head is elsewhere by then, somebody was faster and nothing
is moved. Who may not move alone casts a vote; enough votes are the move.
"""

from dataclasses import dataclass
from time import time

from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import N_, _
from bot.core.text import shorten
from bot.play import action_parser as words
from bot.play import permissions as rights
from bot.play.adventures import Adventures
from bot.play.interfaces import Screen, TurnView
from bot.play.permissions import Person
from bot.play.turn_queue import EnqueueResult
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import OPEN, Story, Turn

MOVED_ON = N_("The story has gone on since. Use the buttons under its newest turn.")
UNDO, BACK, FORWARD, RETRY, SWITCH, PUSH, DROP = "undo", "back", "forward", "retry", "switch", "push", "drop"
MOST_PLACES = 25


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a move: a `scene` to show, or a turn being told (`ticket`), or `votes` of so many needed.

    `left` is the turn that the head has left, where there was one. `anew` says that this is the first vote since a
    restart: votes live in memory, so those that were cast before it are lost.
    """

    scene: TurnView | None = None
    ticket: EnqueueResult | None = None
    votes: tuple[int, int] | None = None
    left: Turn | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A turn to switch to: its id (None: the opening), and how it is named."""

    turn_id: int | None
    name: str
    about: str


class Moving:
    """Moves stories; one for the process."""

    def __init__(self, database: Database, adventures: Adventures) -> None:
        self._database, self._adventures, self._taking = database, adventures, adventures.taking
        self._began = time()

    async def move(
        self, story_id: str, seen: int | None, person: Person, verb: str, screen: Screen, *, to: int | None = None
    ) -> Moved:
        """Make the move `verb` on the turn `seen`; `to` is where a switch leads.

        Raises `NotFoundError` where the story has gone on or has ended, `BusyError` while a turn is being told.
        """
        async with self._taking.seat(story_id).lock:
            story = await self._adventures.running(story_id)
            if story.head != seen:
                raise NotFoundError(MOVED_ON)
            await self._taking.refuse_if_busy(story_id)
            turn = await stories.find_turn(self._database, seen) if seen is not None else None
            seat = self._taking.seat(story_id)
            waiting = await self._vote(story, turn, person, verb, to)
            anew = seat.fresh and (turn.at if turn else story.at) < self._began
            seat.fresh = False
            if waiting is not None:
                return Moved(votes=waiting, anew=anew)
            moved = await self._moved(story, turn, person, verb, screen, to)
            seat.votes.clear()
            return moved

    async def places(self, story: Story) -> list[Place]:
        """Where one can switch to: the named turns, and the newest other ends of the tree."""
        tree, named = await self._adventures.tree(story)
        by_id = {turn.id: turn for turn in tree}
        found = [Place(one.turn_id, one.name, _about(by_id.get(one.turn_id or 0))) for one in named]
        taken = {one.turn_id for one in found} | {story.head}
        parents = {turn.parent_id for turn in tree}
        ends = [turn for turn in reversed(tree) if turn.id not in parents and turn.id not in taken]
        found += [Place(turn.id, _("turn {n}", n=turn.depth), _about(turn)) for turn in ends]
        return found[:MOST_PLACES]

    async def _vote(
        self, story: Story, turn: Turn | None, person: Person, verb: str, to: int | None
    ) -> tuple[int, int] | None:
        """Count a vote where one is needed; None once the move may be made."""
        there = await self._adventures.refuse_unless_player(story, person, known=verb != PUSH)
        if verb == PUSH or rights.may_move(person, story, turn):
            return None
        votes = self._taking.seat(story.id).votes.setdefault(f"{verb}:{to}", set())
        votes.add(person.id)
        needed = rights.votes_needed(there)
        return None if len(votes) >= needed else (len(votes), needed)

    async def _moved(
        self, story: Story, turn: Turn | None, person: Person, verb: str, screen: Screen, to: int | None
    ) -> Moved:
        if verb == PUSH:
            return await self._push(story, turn, person, screen)
        if verb == DROP and (turn is None or turn.state != OPEN):
            await stories.drop_waiting_turns(self._database, story.id)
            return await self._head_to(story, story.head, None, screen)
        if verb == SWITCH:
            await self._refuse_foreign(story, to)
            return await self._head_to(story, to, turn, screen)
        if turn is None:
            raise InputError("There is nothing before the opening.")
        if verb in (UNDO, DROP):
            return await self._head_to(story, turn.parent_id, turn, screen)
        return await self._step(story, turn, person, verb, screen)

    async def _step(self, story: Story, turn: Turn, person: Person, verb: str, screen: Screen) -> Moved:
        """To the sibling before or after, or to a new one."""
        places = await stories.sibling_turns(self._database, turn)
        at = places.index(turn.id)
        if verb == BACK:
            if at == 0:
                raise InputError("This is the first telling of this turn.")
            return await self._head_to(story, places[at - 1], turn, screen)
        if verb == FORWARD and at + 1 < len(places):
            return await self._head_to(story, places[at + 1], turn, screen)
        if turn.state == OPEN:
            return await self._push(story, turn, person, screen)
        again = await stories.retry_turn(self._database, turn)
        if again is None:
            raise NotFoundError(MOVED_ON)
        return Moved(ticket=self._taking.start(story, again, screen, payer=person.id, place=story.message_id))

    async def _head_to(self, story: Story, to: int | None, left: Turn | None, screen: Screen) -> Moved:
        """Move the head; turns that were waiting behind an open turn are told now, unless this one is open too."""
        if to != story.head and not await stories.move_head(self._database, story.id, story.head, to):
            raise NotFoundError(MOVED_ON)
        seat = self._taking.seat(story.id)
        target = await stories.find_turn(self._database, to) if to is not None else None
        open_ = target is not None and target.state == OPEN
        seat.stopped = open_ or bool(await stories.waiting_turns(self._database, story.id))
        if seat.stopped and not open_ and left is not None and left.state == OPEN:
            story = await self._adventures.running(story.id)
            return Moved(ticket=self._taking.start(story, None, screen), left=left)
        return Moved(scene=await self._adventures.scene(story), left=left)

    async def _push(self, story: Story, turn: Turn | None, person: Person, screen: Screen) -> Moved:
        """Go on where the story has stopped: with its open turn first, then with those that wait."""
        if not await self._taking.stopped(story):
            raise NotFoundError(MOVED_ON)
        if turn is None or turn.state != OPEN:
            return Moved(ticket=self._taking.start(story, None, screen))
        place = story.message_id if turn.message_id == story.message_id else None
        return Moved(ticket=self._taking.start(story, turn, screen, payer=person.id, place=place))

    async def _refuse_foreign(self, story: Story, to: int | None) -> None:
        """A place of another story, or one that is not there, is no place to switch to."""
        target = await stories.find_turn(self._database, to) if to is not None else None
        if to is not None and (target is None or target.story_id != story.id or target.depth == 0):
            raise NotFoundError("That place is not in this story.")


def _about(turn: Turn | None) -> str:
    return shorten(f"{turn.player}: {words.shown(turn)}", 90) if turn else _("the opening")
