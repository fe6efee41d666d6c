"""The growing text: when it is first shown, and that each edit has the newest text."""

import asyncio

import pytest

from bot.ui import stream_editor
from bot.ui.stream_editor import CURSOR, StreamEditor


class Message:
    """Records the texts of its edits; each takes `seconds`."""

    def __init__(self, *, seconds: float = 0.0, exists: bool = True) -> None:
        self.texts: list[str] = []
        self.in_progress = 0
        self._seconds, self._exists = seconds, exists

    async def edit(self, text: str) -> bool:
        assert self.in_progress == 0, "one edit is in progress at a time"
        self.in_progress += 1
        await asyncio.sleep(self._seconds)
        self.texts.append(text.removesuffix(CURSOR))
        self.in_progress -= 1
        return self._exists

    async def edited(self, times: int) -> list[str]:
        """The texts, once there are so many."""
        async with asyncio.timeout(10):
            while len(self.texts) < times:  # noqa: ASYNC110 - the editor's task adds them
                await asyncio.sleep(0.01)
        return self.texts


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_editor, "FIRST_EDIT_DELAY", 0.05)
    monkeypatch.setattr(stream_editor, "FIRST_EDIT_TIMEOUT", 60.0)
    monkeypatch.setattr(stream_editor, "EDIT_INTERVAL", 0.1)


async def test_an_answer_that_is_complete_at_once_is_not_edited_before_its_final_text() -> None:
    message = Message()
    editor = StreamEditor(message.edit)
    editor.show("one")
    editor.show("one two")
    await asyncio.sleep(0.06)
    editor.show("one two three")  # The end of the answer came late, and `stop` follows at once.
    await editor.stop()
    await asyncio.sleep(0.1)
    assert message.texts == []


async def test_the_first_edit_has_the_text_that_comes_after_the_delay() -> None:
    message = Message()
    editor = StreamEditor(message.edit)
    editor.show("one")
    await asyncio.sleep(0.06)
    editor.show("one two")
    editor.show("one two three")
    assert await message.edited(1) == ["one two three"]
    await editor.stop()


async def test_a_text_that_stops_growing_is_shown_after_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_editor, "FIRST_EDIT_TIMEOUT", 0.2)
    message = Message()
    editor = StreamEditor(message.edit)
    editor.show("one")
    assert await message.edited(1) == ["one"]
    editor.show("one two")
    assert await message.edited(2) == ["one", "one two"]
    await asyncio.sleep(0.25)
    await editor.stop()
    assert message.texts == ["one", "one two"]


async def test_one_edit_is_in_progress_at_a_time_and_stop_waits_for_it() -> None:
    message = Message(seconds=0.1)
    editor = StreamEditor(message.edit)
    for count in range(30):
        editor.show(f"text {count}")
        await asyncio.sleep(0.02)
    async with asyncio.timeout(10):
        while not message.in_progress:
            editor.show("text 30")
            await asyncio.sleep(0.01)
    begun = len(message.texts) + 1
    await editor.stop()
    await asyncio.sleep(0.15)
    assert len(message.texts) == begun
    assert message.texts == sorted(message.texts, key=lambda text: int(text.split()[1]))


async def test_a_dropped_text_is_not_shown_and_the_next_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_editor, "FIRST_EDIT_TIMEOUT", 0.1)
    message = Message()
    editor = StreamEditor(message.edit)
    for wanted in (["one"], ["one", "two"]):  # Before the first edit, and after it.
        editor.show("place 2")
        editor.drop()
        await asyncio.sleep(0.2)
        editor.show(wanted[-1])
        assert await message.edited(len(wanted)) == wanted
    await editor.stop()


async def test_a_deleted_message_is_not_edited_again() -> None:
    message = Message(exists=False)
    editor = StreamEditor(message.edit)
    for count in range(30):
        editor.show(f"text {count}")
        await asyncio.sleep(0.02)
    await editor.stop()
    assert len(message.texts) == 1
