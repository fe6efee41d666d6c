"""A short run of the drill `tests.drills.test_random_use`."""

from tests.bot.harness import open_harness
from tests.random_use import ENV, RandomPeople, errors_of


async def test_whatever_people_do_is_acknowledged_and_ends_without_a_fault() -> None:
    async with open_harness(message_content=True) as harness, harness.bot(ENV) as process:
        people = RandomPeople(harness, seed=1)
        await people.act(4.0, faults=True)
        assert people.failures == []
        assert errors_of(process.output) == []
        assert people.seen["interactions"] > 5
