"""`kill -9` of the bot while it tunes a model: twice here, at every step in `tests/drills/test_tuning_bot.py`."""

from tests.tuning.harness import CORPUS, open_tuning_harness


async def test_a_bot_that_is_killed_goes_on_with_questions_and_job_and_does_nothing_twice() -> None:
    async with open_tuning_harness(facts=3, delay=0.15) as tuning_harness:
        writer = tuning_harness.writer()
        async with tuning_harness.bot() as process:
            # Three texts: three answers with questions, and two of the three second looks.
            writer.stops = 5
            exchange = await tuning_harness.harness.slash("finetune prepare", corpus=CORPUS, user="operator")
            shown = await exchange.answer(lambda found: "2/3" in found.text)
            assert shown.text == f"Asking the model about the texts of **{CORPUS}**\n{'▰' * 8}{'▱' * 4} 2/3"
            kept = "SELECT count(*) FROM chunks WHERE state = 'checked'"
            await tuning_harness.killed(process, lambda: tuning_harness.one(kept) == 2)
        writer.goes_on()
        async with tuning_harness.bot() as process:
            await tuning_harness.prepare()
            assert set(writer.answered.values()) == {1}
            await tuning_harness.start()
            await tuning_harness.killed(process, lambda: tuning_harness.provider.creating)
            assert tuning_harness.one("SELECT remote_id FROM tuning_jobs") == ""
        async with tuning_harness.bot() as process:
            done = await tuning_harness.done()
            assert [file["filename"] for file in done.attachments] == ["scores.png", "losses.png"]
            await tuning_harness.nothing_twice()
            assert "Traceback" not in process.output
