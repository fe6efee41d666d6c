"""`kill -9` of the bot while it tunes a model: twice here, at every step in `tests/drills/test_tuning_bot.py`."""

from tests.tuning.works import CORPUS, open_works


async def test_a_bot_that_is_killed_goes_on_with_questions_and_job_and_does_nothing_twice() -> None:
    async with open_works(facts=3, delay=0.15) as works:
        writer = works.writer()
        async with works.bot() as process:
            # Three texts: three answers with questions, and two of the three second looks.
            writer.stops = 5
            exchange = await works.town.does("finetune prepare", corpus=CORPUS, user="operator")
            shown = await exchange.answer(lambda found: "2/3" in found.text)
            assert shown.text == f"Asking the model about the texts of **{CORPUS}**\n{'▰' * 13}{'▱' * 7} 2/3"
            kept = "SELECT count(*) FROM chunks WHERE state = 'checked'"
            await works.killed(process, lambda: works.one(kept) == 2)
        writer.goes_on()
        async with works.bot() as process:
            await works.prepare()
            assert set(writer.answered.values()) == {1}
            await works.start()
            await works.killed(process, lambda: works.provider.creating)
            assert works.one("SELECT remote_id FROM tuning_jobs") == ""
        async with works.bot() as process:
            done = await works.done()
            assert [file["filename"] for file in done.attachments] == ["scores.png", "losses.png"]
            await works.nothing_twice()
            assert "Traceback" not in process.output
