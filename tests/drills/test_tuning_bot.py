"""The bot under kill -9 at every step from texts to an answer, driven by `/finetune` and its buttons.

Discord, the model that writes the questions and the provider outlive every kill, and keep the tally.
"""

from collections.abc import Callable

from tests.bot.town import final
from tests.tuning.works import CORPUS, Works, Writer, open_works
from tests.wire.exchange import Message

TEXTS, FACTS = 13, 24
# A question and a second look for each text.
CALLS = 2 * TEXTS


async def kill_while_generating(works: Works, writer: Writer) -> Message:
    """Three kills: after some answers, in the second look, and while the dataset is written."""
    kept = "SELECT total((state != 'waiting') + (state = 'checked')) FROM chunks"
    for stops in (5, 17):
        writer.goes_on(stops)
        async with works.bot() as process:
            await works.town.does("finetune prepare", corpus=CORPUS, user="operator")
            await works.killed(process, lambda stops=stops: works.one(kept) == stops)
    writer.goes_on()
    async with works.bot() as process:
        await works.town.does("finetune prepare", corpus=CORPUS, user="operator")
        await works.killed(process, lambda: works.one(kept) == CALLS)
    assert works.town.rows("SELECT state FROM datasets") == [("generating",)]
    async with works.bot():
        prepared = await works.prepare()
    # What was answered was stored, and what was stored was never asked about again.
    assert set(writer.answered.values()) == {1}
    assert len(writer.answered) == CALLS
    print(f"\n{writer.asked.total()} calls for {CALLS} answers: the others were in the air when a kill fell")
    assert works.town.rows("SELECT count(*), min(state) FROM datasets") == [(1, "ready")]
    return prepared


async def kill_while_the_card_is_posted(works: Works) -> None:
    """Two kills: before Discord has the card, and after it has it and the bot was not told."""
    posting = ("POST", f"/channels/{await place_of(works)}/messages")
    async with works.bot() as process:
        confirmation = await works.estimate()
        await works.town.wire.fault(*posting, delay=20.0)
        await works.town.wire.press(confirmation, "Start: price not known", user="operator")
        await works.killed(process, lambda: works.town.rows("SELECT id FROM tuning_jobs"))
    await works.town.wire.clear_faults()
    await works.town.wire.fault(*posting, after=True, drop=True, times=99)
    async with works.bot() as process:
        card = await works.card("")
        assert works.one("SELECT message_id FROM tuning_jobs") is None
        await works.killed(process, lambda: True)
    await works.town.wire.clear_faults()
    works.provider.stalls = {"POST files"}
    async with works.bot() as process:
        await works.killed(process, lambda: works.one("SELECT message_id FROM tuning_jobs") == card.id)


async def place_of(works: Works) -> str:
    """The id of the channel in which all happens."""
    return str(works.town.wire.channel_ids[works.town.place])


async def kill_while_the_provider_works(works: Works) -> list[str]:
    """A kill at every step of the job. The provider's word for it stays the same until the kill has fallen."""
    calls, provider = works.provider.calls, works.provider

    def now(column: str) -> object:
        return works.one(f"SELECT {column} FROM tuning_jobs")

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
        async with works.bot() as process:
            await works.killed(process, moment)
        assert now("state") == state
        provider.stalls = {"POST jobs"} if state == "uploading" else set()
    return [f"{state} ({status})" for state, status, _ in moments]


async def kill_while_promoting(works: Works) -> None:
    async with works.bot() as process:
        done = await works.done()
        assert len(done.attachments) == 2
        await works.town.wire.press(done, "Promote", user="operator")
        await works.killed(process, lambda: works.town.rows("SELECT id FROM promotions"))
    async with works.bot() as process:
        told = await works.town.presses(done, "Promote", user="operator")
        assert f"answers **/{CORPUS} ask** from now on" in told.text
        answer = await works.town.answer(f"{CORPUS} ask", final, question="Name the bread of B3x3.")
        assert answer.text
        assert "Traceback" not in process.output
    assert works.town.rows("SELECT count(*) FROM promotions WHERE undone = 0") == [(1,)]


async def test_a_bot_that_is_killed_at_every_step_goes_on_and_does_nothing_twice() -> None:
    async with open_works(texts=TEXTS, facts=FACTS, delay=0.2) as works:
        writer = works.writer()
        await kill_while_generating(works, writer)
        await kill_while_the_card_is_posted(works)
        moments = await kill_while_the_provider_works(works)
        await kill_while_promoting(works)
        await works.nothing_twice()
        print(f"killed 3 times while generating, 3 while the card was posted, at {', '.join(moments)}, and promoting")
        # The base model is asked each of its questions twice anyway, with the facts and without.
        again = sum(count - 1 for question, count in works.provider.asked.items() if question.startswith("ft:"))
        print(f"{again} of the tuned model's questions were asked again: a round that a kill met is stored as a whole")
        assert again <= 16 * 2
        assert works.town.rows("SELECT count(*) FROM calls WHERE NOT settled") == [(0,)]
