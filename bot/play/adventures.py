"""What people can do with the stories of a server, from the start to the end."""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from time import time

from bot.core.caller import Caller
from bot.core.errors import InputError, NoModelError, NotAllowedError, NotFoundError
from bot.core.i18n import N_
from bot.core.json_text import without_surrogates
from bot.core.text import shorten
from bot.llm.completion import Answer
from bot.llm.usage import count_tokens
from bot.play.action_parser import CONTINUE, Action, parse_action, player_name
from bot.play.memory import Memory, messages_of
from bot.play.permissions import check_leader, check_player, is_leader
from bot.play.scenarios import Scenarios
from bot.play.turn_queue import EnqueueResult, MessageView, TurnQueue, TurnView
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import ENDED, OPEN, PAUSED, RUNNING, Branch, NewTurn, Note, Player, Story, Turn

# The scenario that works without a model.
RULE_BASED_SCENARIO = "room"
MAX_NOTES, MAX_NOTE = 10, 300
MAX_BRANCHES, MAX_BRANCH = 25, 40
# Turns that a recap reads at most.
RECAP_TURNS = 60
NO_STORY = N_("No story is being played here. Start one with /adventure start.")
STORY_ENDED = N_("This story has ended. /adventure resume takes it up again.")


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a story. The next turn's prompt takes `tokens` of `budget`."""

    story: Story
    players: Sequence[Player]
    depth: int
    notes: Sequence[Note]
    tokens: int
    budget: int


