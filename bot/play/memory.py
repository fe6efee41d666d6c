"""The memory of a story: older turns become a summary, in the background, along the path that is played.

A summary stands for the path down to one turn and is kept with that turn. So undo and switch find the right one by
walking up from the head, and a branch shares the summaries of what it shares.
"""

import asyncio
import logging
from collections.abc import Sequence

from bot.core.errors import FewshotError
from bot.core.text import shorten
from bot.play.action_parser import line_of
from bot.play.interfaces import Payer, Teller
from bot.play.prompting import messages_of, tokens_of
from bot.play.scenarios import Scenarios
from bot.storage import stories
from bot.storage.database import Database
from bot.storage.stories import Story, Turn

_log = logging.getLogger(__name__)
# Shares of the budget: turns without a summary that make it time for one, and those that stay in their own words.
FULL, KEPT = 0.6, 0.25
# Characters of a summary; a model that writes more is cut.
LONGEST = 3_000
# Turns until a summary that failed is tried again.
PATIENCE = 5
# What stands for the summary where there is none yet.
NOTHING_YET_PROMPT = "Nothing yet."


class Memory:
    """Writes summaries; one for the process."""

    def __init__(self, database: Database, teller: Teller, scenarios: Scenarios, budget: int) -> None:
        self._database, self._teller, self._scenarios, self._budget = database, teller, scenarios, budget
        self._running: dict[str, asyncio.Task[None]] = {}
        self._pauses: dict[str, int] = {}

    async def before(self, head: int | None, *, most: int | None = None) -> tuple[str, list[Turn]]:
        """The summary of the beginning of the path to `head`, empty where there is none, and the turns after it."""
        path = await stories.turn_path(self._database, head, most=most)
        summary = await stories.summary_at(self._database, path[0].id) if path else None
        return (summary, path[1:]) if summary is not None else ("", path)

    def remember(self, story: Story, head: int, tokens: int) -> None:
        """See in the background whether the path to `head`, whose prompt took `tokens`, wants a summary.

        One is written at a time for a story. A short prompt costs no look at the database.
        """
        if story.id in self._running or tokens <= self._budget * FULL:
            return
        if self._pauses.get(story.id, 0) > 0:
            self._pauses[story.id] -= 1
            return
        task = asyncio.create_task(self._remember(story, head), name="summarise-a-story")
        self._running[story.id] = task
        task.add_done_callback(lambda _: self._running.pop(story.id, None))

    async def settled(self) -> None:
        """Wait until no summary is being written."""
        while self._running:
            await asyncio.wait(set(self._running.values()))

    async def close(self) -> None:
        """Stop; what was being summarised is summarised another time."""
        for task in list(self._running.values()):
            task.cancel()
        await self.settled()

    async def _remember(self, story: Story, head: int) -> None:
        """Summarise until what is left in its own words is short enough. A failure is logged and tried again later."""
        try:
            while (work := await self._due(head)) is not None:
                summary, old = work
                text = await self._written(story, summary, old)
                if not await stories.add_summary(self._database, text, old, summary):
                    return  # A player was forgotten meanwhile; the next turn makes it anew, without their words.
        except FewshotError as error:
            self._pauses[story.id] = PATIENCE
            _log.warning("a story could not be summarised: %s", error)

    async def _due(self, head: int) -> tuple[str, Sequence[Turn]] | None:
        """The last summary and the turns to add to it; None where there are not enough of them."""
        summary, path = await self.before(head)
        sizes = [tokens_of(messages_of(turn)) for turn in path]
        if sum(sizes) <= self._budget * FULL:
            return None
        kept, last = self._budget * KEPT, len(path) - 1
        while last > 0 and (kept := kept - sizes[last]) >= 0:
            last -= 1
        # The request itself must fit too: after long failures the rest is summarised in several steps.
        end, room = 0, self._budget * (1 - KEPT)
        while end < last and (end == 0 or room >= sizes[end]):
            room -= sizes[end]
            end += 1
        return (summary, path[:end]) if end else None

    async def _written(self, story: Story, summary: str, old: Sequence[Turn]) -> str:
        told = "\n".join(f"> {line_of(turn)}\n{turn.reply or ''}" for turn in old)
        request = self._scenarios.prompt("summary").fill({"before": summary or NOTHING_YET_PROMPT, "turns": told})
        # The server pays for its story's memory; in direct messages the one who started it does.
        payer = Payer(0 if story.guild_id else story.starter_id, story.guild_id, story.channel_id)
        answer = await self._teller.tell(request, payer)
        return answer.text if len(answer.text) <= LONGEST else shorten(answer.text, LONGEST)
