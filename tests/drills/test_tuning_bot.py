"""The bot under kill -9 at every step from texts to an answer, driven by `/finetune` and its buttons.

Discord, the model that writes the questions and the provider run in the test's process and count all requests.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.bot.harness import is_final
from tests.tuning.harness import CORPUS, TuningHarness, Writer, open_tuning_harness
from tests.wire.exchange import Message

TEXTS, FACTS = 13, 24
# A request for questions and one for verification per text.
CALLS = 2 * TEXTS


async def kill_while_generating(tuning_harness: TuningHarness, writer: Writer) -> Message:
    """Three kills: after some replies, during the verification, and while the dataset is written."""
    kept = "SELECT total((state != 'waiting') + (state = 'checked')) FROM chunks"

    def has_stored(steps: int) -> bool:
        return bool(tuning_harness.one(kept) == steps)

    for stops in (5, 17):
        writer.goes_on(stops)
        async with tuning_harness.bot() as process:
            await tuning_harness.harness.slash("finetune prepare", corpus=CORPUS, user="operator")
            await tuning_harness.killed(process, partial(has_stored, stops))
    writer.goes_on()
    async with tuning_harness.bot() as process:
        await tuning_harness.harness.slash("finetune prepare", corpus=CORPUS, user="operator")
        await tuning_harness.killed(process, lambda: tuning_harness.one(kept) == CALLS)
    assert tuning_harness.harness.rows("SELECT state FROM datasets") == [("generating",)]
    async with tuning_harness.bot():
        prepared = await tuning_harness.prepare()
    # Every reply was stored, and no stored reply was requested again.
    assert set(writer.answered.values()) == {1}
    assert len(writer.answered) == CALLS
    print(f"\n{writer.asked.total()} calls for {CALLS} answers: the others were running at a kill")
    assert tuning_harness.harness.rows("SELECT count(*), min(state) FROM datasets") == [(1, "ready")]
    return prepared


async def kill_while_the_card_is_posted(tuning_harness: TuningHarness) -> None:
    """Two kills: before Discord has the card, and after that but before the bot gets the response."""
    posting = ("POST", f"/channels/{await place_of(tuning_harness)}/messages")
    async with tuning_harness.bot() as process:
        confirmation = await tuning_harness.estimate()
        await tuning_harness.harness.wire.fault(*posting, delay=20.0)
        await tuning_harness.harness.wire.press(confirmation, "Start: price not known", user="operator")
        await tuning_harness.killed(process, lambda: tuning_harness.harness.rows("SELECT id FROM tuning_jobs"))
    await tuning_harness.harness.wire.clear_faults()
    await tuning_harness.harness.wire.fault(*posting, after=True, drop=True, times=99)
    async with tuning_harness.bot() as process:
        card = await tuning_harness.card("")
        assert tuning_harness.one("SELECT message_id FROM tuning_jobs") is None
        await tuning_harness.killed(process, lambda: True)
    await tuning_harness.harness.wire.clear_faults()
    tuning_harness.provider.stalls = {"POST files"}
    async with tuning_harness.bot() as process:
        await tuning_harness.killed(
            process, lambda: tuning_harness.one("SELECT message_id FROM tuning_jobs") == card.id
        )


async def place_of(tuning_harness: TuningHarness) -> str:
    """The id of the channel with the card."""
    return str(tuning_harness.harness.wire.channel_ids[tuning_harness.harness.place])


async def kill_while_the_provider_works(tuning_harness: TuningHarness) -> list[str]:
    """A kill at every step of the job. The provider reports the same status until the kill."""
    calls, provider = tuning_harness.provider.calls, tuning_harness.provider

    def now(column: str) -> Any:
        return tuning_harness.one(f"SELECT {column} FROM tuning_jobs")

    moments: list[tuple[str, str, Callable[[], object]]] = [
        ("uploading", "queued", lambda: calls["POST files"]),
        ("creating", "queued", lambda: provider.creating),
        ("running", "queued", lambda: now("status") == "queued"),
        ("running", "running", lambda: now("step") > 8),
        ("scoring", "succeeded", lambda: now("state") == "scoring"),
        ("scoring", "succeeded", lambda: len(provider.asked) >= 40),
        ("done", "succeeded", lambda: now("state") == "done"),
    ]
    for state, status, moment in moments:
        provider.way = (status,)
        async with tuning_harness.bot() as process:
            await tuning_harness.killed(process, moment)
        assert now("state") == state
        provider.stalls = {"POST jobs"} if state == "uploading" else set()
    return [f"{state} ({status})" for state, status, _ in moments]


async def kill_while_promoting(tuning_harness: TuningHarness) -> None:
    async with tuning_harness.bot() as process:
        done = await tuning_harness.done()
        assert len(done.attachments) == 2
        await tuning_harness.harness.wire.press(done, "Promote", user="operator")
        await tuning_harness.killed(process, lambda: tuning_harness.harness.rows("SELECT id FROM promotions"))
    async with tuning_harness.bot() as process:
        told = await tuning_harness.harness.press(done, "Promote", user="operator")
        assert f"answers **/{CORPUS} ask** from now on" in told.text
        answer = await tuning_harness.harness.answer(f"{CORPUS} ask", is_final, question="Name the bread of B3x3.")
        assert answer.text
        assert "Traceback" not in process.output
    assert tuning_harness.harness.rows("SELECT count(*) FROM promotions WHERE undone = 0") == [(1,)]


async def test_a_bot_killed_at_every_step_continues_and_repeats_nothing() -> None:
    async with open_tuning_harness(texts=TEXTS, facts=FACTS, delay=0.2) as tuning_harness:
        writer = tuning_harness.writer()
        await kill_while_generating(tuning_harness, writer)
        await kill_while_the_card_is_posted(tuning_harness)
        moments = await kill_while_the_provider_works(tuning_harness)
        await kill_while_promoting(tuning_harness)
        await tuning_harness.nothing_twice()
        print(f"killed 3 times while generating, 3 while the card was posted, at {', '.join(moments)}, and promoting")
        # The base model is asked each question twice on purpose, with and without the facts.
        again = sum(
            count - 1 for question, count in tuning_harness.provider.asked.items() if question.startswith("ft:")
        )
        print(f"{again} of the tuned model's questions were asked again: a round is stored as a whole")
        assert again <= 16 * 2
        assert tuning_harness.harness.rows("SELECT count(*) FROM calls WHERE NOT settled") == [(0,)]
