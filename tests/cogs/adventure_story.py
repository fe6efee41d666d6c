"""A story in the loopback Discord, as its players see it: in a thread, or wherever it is played."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bot.harness import BotHarness, is_sentence
from tests.wire.exchange import Message

FULL = ["Act…", "Continue", "Undo", "Prompt", "⋯", "◀", "1/1", "▶"]


@dataclass
class StoryDriver:
    """A story that the member has started; `place` is its channel."""

    harness: BotHarness
    place: str

    async def act(self, text: str, *, user: str = "member") -> Message:
        """A turn by command, once it stands there with its buttons."""
        await self.harness.wire.slash("adventure act", channel=self.place, user=user, text=text)
        return await self.turn_message(text)

    async def answer_to(self, text: str, *, user: str = "member") -> str:
        """What a player is told alone in place of a turn."""
        exchange = await self.harness.wire.slash("adventure act", channel=self.place, user=user, text=text)
        return (await exchange.answer(is_sentence)).text

    async def turn_message(
        self, words: str, *, until: Callable[[Message], bool] = lambda found: bool(found.buttons)
    ) -> Message:
        """The newest message with the turn of these words, by default once it has its buttons."""
        return await self.harness.wire.until(lambda found: f"› {words}" in found.content and until(found), self.place)

    async def newest(self) -> Message:
        """The newest message that has buttons."""
        return await self.harness.wire.until(lambda found: bool(found.buttons), self.place)

    async def waiting(self, turn: str) -> Message:
        """The message of a stopped story that lists a waiting turn, given as `Player: words`."""
        return await self.harness.wire.until(lambda found: f"waiting: {turn}" in found.content, self.place)

    def turns(self, columns: str = "words, turns.state") -> list[Any]:
        """The turns of the story, in the order in which they came."""
        return self.harness.rows(
            f"SELECT {columns} FROM turns JOIN stories ON stories.id = story_id WHERE channel_id = ? ORDER BY turns.id",
            int(self.place),
        )


async def start_story(harness: BotHarness, place: str, scenario: str = "room", *, user: str = "member") -> StoryDriver:
    """Start a story where it gets a thread of its own."""
    exchange = await harness.wire.slash("adventure start", channel=place, user=user, scenario=scenario)
    answer = await exchange.answer(is_sentence)
    match = re.search(r"<#(\d+)>", answer.text)
    assert match, answer.text
    await harness.wire.until(lambda found: bool(found.buttons), match[1])
    return StoryDriver(harness, match[1])
