"""Adventures: what people can do with the stories of a server, from the start to the end."""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import time

from bot.core.errors import InputError, NoModelError, NotAllowedError, NotFoundError
from bot.core.i18n import N_
from bot.core.text import shorten
from bot.llm.request import Request
from bot.play import action_parser as words
from bot.play import permissions as rights
from bot.play.interfaces import Payer, Screen, Teller, Told, TurnView
from bot.play.memory import Memory
from bot.play.permissions import Person
from bot.play.prompting import messages_of, tokens_of
from bot.play.scenarios import Scenarios
from bot.play.turn_queue import EnqueueResult, Taking
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import ENDED, PAUSED, RUNNING, Branch, NewTurn, Note, Player, Story, Turn

# The scenario that the stand-in can play.
ROOM = "room"
MOST_NOTES, LONGEST_NOTE = 10, 300
MOST_BRANCHES, LONGEST_BRANCH = 25, 40
NO_STORY = N_("No story is being played here. Start one with /adventure start.")
OVER = N_("This story has ended. /adventure resume takes it up again.")


@dataclass(frozen=True, slots=True)
class Status:
    """How a story stands. `tokens` is what the next turn's prompt takes, of `budget`."""

    story: Story
    players: Sequence[Player]
    depth: int
    notes: Sequence[Note]
    tokens: int
    budget: int


