"""The prompt of a turn within its token budget, and the summaries that replace older turns in it.

A prompt is the scenario's frame, the summary and the pinned notes, then the newest turns. Everything before the
newest turns is byte for byte the same from turn to turn until a summary or a note changes, so that a provider's
prompt cache hits. Where turns are left out before a summary replaces them, they are left out in blocks, so that the
beginning changes once in eight turns.

A summary covers the path down to one turn and is stored with that turn. Undo and switch find the right one by
walking up from the head, and branches share the summaries of their common path. Summaries are written in the
background.
"""

import asyncio
import logging
from collections.abc import Sequence

from bot.core.caller import SERVER, Caller
from bot.core.errors import FewshotError
from bot.core.text import shorten
from bot.llm.request import Message, Request
from bot.llm.usage import count_tokens
from bot.play.action_parser import user_message
from bot.play.scenarios import Frame, Scenarios
from bot.server.model_gateway import ModelGateway
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import Story, Turn

_log = logging.getLogger(__name__)
SO_FAR_PROMPT = "What happened so far:"
PINNED_PROMPT = "Notes that the players pinned:"
ACKNOWLEDGED_PROMPT = "I keep that in mind. The story goes on."
# Used in the prompt of the first summary, where there is no earlier one.
NOTHING_YET_PROMPT = "Nothing yet."
# Stop sequences that OpenAI's API takes.
MAX_STOPS = 4
# Turns that leave the prompt together.
BLOCK_TURNS = 8
# Turns that are read at most. The budget always leaves out more than that.
MAX_PATH = 400
# Shares of the budget: unsummarized turns that start a summary, and the newest turns that it leaves out.
SUMMARIZE_SHARE, KEEP_SHARE = 0.6, 0.25
# Characters of a summary; a longer one is cut.
MAX_SUMMARY = 3_000
# Turns between a failed summary and the next attempt.
RETRY_AFTER = 5


def messages_of(turn: Turn) -> list[Message]:
    """The player's message, and the reply where there is one."""
    action = {"role": "user", "content": user_message(turn)}
    return [action] if turn.reply is None else [action, {"role": "assistant", "content": turn.reply}]


def build_prompt(frame: Frame, summary: str, pinned: Sequence[str], path: Sequence[Turn], budget: int) -> Request:
    """The request for the last turn of `path`, which has no reply yet; `budget` in tokens.

    The last turn is always sent, also where it alone exceeds the budget. Summary and notes come from what people
    wrote, so they are a user message.
    """
    parts = [f"{SO_FAR_PROMPT}\n{summary}"] if summary else []
    parts += ["\n".join([PINNED_PROMPT, *(f"- {note}" for note in pinned)])] if pinned else []
    start = list(frame.messages)
    if parts:
        start += [
            {"role": "user", "content": "\n\n".join(parts)},
            {"role": "assistant", "content": ACKNOWLEDGED_PROMPT},
        ]
    newest = newest_within(path, budget - count_tokens(start))
    messages = [message for turn in newest for message in messages_of(turn)]
    # The names of players are stop sequences, so that the model does not write their turns.
    names = dict.fromkeys(turn.player for turn in reversed(newest) if turn.named)
    stop = [f"\n{name}:" for name in names][:MAX_STOPS]
    parameters = {**frame.parameters, "stop": stop} if stop and "stop" not in frame.parameters else frame.parameters
    return Request((*start, *messages), parameters, "adventure", frame.examples)


def newest_within(path: Sequence[Turn], budget: int) -> Sequence[Turn]:
    """The newest turns of `path` that take at most `budget` tokens, and always the last one.

    Where some are left out, the cut is at the end of a block, unless that would drop half of what fits.
    """
    first, left = len(path), budget
    for number in range(len(path) - 1, -1, -1):
        left -= count_tokens(messages_of(path[number]))
        if left < 0:
            break
        first = number
    boundary = next((at for at in range(first, len(path)) if path[at].depth % BLOCK_TURNS == 1), len(path))
    if first > 0 and boundary - first <= (len(path) - first) // 2:
        first = boundary
    return path[min(first, len(path) - 1) :]


