"""Not like that…, and what becomes of a correction: as the asker and the managers meet it."""

import asyncio

import simcord

from bot.core.caller import Caller
from bot.core.errors import InputError
from bot.llm.completion import Answer
from bot.server.model_gateway import dry_run
from bot.server.trick_form import with_correction
from tests.simulated import Simulated, parts_of

REVIEW = "The lamp flickers, but the seller sent a new one within a day."
BETTER = "3: The lamp still flickers."


def sent(sim: Simulated) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in sim.model.requests[-1]["messages"]]


async def corrected(sim: Simulated, command: str = "sentiment", **options: str) -> simcord.InteractionResult:
    """Answer, then correct the answer; what is shown at the end."""
    answered = await sim.member.slash(sim.general, command, **(options or {"review": REVIEW}))
    more = await sim.member.click(answered.response, label="⋯")
    opened = await sim.member.click(more.response, label="Not like that…")
    assert opened.modal is not None
    given = next(part["value"] for part in parts_of(opened.modal["components"]) if part.get("custom_id") == "given")
    sim.model.says(BETTER)
    return await sim.member.submit_modal(opened, {"given": given, "wanted": BETTER})


async def test_a_correction_runs_again_as_an_example_and_shows_before_and_after(sim: Simulated) -> None:
    sim.model.says("5: Quick replacement.")
    result = await corrected(sim)
    assert sent(sim)[-3:] == [("user", REVIEW), ("assistant", BETTER), ("user", REVIEW)]
    text = sim.text(result.response)
    assert "**Before**\n★★★★★ **5/5**\nQuick replacement." in text
    assert "**After**\n★★★☆☆ **3/5**\nThe lamp still flickers." in text
    assert sim.buttons(result.response) == ["Prompt", "Again", "Follow up…", "Share", "⋯", "Suggest to the server"]
    assert not sim.errors


async def test_an_accepted_correction_of_a_shipped_trick_becomes_a_trick_of_the_server(sim: Simulated) -> None:
    """With the shipped instruction and examples, the correction last, under a name that the manager chooses."""
    sim.model.says("5: Quick replacement.")
    result = await corrected(sim)
    told = await sim.member.click(result.response, label="Suggest to the server")
    assert "It waits in /trick list" in sim.text(told.followups[0])
    listed = await sim.admin.slash(sim.general, "trick list")
    review = await sim.admin.click(listed.response, label="Review 1 suggestion")
    assert REVIEW in sim.text(review.response)
    naming = await sim.admin.click(review.response, label="Accept")
    await sim.admin.submit_modal(naming, {"name": "our-stars"})
    await sim.member.slash(sim.general, "trick use", name="our-stars", text="It broke.")
    shipped = sim.services.templates.get("sentiment").fill({"review": "It broke."}).messages
    expected = [(message["role"], message["content"]) for message in shipped]
    assert sent(sim) == [*expected[:-1], ("user", REVIEW), ("assistant", BETTER), expected[-1]]
    assert await sim.services.tricks.suggestions(sim.guild.id) == []


async def test_a_correction_of_a_translation_keeps_its_language(sim: Simulated) -> None:
    sim.model.says("Salut")
    result = await corrected(sim, "translate", text="Good morning", to="Greek")
    await sim.member.click(result.response, label="Suggest to the server")
    (suggestion,) = await sim.services.tricks.suggestions(sim.guild.id)
    assert "a translator into Greek" in suggestion.trick.system[0]["content"]
    assert (suggestion.example.given, suggestion.example.wanted) == ("Good morning", BETTER)


async def test_an_accepted_correction_of_a_servers_trick_is_its_next_example(sim: Simulated) -> None:
    """Announced in the channel that moderators read, where there is one."""
    await sim.admin.slash(sim.general, "settings channels", reports=sim.adventures)
    opened = await sim.admin.slash(sim.general, "trick teach", name="rate")
    await sim.admin.submit_modal(opened, {"instruction": "Rate it.", "given": "Fine.", "wanted": "4"})
    sim.model.says("5")
    result = await corrected(sim, "trick use", name="rate", text=REVIEW)
    told = await sim.member.click(result.response, label="Suggest to the server")
    assert "sent to the managers of this server" in sim.text(told.followups[0])
    (card,) = sim.adventures.history()
    refused = await sim.member.click(card, label="Accept")
    assert "Only those who may manage this server" in sim.text(refused.response)
    await sim.admin.click(card, label="Accept")
    trick = await sim.services.tricks.get(sim.guild.id, "rate")
    assert [(example.given, example.wanted) for example in trick.examples] == [("Fine.", "4"), (REVIEW, BETTER)]


async def test_a_dropped_suggestion_is_gone_and_decided_once(sim: Simulated) -> None:
    sim.model.says("5: Quick replacement.")
    result = await corrected(sim)
    await sim.member.click(result.response, label="Suggest to the server")
    listed = await sim.admin.slash(sim.general, "trick list")
    first, second = [await sim.admin.click(listed.response, label="Review 1 suggestion") for _ in range(2)]
    await sim.admin.click(first.response, label="Drop")
    late = await sim.admin.click(second.response, label="Accept")
    assert "Someone has already decided on this suggestion." in sim.text(late.response)
    assert await sim.services.tricks.names(sim.guild.id) == []


async def test_only_ones_own_answer_can_be_corrected(sim: Simulated) -> None:
    sim.model.says("4: fine")
    answered = await sim.member.slash(sim.general, "sentiment", review=REVIEW, private=False)
    others = await sim.other.click(answered.response, label="⋯")
    assert sim.buttons(others.response) == ["Report"]


async def test_the_same_answer_again_is_no_correction(sim: Simulated) -> None:
    sim.model.says(BETTER)
    result = await corrected(sim)
    assert "change it to the one that you want" in sim.text(result.response)


async def test_one_member_cannot_fill_all_places_for_suggestions(sim: Simulated) -> None:
    """Ten of each member wait at most. Another member's suggestion still finds a place."""
    tricks, template = sim.services.tricks, sim.services.templates.get("sentiment")
    values = {"review": REVIEW}
    request = with_correction(template, values, REVIEW, BETTER).fill(values)
    guild = sim.guild.id

    def answer(user: int) -> Answer:
        return dry_run(Caller(user, guild, sim.general.id), request)

    suggesting = (tricks.suggest(answer(1), 1) for _ in range(30))
    results = await asyncio.gather(*suggesting, return_exceptions=True)
    refused = [result for result in results if isinstance(result, InputError)]
    assert len(refused) == 20
    assert all("10 of your suggestions wait" in str(error) for error in refused)
    await tricks.suggest(answer(2), 2)
    assert len(await tricks.suggestions(guild)) == 11
