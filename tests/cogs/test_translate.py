"""`/translate` as a person meets it."""

from dataclasses import replace

from tests.simulated import Simulated, parts_of


async def test_a_translation_is_private_and_says_who_made_it(sim: Simulated) -> None:
    sim.model.says("Bonjour")
    result = await sim.member.slash(sim.general, "translate", text="Good morning", to="French")
    assert result.response is not None
    assert result.response.ephemeral
    assert result.response.content == "Bonjour\n-# fake-model · zero-shot"
    assert sim.buttons(result.response) == ["Prompt", "Again", "Follow up…", "Share", "⋯"]
    assert len(sim.model.requests) == 1
    assert not sim.errors


async def test_prompt_shows_the_messages_as_they_were_sent(sim: Simulated) -> None:
    sim.model.says("Bonjour")
    result = await sim.member.slash(sim.general, "translate", text="Good morning", to="French")
    shown = await sim.member.click(result.response, label="Prompt")
    assert shown.response is not None
    assert shown.response.ephemeral
    for message in sim.model.requests[0]["messages"]:
        assert message["content"] in sim.text(shown.response)


async def test_share_posts_the_answer_for_all_and_only_once(sim: Simulated) -> None:
    sim.model.says("Bonjour")
    result = await sim.member.slash(sim.general, "translate", text="Good morning", to="French")
    await sim.member.click(result.response, label="Share")
    posted = sim.general.history(viewer=sim.other)
    assert [message.content for message in posted] == ["Bonjour\n-# fake-model · zero-shot\n-# shared by ben"]
    assert sim.buttons(result.response) == ["Prompt", "Again", "Follow up…", "⋯"]


async def test_share_refuses_the_prompt_of_another_person(sim: Simulated) -> None:
    """A custom id can name any prompt: a modified client sends what it likes."""
    sim.model.says("Bonjour")
    result = await sim.member.slash(sim.general, "translate", text="Good morning", to="French")
    assert result.response is not None
    (prompt_id,) = [
        part["custom_id"].removeprefix("do:share:")
        for part in parts_of(result.response.components)
        if part.get("custom_id", "").startswith("do:share:")
    ]
    answer = await sim.services.prompts.find(prompt_id)
    assert answer is not None
    sim.services.prompts.cache(replace(answer, caller=replace(answer.caller, user_id=sim.other.id)))
    refused = await sim.member.click(result.response, label="Share")
    assert sim.text(refused.followups[0] if refused.followups else refused.response) == (
        "Only the one who asked can share this answer."
    )
    assert sim.general.history(viewer=sim.other) == []


async def test_what_looks_like_a_placeholder_or_a_ping_is_plain_text(sim: Simulated) -> None:
    sim.model.says(lambda body: body["messages"][-1]["content"])
    text = "{{to}} @everyone {{text}} @here"
    result = await sim.member.slash(sim.general, "translate", text=text, to="Greek", private=False)
    assert text in sim.model.requests[0]["messages"][-1]["content"]
    assert result.response is not None
    message = result.response.message
    assert "@everyone" in message.content
    assert not message.mention_everyone


async def test_languages_are_offered_by_any_of_their_names(sim: Simulated) -> None:
    offered = await sim.member.autocomplete(sim.general, "translate", "to", "deut", text="x")
    assert "German" in [choice["value"] for choice in offered]