class Adventures:
    """All stories; one for the process. Whoever acts is a `Person`, wherever is a channel's id."""

    def __init__(self, database: Database, teller: Teller, scenarios: Scenarios, budget: int) -> None:
        self._database, self._teller, self._budget = database, teller, budget
        self.scenarios = scenarios
        self.memory = Memory(database, teller, scenarios, budget)
        room = scenarios.by_name.get(ROOM)
        without = NoModelError(
            "No language model is connected; without one I can play only “{title}”.", title=room.title if room else ROOM
        )
        self.taking = Taking(database, teller, self.memory, budget, without)
        self._chance = random.SystemRandom()

    async def close(self) -> None:
        """Stop telling; what is under way gets a moment, the rest stays open."""
        await self.taking.close()
        await self.memory.close()

    # Finding.

    async def here(self, channel_id: int) -> Story | None:
        """The story that is played or paused in a channel."""
        return await stories.story_in_channel(self._database, channel_id)

    async def played(self, channel_id: int) -> Story:
        """The same; raises `NotFoundError` where there is none."""
        story = await self.here(channel_id)
        if story is None:
            last = await stories.story_in_channel(self._database, channel_id, ENDED)
            raise NotFoundError(OVER if last else NO_STORY)
        return story

    async def told_by(self, message_id: int) -> Story | None:
        """The story that a message of ours shows, or showed."""
        turn = await stories.turn_of_message(self._database, message_id)
        return await stories.find_story(self._database, turn.story_id) if turn else None

    async def recent(self, most: int) -> list[Story]:
        """The running stories that were played last."""
        return await stories.newest_running_stories(self._database, most)

    async def scene(self, story: Story, turn: Turn | None = None) -> TurnView:
        """The story's newest turn, or `turn`, as it stands; with all that wait where the story has stopped."""
        story = await stories.find_story(self._database, story.id) or story
        if turn is None and story.head is not None:
            turn = await stories.find_turn(self._database, story.head)
        waiting: tuple[Turn, ...] = ()
        problem = ""
        if await self.taking.stopped(story):
            waiting = tuple(await stories.waiting_turns(self._database, story.id))
            problem = self.taking.seat(story.id).problem
        if turn is None:
            return TurnView(story, None, waiting=waiting)
        places = await stories.sibling_turns(self._database, turn)
        return TurnView(
            story, turn, places.index(turn.id) + 1, len(places), problem if turn.reply is None else "", waiting
        )

    async def post(self, scene: TurnView, screen: Screen) -> int:
        """Show a scene anew below everything else, and know its message as the story's."""
        message = await screen.show(scene)
        await self.shown(scene, message)
        return message

    async def shown(self, scene: TurnView, message_id: int) -> None:
        """Know the message that shows a scene."""
        if scene.turn is None:
            await stories.set_story_message(self._database, scene.story.id, message_id)
        else:
            await stories.set_turn_message(self._database, scene.turn.id, message_id)

    # Playing.

    async def start(self, guild_id: int | None, channel_id: int, person: Person, scenario_name: str) -> Story:
        """Begin a story in a channel; raises `InputError` where one is played there."""
        scenario, now = self.scenarios.get(scenario_name), time()
        story = Story(
            secrets.token_urlsafe(6), guild_id, channel_id, scenario.name, scenario.title, scenario.frame.to_json(),
            RUNNING, False, person.id, None, None, now, now,
        )  # fmt: skip
        if not await stories.add_story(self._database, story):
            raise InputError(
                "A story is being played here already. End it with /adventure end, or start one elsewhere."
            )
        return story

    async def act(self, story: Story, person: Person, text: str, event_id: int | None, screen: Screen) -> EnqueueResult:
        """A player's turn. Raises `InputError` for words that cannot be used, `NotAllowedError`, or `FullError`."""
        return await self._arrive(story, person, words.read(text, self._chance), event_id, screen)

    async def go_on(self, story: Story, person: Person, event_id: int | None, screen: Screen) -> EnqueueResult:
        """A turn in which the player lets the story go on."""
        return await self._arrive(story, person, words.Action(words.CONTINUE, ""), event_id, screen)

    async def _arrive(
        self, story: Story, person: Person, action: words.Action, event_id: int | None, screen: Screen
    ) -> EnqueueResult:
        name = words.name_of(person.name)
        new = NewTurn(story.id, action.kind, event_id, person.id, name, action.words, action.dice)
        async with self.taking.seat(story.id).lock:
            story = await self.running(story.id)
            await self.refuse_unless_player(story, person)
            return await self.taking.arrive(story, new, screen)

    async def running(self, story_id: str) -> Story:
        """The story as it stands now; raises `NotFoundError` or `InputError` where it cannot be played on."""
        story = await stories.find_story(self._database, story_id)
        if story is None:
            raise NotFoundError("This story is not kept any more.")
        if story.state == ENDED:
            raise NotFoundError(OVER)
        if story.state == PAUSED:
            raise InputError("This story is paused. /adventure resume goes on with it.")
        return story

    async def refuse_unless_player(self, story: Story, person: Person, *, known: bool = False) -> list[Player]:
        """The story's players; raises `NotAllowedError` for who may not play, with `known` for who never has."""
        there = await stories.players_of(self._database, story.id)
        rights.refuse_unless_player(person, story, there)
        if known and not rights.leads(person, story) and all(player.user_id != person.id for player in there):
            raise NotAllowedError("Only those who play in this story may do that; say something in it first.")
        return there

    # Leading.

    async def set_state(self, story: Story, person: Person, state: str) -> None:
        """Pause, resume or end a story; for those who lead it."""
        rights.refuse_unless_leading(person, story)
        if not await stories.set_story_state(self._database, story.id, state):
            raise InputError("Another story is being played here by now; end that one first.")
        # Turns may have been left in line; the next look at the story finds out.
        self.taking.seat(story.id).stopped = None
        if state == ENDED:
            self.taking.leave(story.id)

    async def last(self, channel_id: int) -> Story:
        """The story of a channel, or the last that was played there; raises `NotFoundError`."""
        story = await self.here(channel_id) or await stories.story_in_channel(self._database, channel_id, ENDED)
        if story is None:
            raise NotFoundError(NO_STORY)
        return story

    async def set_locked(self, story: Story, person: Person, locked: bool) -> None:
        """Keep everyone but those who lead from playing, or let them again."""
        rights.refuse_unless_leading(person, story)
        await stories.set_story_locked(self._database, story.id, locked)

    async def set_removed(self, story: Story, person: Person, player_id: int, removed: bool) -> None:
        """Take a player out of the story, or let them in again; what they said stays."""
        rights.refuse_unless_leading(person, story)
        await stories.set_player_removed(self._database, story.id, player_id, removed)

    async def channel_gone(self, *channel_ids: int) -> None:
        """A channel was deleted: its story ends there, and stays readable to nobody but the database."""
        await stories.end_stories_in_channels(self._database, *channel_ids)

    # Remembering.

    async def name_branch(self, story: Story, person: Person, name: str) -> Branch:
        """Give the newest turn a name to switch to."""
        await self.refuse_unless_player(story, person, known=True)
        name = shorten(name.replace("`", "'"), LONGEST_BRANCH)
        if not name:
            raise InputError("Give the branch a name.")
        branch = Branch(name, (await self.running(story.id)).head, person.id)
        if not await stories.put_branch(self._database, story.id, branch, MOST_BRANCHES):
            raise InputError(
                "A story has up to {most} branches; use the name of an old one for this place.", most=MOST_BRANCHES
            )
        return branch

    async def pin(self, story: Story, person: Person, text: str) -> None:
        """Pin a note, which is then in every prompt."""
        await self.refuse_unless_player(story, person, known=True)
        text = " ".join(text.split())
        if not text or len(text) > LONGEST_NOTE:
            raise InputError("A note has 1 to {most} characters.", most=LONGEST_NOTE)
        if not await stories.add_note(self._database, story.id, person.id, text, MOST_NOTES):
            raise InputError("A story has up to {most} notes; unpin one first.", most=MOST_NOTES)

    async def unpin(self, story: Story, person: Person, note_id: int) -> None:
        """Take a note away: its writer may, and those who lead."""
        for note in await stories.notes_of(self._database, story.id):
            if note.id == note_id:
                if note.player_id != person.id:
                    rights.refuse_unless_leading(person, story)
                await stories.remove_note(self._database, story.id, note_id)

    async def path(self, story: Story) -> list[Turn]:
        """All turns of the path that is played, oldest first."""
        return await stories.turn_path(self._database, story.head, whole=True)

    async def tree(self, story: Story) -> tuple[list[Turn], list[Branch]]:
        """All turns with a place in the story, and the names of some."""
        return await stories.turn_tree(self._database, story.id), await stories.branches_of(self._database, story.id)

    async def status(self, story: Story) -> Status:
        """How the story stands."""
        pinned = await stories.notes_of(self._database, story.id)
        there = await stories.players_of(self._database, story.id)
        request = await self._next_prompt(story)
        turn = await stories.find_turn(self._database, story.head) if story.head else None
        return Status(story, there, turn.depth if turn else 0, pinned, tokens_of(request.messages), self._budget)

    async def recap(self, story: Story, person: Person) -> Told:
        """The story so far, told by the model at the person's expense."""
        summary, path = await self.memory.before(story.head, most=60)
        told = "\n".join(
            f"> {m['content']}" if m["role"] == "user" else m["content"] for t in path for m in messages_of(t)
        )
        if not path:
            raise InputError("Nothing has happened yet.")
        # The recap's own words and the summary take their share of the budget; the newest turns get the rest.
        values = {"before": summary or "Nothing.", "turns": told[-self._budget * 2 :]}
        request = self.scenarios.prompt("recap").fill(values)
        return await self._teller.tell(request, Payer(person.id, story.guild_id, story.channel_id))

    async def _next_prompt(self, story: Story) -> Request:
        """The prompt that a short next turn would have."""
        turn = await stories.find_turn(self._database, story.head) if story.head else None
        if turn is None:
            turn = Turn(0, story.id, None, 1, "", words.DO, None, 0, "", False, "", "", None, "", "", "", None, 0.0)
        return await self.taking.request(story, replace(turn, reply=None))
