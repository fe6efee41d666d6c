"""What one process changes, the others know: settings of servers, and whom they must forget."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.core.caller import Caller
from bot.server.guilds import UNSET, open_guild_settings
from bot.server.privacy import Privacy
from bot.server.prompts import Prompts
from bot.storage.database import Database, open_database
from bot.storage.erasure import ERASED, StoryTrace, Traces
from bot.storage.guilds import CHANGED
from bot.storage.slots import Slot, open_slot
from tests.postgresql import PostgresServer
from tests.server.test_prompts import prompt
from tests.waiting import until

pytestmark = pytest.mark.postgresql
ANN, BEN = 1, 2


@pytest.fixture
async def url(postgresql: PostgresServer) -> str:
    return await postgresql.migrated()


@pytest.fixture
async def here(url: str) -> AsyncIterator[Database]:
    async with open_database(url) as opened:
        yield opened


@pytest.fixture
async def there(url: str) -> AsyncIterator[Database]:
    """The database as another process has it."""
    async with open_database(url) as opened:
        yield opened


@pytest.fixture
async def slot(url: str) -> AsyncIterator[Slot]:
    """The slot of the process that hears."""

    async def recommended() -> int:
        return 0

    async with open_slot(url, 1, None, recommended) as taken:
        yield taken


async def test_settings_that_another_process_changes_hold_here(here: Database, there: Database, slot: Slot) -> None:
    mine, theirs = [await open_guild_settings(one, 1_000, 2_000) for one in (here, there)]
    slot.notices.on(CHANGED, mine.reload)
    changed = await theirs.change(10, language="de", user_tokens=5)
    await until(lambda: mine.of(10) is not UNSET)
    assert mine.of(10) == changed
    # What was missed while the connection was away is read as a whole.
    again = await open_guild_settings(here, 1_000, 2_000)
    await theirs.change(11, language="fr")
    await again.reload("")
    assert (again.of(10), again.of(11).language) == (changed, "fr")


async def test_an_erasure_elsewhere_drops_what_is_held_here_and_what_arrives_later(
    here: Database, there: Database, slot: Slot
) -> None:
    prompts = Prompts(here, 7)
    mine = Privacy(here, prompts, await open_guild_settings(here, 1_000, 2_000), deletes=False)
    theirs = Privacy(there, Prompts(there, 7), await open_guild_settings(there, 1_000, 2_000))
    slot.notices.on(ERASED, mine.erased_elsewhere)
    held = [replace(prompt(0.0), id=f"p{user}", caller=Caller(user)) for user in (ANN, BEN)]
    for answer in held:
        prompts.cache(answer)
        await prompts.persist(answer, soon=True)
    await theirs.erase(ANN)
    await until(lambda: not prompts.in_memory_of(ANN))
    late = replace(held[0], id="late")
    prompts.cache(late)
    await prompts.persist(late)
    here.hurry()
    assert [await prompts.find(wanted) is not None for wanted in ("p1", "p2", "late")] == [False, True, False]


def test_traces_go_through_notices_of_a_bounded_length() -> None:
    story = StoryTrace(5, 1.0, float("inf"), frozenset({"a lamp", "🙂" * 4_000}))
    traces = Traces(ANN, (story, StoryTrace(6, 0.0, 9.0, frozenset())), frozenset({(10, "noir")}))
    notices = list(traces.to_notices())
    assert max(len(notice.encode()) for notice in notices) < 7_900
    found = [Traces.from_notice(notice) for notice in notices]
    assert {one.user_id for one in found} == {ANN}
    assert {trick for one in found for trick in one.tricks} == traces.tricks
    assert any(one.quoted_in_story(5, "translate", 3.0, ["He lit a lamp."]) for one in found)
    assert any(one.quoted_in_story(5, "translate", 3.0, ["🙂" * 4_000]) for one in found)
    assert any(one.quoted_in_story(6, "adventure", 3.0, []) for one in found)
    assert not any(one.quoted_in_story(7, "adventure", 3.0, ["a lamp"]) for one in found)
