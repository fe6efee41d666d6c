"""`/usage`, and limits as they meet many calls at once."""

import asyncio
import re
from itertools import islice

import pytest
from sqlalchemy import func, select

from bot.core.caller import Caller
from bot.core.errors import LimitError
from bot.storage.tables import CALLS
from tests.simulated import Simulated


async def counted(sim: Simulated) -> tuple[int, int]:
    """Calls and tokens in the database, once everything is written."""
    tokens = func.sum(CALLS.c.prompt_tokens + CALLS.c.completion_tokens)
    query = select(func.count(), func.coalesce(tokens, 0)).where(CALLS.c.settled)
    row = (await sim.services.database.transact(lambda connection: connection.execute(query))).one()
    return int(row[0]), int(row[1])


async def test_of_200_calls_at_once_exactly_as_many_pass_as_fit(sim: Simulated) -> None:
    """The limit leaves room for fifty; what is kept is the sum of what the model reported."""
    gateway, guild = sim.services.gateway, sim.guild.id
    template, values = sim.services.templates.get("translate"), {"text": "Good morning", "to": "French"}
    caller = Caller(sim.member.id, guild)
    await sim.services.guilds.change(guild, user_tokens=1, guild_tokens=None)
    with pytest.raises(LimitError) as refusal:
        await gateway.ask(caller, template.fill(values))
    needed = re.search(r"about ([\d,]+)", str(refusal.value))
    assert needed is not None
    one = int(needed[1].replace(",", ""))
    await sim.services.guilds.change(guild, user_tokens=50 * one + one // 2, guild_tokens=None)
    sim.model.holds()
    calls = [asyncio.create_task(gateway.ask(caller, template.fill(values), background=True)) for _ in range(200)]
    for refused_call in islice(asyncio.as_completed(calls), 150):
        with pytest.raises(LimitError, match="resets <t:"):
            await refused_call
    sim.model.release()
    results = await asyncio.gather(*calls, return_exceptions=True)
    served = [result for result in results if not isinstance(result, BaseException)]
    refused = [result for result in results if isinstance(result, LimitError)]
    assert (len(served), len(refused)) == (50, 150)
    assert await counted(sim) == (50, sum(result.usage.total for result in served))
    assert sim.services.ledger.today(caller)["member"][0] == (await counted(sim))[1]


async def test_a_person_sees_what_they_used_and_what_is_left(sim: Simulated) -> None:
    await sim.member.slash(sim.general, "translate", text="Good morning")
    await sim.other.slash(sim.general, "translate", text="Good evening, everyone")
    _, both = await counted(sim)
    shown = await sim.member.slash(sim.general, "usage")
    text = sim.text(shown.response)
    mine = re.search(r"\*\*Today\*\* ([\d,]+) of 250,000 tokens", text)
    assert mine is not None
    assert 0 < int(mine[1]) < both
    assert f"**In 30 days** {mine[1]} tokens in one call of a model" in text
    assert shown.response is not None
    assert shown.response.ephemeral
    (picture,) = shown.response.attachments
    assert (await picture.read()).startswith(b"\x89PNG")
    server = await sim.admin.slash(sim.general, "usage", of="server")
    assert f"**In 30 days** {both:,} tokens in 2 calls" in sim.text(server.response)
    assert not sim.errors


async def test_what_was_used_a_moment_ago_is_in_both_sums(sim: Simulated) -> None:
    """A call is settled up to half a second after its answer; who asks at once sees it all the same."""
    await sim.member.slash(sim.general, "translate", text="Good morning")
    text = sim.text((await sim.member.slash(sim.general, "usage")).response)
    assert "tokens in one call of a model" in text, text


async def test_a_servers_own_limit_for_a_person_is_shown_to_them(sim: Simulated) -> None:
    await sim.admin.slash(sim.general, "settings limits", person=5_000)
    shown = await sim.member.slash(sim.general, "usage")
    assert "in this server 0 of 5,000 tokens" in sim.text(shown.response)


async def test_the_servers_use_is_for_its_managers_and_the_bots_for_its_operator(sim: Simulated) -> None:
    refused = await sim.member.slash(sim.general, "usage", of="server")
    assert "Only those who may manage this server" in sim.text(refused.response)
    refused = await sim.admin.slash(sim.general, "usage", of="bot")
    assert "Only those who run this bot" in sim.text(refused.response)


async def test_an_operator_by_id_sees_what_the_bot_used_and_its_budget(sim: Simulated) -> None:
    settings = sim.services.settings.model_copy(update={"operator_ids": frozenset({sim.member.id})})
    object.__setattr__(sim.services, "settings", settings)
    shown = await sim.member.slash(sim.general, "usage", of="bot")
    assert "**This month** $0.00 of $20.00" in sim.text(shown.response)


@pytest.mark.settings(chat_model="gpt-6-luna")
async def test_what_one_call_costs_is_shown_in_digits_that_say_something(sim: Simulated) -> None:
    sim.model.usage = {"prompt_tokens": 100, "completion_tokens": 4}
    answer = await sim.member.slash(sim.general, "translate", text="Good morning", to="French")
    card = await sim.member.click(answer.response, label="Prompt")
    assert "100 tokens in, 4 out · $0.000012 · " in sim.text(card.response)
    used = await sim.member.slash(sim.general, "usage")
    assert "104 tokens in one call of a model, $0.000012" in sim.text(used.response)
