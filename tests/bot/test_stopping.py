"""What stands in the channel when the bot stops in the middle of something that a button began."""

import pytest

from tests.bot.harness import BotHarness, is_final, is_sentence

pytestmark = pytest.mark.asyncio(loop_scope="package")

RESTARTED = "I am being restarted. Ask again in a minute."


async def test_a_stop_tells_who_pressed_a_button_and_leaves_the_message_under_it(fresh: BotHarness) -> None:
    async with fresh.bot(TEST_LAST_WORDS="1") as process:
        fresh.model.says("4: fine")
        answer = await (await fresh.slash("sentiment", review="It works.")).answer(is_final)
        card = await (await fresh.wire.press(answer, "Prompt")).answer(is_sentence)
        fresh.model.hangs(after=0)
        climbing = await fresh.wire.press(card, "0")
        await climbing.answer(lambda found: "Running the same input" in found.text)
        process.terminate()
        assert await process.wait() == 0
        assert RESTARTED in [message.text for message in await climbing.messages()]
        (card_after,) = [found for found in await fresh.wire.messages() if found.id == card.id]
        assert card_after.buttons[:5] == ["0", "1", "3", "All", "Export"]