class Memory:
    """Builds prompts and writes summaries; one for the process. `budget` in tokens."""

    def __init__(self, database: Database, gateway: ModelGateway, scenarios: Scenarios, budget: int) -> None:
        self._database, self._gateway, self._scenarios, self._budget = database, gateway, scenarios, budget
        self._running: dict[str, asyncio.Task[None]] = {}
        # By story: turns until a failed summary is tried again.
        self._delays: dict[str, int] = {}

    async def load(self, head: int | None, *, limit: int | None = None) -> tuple[str, list[Turn]]:
        """The newest summary on the path to `head` (empty where there is none), and the turns after it."""
        path = await stories.turn_path(self._database, head, limit=limit)
        summary = await stories.summary_at(self._database, path[0].id) if path else None
        return (summary, path[1:]) if summary is not None else ("", path)

    async def prompt(self, story: Story, head: int | None) -> Request:
        """The request for the reply to the turn `head`."""
        summary, path = await self.load(head, limit=MAX_PATH)
        pinned = [note.text for note in await stories.notes_of(self._database, story.id)]
        return build_prompt(Frame.from_json(story.frame), summary, pinned, path, self._budget)

    def schedule_summary(self, story: Story, head: int, tokens: int) -> None:
        """Summarize the path to `head` in the background if its prompt, of `tokens`, is near the budget.

        A story has one such task at a time. A short prompt causes no database query.
        """
        if story.id in self._running or tokens <= self._budget * SUMMARIZE_SHARE:
            return
        if self._delays.get(story.id, 0) > 0:
            self._delays[story.id] -= 1
            return
        task = asyncio.create_task(self._summarize(story, head), name="summarize-story")
        self._running[story.id] = task
        task.add_done_callback(lambda _: self._running.pop(story.id, None))

    async def wait(self) -> None:
        """Wait until no summary is being written."""
        while self._running:
            await asyncio.wait(set(self._running.values()))

    async def close(self) -> None:
        """Cancel the tasks; a later turn starts their summaries again."""
        for task in list(self._running.values()):
            task.cancel()
        await self.wait()

    async def _summarize(self, story: Story, head: int) -> None:
        """Add turns to the summary until the others are short enough. Logs a failure; a later turn tries again."""
        try:
            while (due := await self._due(head)) is not None:
                summary, old = due
                text = await self._write_summary(story, summary, old)
                if not await stories.add_summary(self._database, text, old, summary):
                    return  # A player was forgotten meanwhile: the next turn starts over without their words.
        except FewshotError as error:
            self._delays[story.id] = RETRY_AFTER
            _log.warning("a story could not be summarized: %s", error)

    async def _due(self, head: int) -> tuple[str, Sequence[Turn]] | None:
        """The last summary and the turns to add to it; None where there are too few."""
        summary, path = await self.load(head)
        sizes = [count_tokens(messages_of(turn)) for turn in path]
        if sum(sizes) <= self._budget * SUMMARIZE_SHARE:
            return None
        kept, last = self._budget * KEEP_SHARE, len(path) - 1
        while last > 0 and (kept := kept - sizes[last]) >= 0:
            last -= 1
        # The request for the summary has to fit too: after many failures the rest takes several requests.
        end, left = 0, self._budget * (1 - KEEP_SHARE)
        while end < last and (end == 0 or left >= sizes[end]):
            left -= sizes[end]
            end += 1
        return (summary, path[:end]) if end else None

    async def _write_summary(self, story: Story, summary: str, old: Sequence[Turn]) -> str:
        text = "\n".join(f"> {user_message(turn)}\n{turn.reply or ''}" for turn in old)
        request = self._scenarios.prompt("summary").fill({"before": summary or NOTHING_YET_PROMPT, "turns": text})
        # Charged to the server alone; in direct messages to the person who started the story.
        caller = Caller(SERVER if story.guild_id else story.starter_id, story.guild_id, story.channel_id)
        answer = await self._gateway.ask(caller, request, cache=caller.user_id != SERVER)
        return answer.text if len(answer.text) <= MAX_SUMMARY else shorten(answer.text, MAX_SUMMARY)