class Adventures:
    """All stories; one for the process. `budget` is the most tokens of a prompt."""

    def __init__(
        self, database: Database, gateway: ModelGateway, prompts: Prompts, scenarios: Scenarios, budget: int
    ) -> None:
        self._database, self._gateway, self._budget = database, gateway, budget
        self.scenarios = scenarios
        self.memory = Memory(database, gateway, scenarios, budget)
        room = scenarios.by_name.get(RULE_BASED_SCENARIO)
        without_model = NoModelError(
            "No language model is connected; without one I can play only “{title}”.",
            title=room.title if room else RULE_BASED_SCENARIO,
        )
        self.queue = TurnQueue(database, gateway, prompts, self.memory, without_model)
        self._rng = random.SystemRandom()

    async def close(self) -> None:
        """Stop replying. Current turns get a moment to finish; the others stay open."""
        await self.queue.close()
        await self.memory.close()

    # Find.

    async def active_in(self, channel_id: int) -> Story | None:
        """The running or paused story of a channel."""
        return await stories.story_in_channel(self._database, channel_id)

    async def require_active(self, channel_id: int) -> Story:
        """The running or paused story of a channel. Raises `NotFoundError` where there is none."""
        story = await self.active_in(channel_id)
        if story is None:
            last = await stories.story_in_channel(self._database, channel_id, ENDED)
            raise NotFoundError(STORY_ENDED if last else NO_STORY)
        return story

    async def require_latest(self, channel_id: int) -> Story:
        """The story of a channel, or the last one that ended there. Raises `NotFoundError` where there is none."""
        story = await self.active_in(channel_id) or await stories.story_in_channel(self._database, channel_id, ENDED)
        if story is None:
            raise NotFoundError(NO_STORY)
        return story

    async def require_running(self, story_id: str) -> Story:
        """The story, read again. Raises `NotFoundError` where it has ended, `InputError` where it is paused."""
        story = await stories.find_story(self._database, story_id)
        if story is None:
            raise NotFoundError("This story is not kept any more.")
        if story.state == ENDED:
            raise NotFoundError(STORY_ENDED)
        if story.state == PAUSED:
            raise InputError("This story is paused. /adventure resume goes on with it.")
        return story

    async def story_of_message(self, message_id: int) -> Story | None:
        """The story that one of the bot's messages belongs to."""
        turn = await stories.turn_of_message(self._database, message_id)
        return await stories.find_story(self._database, turn.story_id) if turn else None

    async def recently_played(self, limit: int) -> list[Story]:
        """The running stories with the newest turns."""
        return await stories.newest_running_stories(self._database, limit)

    async def check_player(self, story: Story, caller: Caller, *, must_have_played: bool = False) -> list[Player]:
        """The story's players. Raises `NotAllowedError` for a caller who may not play."""
        there = await stories.players_of(self._database, story.id)
        check_player(caller, story, there)
        if must_have_played and not is_leader(caller, story) and all(one.user_id != caller.user_id for one in there):
            raise NotAllowedError("Only those who play in this story may do that; say something in it first.")
        return there

    # Show.

    async def view_of_head(self, story: Story) -> TurnView:
        """The story's newest turn with its siblings counted, and the waiting turns where the story has stopped."""
        story = await stories.find_story(self._database, story.id) or story
        turn = await stories.find_turn(self._database, story.head)
        waiting: tuple[Turn, ...] = ()
        problem = ""
        if await self.queue.is_stopped(story):
            waiting = tuple(await stories.waiting_turns(self._database, story.id))
            problem = self.queue.state(story.id).problem
        if turn is None:
            return TurnView(story, None, waiting=waiting)
        siblings = await stories.sibling_turns(self._database, turn)
        return TurnView(
            story, turn, siblings.index(turn.id) + 1, len(siblings), problem if turn.reply is None else "", waiting
        )

    async def post(self, turn_view: TurnView, view: MessageView) -> None:
        """Show the newest turn in a new message, and store that message as the story's newest.

        Holds the story's lock, so that a button that is pressed at once finds the message stored. Posts nothing where
        the head has moved since or a reply is being written: both show the newest turn themselves.
        """
        async with self.queue.state(turn_view.story.id).lock:
            if await self.is_current(turn_view):
                await self.set_message(turn_view, await view.post(turn_view))

    async def is_current(self, turn_view: TurnView) -> bool:
        """Whether the turn is still the newest, and no reply is being written."""
        story = await stories.find_story(self._database, turn_view.story.id)
        head = turn_view.turn.id if turn_view.turn is not None else None
        return story is not None and story.head == head and not self.queue.is_busy(story.id)

    async def set_message(self, turn_view: TurnView, message_id: int) -> None:
        """Store which message shows a turn."""
        if turn_view.turn is None:
            await stories.set_story_message(self._database, turn_view.story.id, message_id)
        else:
            await stories.set_turn_message(self._database, turn_view.turn.id, message_id)

    async def is_in_newest_message(self, turn_view: TurnView) -> bool:
        """Whether the story's newest message is the one of this turn. After a crash it may be another turn's."""
        newest, turn = turn_view.story.message_id, turn_view.turn
        if newest is None:
            return False
        if turn is not None:
            return turn.message_id == newest
        return await stories.turn_of_message(self._database, newest) is None

    # Play.

    async def start(self, guild_id: int | None, channel_id: int, caller: Caller, scenario_name: str) -> Story:
        """Start a story in a channel. Raises `InputError` where another one is active there."""
        scenario, now = self.scenarios.get(scenario_name), time()
        story = Story(
            secrets.token_urlsafe(6), guild_id, channel_id, scenario.name, scenario.title, scenario.frame.to_json(),
            RUNNING, False, caller.user_id, None, None, now, now,
        )  # fmt: skip
        if not await stories.add_story(self._database, story):
            raise InputError(
                "A story is being played here already. End it with /adventure end, or start one elsewhere."
            )
        return story

    async def act(
        self, story: Story, caller: Caller, text: str | None, event_id: int | None, view: MessageView
    ) -> EnqueueResult:
        """Add a player's turn; None as `text` lets the story continue. `event_id` is stored once.

        Raises `InputError` for words that cannot be used, `NotAllowedError`, or `FullError`.
        """
        action = Action(CONTINUE, "") if text is None else parse_action(text, self._rng)
        name = player_name(caller.name)
        new = NewTurn(story.id, action.kind, event_id, caller.user_id, name, action.words, action.dice)
        async with self.queue.state(story.id).lock:
            story = await self.require_running(story.id)
            await self.check_player(story, caller)
            self.queue.state(story.id).callers[caller.user_id] = caller
            result = await self.queue.enqueue(story, new)
            return self.queue.start(story, None, view, is_new=True) if result.is_next else result

    async def resume_waiting(self, story: Story, view: MessageView) -> None:
        """Reply to the turns that wait, unless the newest turn is open: that one has to be retried by a player."""
        async with self.queue.state(story.id).lock:
            story = await self.require_running(story.id)
            if not await self.queue.is_stopped(story):
                return
            head = await stories.find_turn(self._database, story.head)
            if head is None or head.state != OPEN:
                self.queue.start(story, None, view)

    # Moderate.

    async def set_state(self, story: Story, caller: Caller, state: str) -> None:
        """Pause, resume or end a story; only its leaders may."""
        check_leader(caller, story)
        if not await stories.set_story_state(self._database, story.id, state):
            raise InputError("Another story is being played here by now; end that one first.")
        # Turns may still be waiting: read it from the database again.
        self.queue.state(story.id).stopped = None
        if state == ENDED:
            self.queue.forget(story.id)

    async def set_locked(self, story: Story, caller: Caller, locked: bool) -> None:
        """Let only the story's leaders play, or everyone again."""
        check_leader(caller, story)
        await stories.set_story_locked(self._database, story.id, locked)

    async def set_removed(self, story: Story, caller: Caller, player_id: int, removed: bool) -> None:
        """Exclude a player from the story, or admit them again; their turns stay."""
        check_leader(caller, story)
        await stories.set_player_removed(self._database, story.id, player_id, removed)

    async def end_in_channels(self, *channel_ids: int) -> None:
        """End the stories of deleted channels."""
        await stories.end_stories_in_channels(self._database, *channel_ids)

    # Branches, notes, and the story as a whole.

    async def name_branch(self, story: Story, caller: Caller, name: str) -> Branch:
        """Give the newest turn a name that one can switch to."""
        await self.check_player(story, caller, must_have_played=True)
        name = shorten(without_surrogates(name).replace("`", "'"), MAX_BRANCH)
        if not name:
            raise InputError("Give the branch a name.")
        branch = Branch(name, (await self.require_running(story.id)).head, caller.user_id)
        if not await stories.put_branch(self._database, story.id, branch, MAX_BRANCHES):
            raise InputError(
                "A story has up to {most} branches; use the name of an old one for this place.", most=MAX_BRANCHES
            )
        return branch

    async def pin(self, story: Story, caller: Caller, text: str) -> None:
        """Pin a note, which every later prompt contains."""
        await self.check_player(story, caller, must_have_played=True)
        text = " ".join(without_surrogates(text).split())
        if not text or len(text) > MAX_NOTE:
            raise InputError("A note has 1 to {most} characters.", most=MAX_NOTE)
        if not await stories.add_note(self._database, story.id, caller.user_id, text, MAX_NOTES):
            raise InputError("A story has up to {most} notes; unpin one first.", most=MAX_NOTES)

    async def unpin(self, story: Story, caller: Caller, note_id: int) -> None:
        """Remove a note; its author and the story's leaders may."""
        for note in await stories.notes_of(self._database, story.id):
            if note.id == note_id:
                if note.player_id != caller.user_id:
                    check_leader(caller, story)
                await stories.remove_note(self._database, story.id, note_id)

    async def path(self, story: Story) -> list[Turn]:
        """All turns from the opening to the head, oldest first."""
        return await stories.turn_path(self._database, story.head, whole=True)

    async def tree(self, story: Story) -> tuple[list[Turn], list[Branch]]:
        """All turns that have a place in the story, and the named branches."""
        return await stories.turn_tree(self._database, story.id), await stories.branches_of(self._database, story.id)

    async def status(self, story: Story) -> Status:
        """The status of a story."""
        pinned = await stories.notes_of(self._database, story.id)
        there = await stories.players_of(self._database, story.id)
        turn = await stories.find_turn(self._database, story.head)
        tokens = count_tokens((await self.memory.prompt(story, story.head)).messages)
        return Status(story, there, turn.depth if turn else 0, pinned, tokens, self._budget)

    async def recap(self, story: Story, caller: Caller) -> Answer:
        """What happened so far, written by the model and charged to the caller."""
        summary, path = await self.memory.load(story.head, limit=RECAP_TURNS)
        if not path:
            raise InputError("Nothing has happened yet.")
        text = "\n".join(
            f"> {m['content']}" if m["role"] == "user" else m["content"] for turn in path for m in messages_of(turn)
        )
        # Two characters per token of the budget for the newest turns; the rest is for the template and the summary.
        values = {"before": summary or "Nothing.", "turns": text[-self._budget * 2 :]}
        request = self.scenarios.prompt("recap").fill(values)
        return await self._gateway.ask(caller, request)
