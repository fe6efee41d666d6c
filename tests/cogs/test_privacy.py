"""`/privacy` as a person meets it: told what is kept, handed it, and forgotten, while the others play on."""

import asyncio
import io
import json
import zipfile
from typing import Any

import pytest

from tests.simulated import Person, Simulated

NOTHING = {"summary": {"entries": {}, "note": "Nothing is kept about you."}}


async def exported(sim: Simulated, who: Person) -> dict[str, Any]:
    result = await who.slash(sim.general, "privacy export")
    assert result.response is not None
    assert result.response.ephemeral
    (file,) = result.response.message.attachments
    with zipfile.ZipFile(io.BytesIO(await file.read())) as archive:
        return {name.removesuffix(".json"): json.loads(archive.read(name)) for name in archive.namelist()}


async def forgotten(sim: Simulated, who: Person) -> str:
    asked = await who.slash(sim.general, "privacy delete")
    assert asked.response is not None
    await who.click(asked.response, label="Delete my data")
    return sim.text(asked.response)


async def story(sim: Simulated) -> None:
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures)
    sim.model.says("The lamp burns.")
    await sim.other.slash(sim.adventures, "adventure start", scenario="room")
    await sim.member.slash(sim.adventures, "adventure act", text="open the secret drawer")
    await sim.other.slash(sim.adventures, "adventure act", text="take the lamp")


async def test_export_delete_export_again_and_the_others_play_on(sim: Simulated) -> None:
    await story(sim)
    await sim.member.slash(sim.general, "translate", text="my words", private=False)
    first = await exported(sim, sim.member)
    assert [turn["words"] for turn in first["turns"]] == ["open the secret drawer"]
    assert {"calls", "players", "prompts"} <= first.keys()
    assert "take the lamp" not in json.dumps(first["turns"])
    assert "or no longer name you" in await forgotten(sim, sim.member)
    assert await exported(sim, sim.member) == NOTHING
    sim.model.says("You hold the lamp up.")
    await sim.other.slash(sim.adventures, "adventure act", text="hold it up")
    assert "You hold the lamp up." in sim.adventures.history()[-1].content
    sent = json.dumps(sim.model.requests[-1])
    assert "secret drawer" not in sent
    assert "take the lamp" in sent
    assert [turn["words"] for turn in (await exported(sim, sim.other))["turns"]] == ["take the lamp", "hold it up"]
    assert not sim.errors


async def test_somebody_forgotten_while_their_turn_waits_for_the_model_stays_forgotten(sim: Simulated) -> None:
    """Neither the turn, when it is told, nor its prompt brings their words back."""
    await story(sim)
    asked = asyncio.Event()

    def burning(_: dict[str, Any]) -> str:
        asked.set()
        return "The lamp burns."

    sim.model.says(burning)
    sim.model.holds()
    acting = asyncio.create_task(sim.member.slash(sim.adventures, "adventure act", text="whisper my true name"))
    await asyncio.wait_for(asked.wait(), 20)
    assert "true name" in json.dumps(sim.model.requests[-1])
    await sim.services.privacy.erase(int(sim.member.id))
    sim.model.release()
    await acting
    assert await exported(sim, sim.member) == NOTHING
    for who in (sim.admin, sim.other):
        assert "true name" not in json.dumps(await exported(sim, who))
    newest = sim.adventures.history()[-1]
    assert "The lamp burns." in newest.content
    assert "true name" not in newest.content
    assert "ben" not in newest.content


async def test_somebody_who_never_came_gets_a_file_and_can_be_forgotten(sim: Simulated) -> None:
    assert await exported(sim, sim.other) == NOTHING
    assert "There was nothing to delete." in await forgotten(sim, sim.other)


async def test_delete_asks_before_it_forgets(sim: Simulated) -> None:
    await sim.member.slash(sim.general, "translate", text="my words", private=False)
    asked = await sim.member.slash(sim.general, "privacy delete")
    assert "This cannot be undone" in sim.text(asked.response)
    assert (await exported(sim, sim.member))["calls"]


async def test_about_names_the_host_the_model_and_the_days_of_the_settings(sim: Simulated) -> None:
    text = sim.text((await sim.member.slash(sim.general, "privacy about")).response)
    assert "goes to `127.0.0.1`, for the model `fake-model`" in text
    assert "7 days, or until I see that its message" in text
    assert "I read only replies to my messages" in text
    assert "moderation" not in text


async def test_about_names_what_the_tables_keep_of_a_person_for_a_while(sim: Simulated) -> None:
    text = sim.text((await sim.member.slash(sim.general, "privacy about")).response)
    assert "Who asked for a dataset: until it is written" in text
    assert "who started them and who voted for what: until the answers are revealed" in text
    assert "The token with which Discord lets me edit an answer, without your id: until the answer is complete" in text


@pytest.mark.settings(retention_days=0, message_content=True, moderation_model="omni-moderation-latest")
async def test_about_claims_what_the_settings_say(sim: Simulated) -> None:
    text = sim.text((await sim.member.slash(sim.general, "privacy about")).response)
    assert "only in memory" in text
    assert "I read replies to my messages, mentions, direct messages" in text
    assert "and all messages in channels where an adventure is played" in text
    assert "pass the moderation `omni-moderation-latest`" in text


@pytest.mark.settings(openai_base_url=None, openai_api_key=None, chat_model=None)
async def test_about_says_that_nothing_is_sent_where_no_model_is_connected(sim: Simulated) -> None:
    text = sim.text((await sim.member.slash(sim.general, "privacy about")).response)
    assert "nothing that you write leaves the machine" in text


async def test_a_prompt_made_from_a_message_goes_with_that_message(sim: Simulated) -> None:
    """The menu's answer is private; its prompt is kept once the asker has opened it."""
    theirs = await sim.other.send(sim.general, "Guten Morgen, ihr alle")
    answered = await sim.member.context_menu(sim.general, "Translate", theirs)
    await sim.member.click(answered.response, label="Prompt")
    assert "ihr alle" in json.dumps(await exported(sim, sim.member))
    assert len((await exported(sim, sim.other))["prompts"]) == 1
    await sim.services.prompts.forget_message(theirs.id)
    assert "ihr alle" not in json.dumps(await exported(sim, sim.member))
    assert await exported(sim, sim.other) == NOTHING


async def test_a_writer_who_is_forgotten_takes_prompts_of_others_that_quote_them_along(sim: Simulated) -> None:
    theirs = await sim.other.send(sim.general, "Guten Morgen, ihr alle")
    answered = await sim.member.context_menu(sim.general, "Translate", theirs)
    await sim.member.click(answered.response, label="Prompt")
    await forgotten(sim, sim.other)
    assert "ihr alle" not in json.dumps(await exported(sim, sim.member))
