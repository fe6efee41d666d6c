"""Tricks by example, as managers teach them and members use them."""

import asyncio
import json
from time import perf_counter
from typing import Any

import pytest
import simcord
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.errors import FewshotError, InputError
from bot.llm.template import ChatTemplate
from bot.server.trick_form import Example
from bot.storage.tables import TRICK_VERSIONS, TRICKS
from tests.simulated import Simulated

INSTRUCTION = "Turn what you are told into a polite refusal."


async def taught(
    sim: Simulated, name: str = "refuse", given: str = "Work on Sunday?", wanted: str = "Alas, no."
) -> Any:
    """Teach a trick through its window; what came of it."""
    opened = await sim.admin.slash(sim.general, "trick teach", name=name)
    if opened.modal is None:
        return opened
    values = {"instruction": INSTRUCTION, "given": given, "wanted": wanted}
    return await sim.admin.submit_modal(opened, values)


async def more(sim: Simulated, given: str, wanted: str, name: str = "refuse") -> simcord.InteractionResult:
    opened = await sim.admin.slash(sim.general, "trick example", name=name)
    return await sim.admin.submit_modal(opened, {"given": given, "wanted": wanted})


def sent(sim: Simulated) -> list[tuple[str, str]]:
    """Roles and texts of the newest request."""
    return [(message["role"], message["content"]) for message in sim.model.requests[-1]["messages"]]


async def test_a_trick_taught_by_a_manager_serves_a_member(sim: Simulated) -> None:
    result = await taught(sim)
    assert "This server has a new trick: refuse" in sim.text(result.response)
    sim.model.says("Sadly, no.")
    used = await sim.member.slash(sim.general, "trick use", name="refuse", text="Lend me your car?")
    assert used.response is not None
    assert used.response.content == "Sadly, no.\n-# fake-model · one-shot · refuse"
    assert sent(sim) == [
        ("system", INSTRUCTION),
        ("user", "Work on Sunday?"),
        ("assistant", "Alas, no."),
        ("user", "Lend me your car?"),
    ]
    offered = await sim.member.autocomplete(sim.general, "trick use", "name", "ref", text="x")
    assert [choice["value"] for choice in offered] == ["refuse"]
    assert not sim.errors


async def test_of_many_examples_the_eight_nearest_go_into_the_prompt(sim: Simulated) -> None:
    await taught(sim, given="Shall we dance a tango?")
    for number in range(11):
        await more(sim, f"Will you mend bicycle number {number}?", f"No bicycle {number}.")
    await more(sim, "Shall we dance a waltz tonight?", "My feet refuse.")
    used = await sim.member.slash(sim.general, "trick use", name="refuse", text="Shall we dance at the wedding?")
    shown = [text for role, text in sent(sim) if role == "user"]
    assert len(shown) == 9
    assert {"Shall we dance a tango?", "Shall we dance a waltz tonight?"} <= set(shown)
    assert "the nearest 8 of its 13 examples" in sim.text(used.response)


async def test_ask_chooses_among_a_servers_tricks_too(sim: Simulated) -> None:
    await taught(sim)
    choice = {"template": "refuse", "inputs": {"input": "Lend me your car?"}, "why": "a refusal is wanted"}
    sim.model.says(json.dumps(choice), "Sadly, no.")
    result = await sim.member.slash(sim.general, "ask", request="Refuse politely: Lend me your car?")
    assert "**refuse** · a refusal is wanted" in sim.text(result.response)
    assert '"template": "refuse"' in sim.model.requests[-2]["messages"][0]["content"]
    assert sent(sim)[1:3] == [("user", "Work on Sunday?"), ("assistant", "Alas, no.")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("translate", "the name of something I do already"),
        ("settings", "the name of something I do already"),
        ("🎩🐇", "letters and digits"),
        ("a b_c", "letters and digits"),
        ("x" * 33, "up to 32 letters"),
    ],
)
async def test_a_name_that_cannot_be_used_is_refused_before_anybody_types(sim: Simulated, name: str, said: str) -> None:
    opened = await sim.admin.slash(sim.general, "trick teach", name=name)
    assert said in sim.text(opened.response)


async def test_a_name_is_given_once_also_where_two_windows_are_open(sim: Simulated) -> None:
    opened = [await sim.admin.slash(sim.general, "trick teach", name="Refuse Politely") for _ in range(2)]
    example = {"instruction": INSTRUCTION, "given": "a", "wanted": "b"}
    first, second = [await sim.admin.submit_modal(window, example) for window in opened]
    assert "This server has a new trick: refuse-politely" in sim.text(first.response)
    assert "has a trick called refuse-politely already" in sim.said(second)
    assert await sim.services.tricks.names(sim.guild.id) == ["refuse-politely"]


async def test_a_name_is_given_once_also_at_the_same_instant(sim: Simulated) -> None:
    tricks, example = sim.services.tricks, Example("a", "b")
    teaching = [tricks.teach(sim.guild.id, sim.admin.id, "refuse", INSTRUCTION, example) for _ in range(10)]
    results = await asyncio.gather(*teaching, return_exceptions=True)
    assert sum(isinstance(result, InputError) for result in results) == 9


async def test_what_looks_like_a_placeholder_in_an_example_stays_as_it_was_typed(sim: Simulated) -> None:
    """Also another trick's text, and also through an export and an import."""
    await taught(sim, given="Say {{input}} and {{words_1}}", wanted="{{input}} it is")
    exported = await sim.admin.slash(sim.general, "trick export", name="refuse")
    assert exported.response is not None
    (file,) = exported.response.attachments
    data = await file.read()
    await sim.admin.slash(sim.general, "trick remove", name="refuse")
    await sim.admin.slash(sim.general, "trick import", file=("refuse.json", data))
    await sim.member.slash(sim.general, "trick use", name="refuse", text="{{input}}?")
    expected = [("user", "Say {{input}} and {{words_1}}"), ("assistant", "{{input}} it is"), ("user", "{{input}}?")]
    assert sent(sim)[1:] == expected
    again = ChatTemplate.from_dict(json.loads(data)).fill({"input": "{{input}}?"})
    assert [(message["role"], message["content"]) for message in again.messages][1:] == expected


LAST = {"role": "user", "content": "{{text}}"}
GOOD: dict[str, Any] = {"about": "x", "messages": [LAST]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (json.dumps({**GOOD, "model": "gpt-6-luna"}), "may not set model"),
        (json.dumps({**GOOD, "tools": []}), "may not set tools"),
        (json.dumps({**GOOD, "max_completion_tokens": 9}), "may not set max_completion_tokens"),
        (json.dumps({**GOOD, "evil": 1}), "unknown key evil"),
        (json.dumps({**GOOD, "messages": [{"role": "system", "content": "{{text}}"}]}), "must be the user's"),
        (json.dumps({**GOOD, "messages": [{"role": "user", "content": "{{a}} {{b}}"}]}), "has one input"),
        (json.dumps({"messages": GOOD["messages"]}), "what the trick is for"),
        ("[" * 100_000, "not JSON"),
        ("{", "not JSON"),
        (" " * 10_000_000, "too large"),
        (b"\x89PNG....", "not a text"),
    ],
)
async def test_an_import_that_cannot_be_used_says_why(sim: Simulated, data: str | bytes, said: str) -> None:
    body = data.encode() if isinstance(data, str) else data
    result = await sim.admin.slash(sim.general, "trick import", file=("mine.json", body))
    assert said in sim.said(result)
    assert await sim.services.tricks.names(sim.guild.id) == []


def with_schema(**schema: Any) -> str:
    return json.dumps({**GOOD, "reply": "json", "schema": schema})


def nested(depth: int) -> dict[str, Any]:
    return {"type": "array", "items": nested(depth - 1)} if depth else {"type": "string"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "object", "patternProperties": {"^(a+)+$": {}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"allOf": [{"allOf": [{"type": "object"}]}]},
        {"anyOf": [{}, {}]},
        {"type": "array", "uniqueItems": True},
        {"type": "object", "properties": {"a": {"items": {"pattern": "(x|x)*y"}}}},
        {"$defs": {"a": {}}, "type": "object"},
        {"type": "object", "dependentSchemas": {}},
        {"not": {}},
        {"format": "regex"},
        {"if": {}, "then": {}},
    ],
)
async def test_a_schema_that_may_take_long_is_refused(sim: Simulated, schema: dict[str, Any]) -> None:
    result = await sim.admin.slash(sim.general, "trick import", file=("mine.json", with_schema(**schema).encode()))
    assert "The schema of a server's trick may not use" in sim.said(result)
    assert await sim.services.tricks.names(sim.guild.id) == []


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (nested(6), "up to 100 parts, 6 levels deep"),
        (
            {"type": "object", "properties": {str(n): {"properties": {"a": {}, "b": {}}} for n in range(40)}},
            "100 parts",
        ),
        ({"type": "object", "title": "x" * 20_000}, "too long"),
        ({"type": "thing"}, "not a JSON Schema"),
        ({"type": []}, "not a JSON Schema"),
        ({"properties": [1]}, "not a JSON Schema"),
        ({"properties": {"a": 1}}, "not a JSON Schema"),
        ({"items": True}, "not a JSON Schema"),
        ({"enum": [{"a": 1}]}, "not a JSON Schema"),
        ({"enum": list(range(1_000))}, "not a JSON Schema"),
        ({"maxLength": "ten"}, "not a JSON Schema"),
        ({"maxLength": -1}, "not a JSON Schema"),
        ({"minimum": True}, "not a JSON Schema"),
        ({"required": "a"}, "not a JSON Schema"),
    ],
)
async def test_a_schema_that_is_too_large_or_none_is_refused(sim: Simulated, schema: dict[str, Any], said: str) -> None:
    result = await sim.admin.slash(sim.general, "trick import", file=("mine.json", with_schema(**schema).encode()))
    assert said in sim.said(result)


async def test_a_plain_schema_is_imported_and_checked(sim: Simulated) -> None:
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["good", "bad"]},
            "words": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 40}, "maxItems": 5},
            "score": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        },
        "required": ["mood"],
        "additionalProperties": False,
    }
    await sim.admin.slash(sim.general, "trick import", file=("mood.json", with_schema(**schema).encode()))
    sim.model.says('{"mood": "good", "words": ["sun"], "score": 0.5}')
    used = await sim.member.slash(sim.general, "trick use", name="mood", text="Sun!")
    assert "good" in sim.text(used.response)
    sim.model.says('{"mood": "so so"}')
    refused = await sim.member.slash(sim.general, "trick use", name="mood", text="Rain.")
    assert "does not fit: mood breaks its rule 'enum'" in sim.said(refused)


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ({"temperature": "hot"}, "temperature must be a number from 0 to 2"),
        ({"temperature": 2.5}, "temperature must be a number from 0 to 2"),
        ({"temperature": None}, "temperature must be a number"),
        ({"temperature": True}, "temperature must be a number"),
        ({"top_p": -0.1}, "top_p must be a number from 0 to 1"),
        ({"presence_penalty": [1]}, "presence_penalty must be a number from -2 to 2"),
        ({"frequency_penalty": {"a": 1}}, "frequency_penalty must be a number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": 10**40}, "seed must be a whole number"),
        ({"stop": ["a"] * 5}, "stop must be a text, or up to 4 texts"),
        ({"stop": [1]}, "stop must be a text"),
        ({"stop": ""}, "stop must be a text"),
    ],
)
async def test_a_parameter_of_another_type_or_range_is_refused(
    sim: Simulated, parameter: dict[str, Any], said: str
) -> None:
    result = await sim.admin.slash(
        sim.general, "trick import", file=("mine.json", json.dumps({**GOOD, **parameter}).encode())
    )
    assert said in sim.said(result)
    assert not sim.model.requests


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({**GOOD, "messages": [1] * 100_000}, "too many messages for a trick"),
        ({**GOOD, "messages": GOOD["messages"] * 65}, "too many messages for a trick"),
        ({**GOOD, "inputs": {str(n): {} for n in range(9_000)}}, "too many messages for a trick"),
        ({**GOOD, **{str(n): 1 for n in range(9_000)}}, "too many messages for a trick"),
        ({**GOOD, "x" * 90_000: 1}, "names that are too long"),
        ({**GOOD, "messages": [{"role": "user", "content": "a" * 90_000 + "{{text}}"}]}, "instruction is too long"),
    ],
)
async def test_a_file_with_more_than_a_trick_can_have_is_refused_at_once(
    sim: Simulated, data: dict[str, Any], said: str
) -> None:
    began = perf_counter()
    with pytest.raises(FewshotError, match=said):
        await sim.services.tricks.import_file(sim.guild.id, 1, "mine", json.dumps(data))
    print(f"refused in {perf_counter() - began:.3f} s")


async def test_half_an_emoji_in_a_file_is_replaced(sim: Simulated) -> None:
    body = '{"about": "x \\ud83d", "messages": [{"role": "user", "content": "\\udc00 {{text}} \\ud83d\\ude00"}]}'
    result = await sim.admin.slash(sim.general, "trick import", file=("half.json", body.encode()))
    assert "This server has a new trick: half" in sim.text(result.response)
    await sim.member.slash(sim.general, "trick use", name="half", text="Hello")
    assert sent(sim)[-1] == ("user", "\ufffd Hello 😀")


async def test_a_trick_that_an_earlier_version_stored_and_that_is_not_allowed_today_harms_nothing(
    sim: Simulated,
) -> None:
    """It is named to the one who uses it, can be removed, and the other tricks work."""
    await taught(sim)
    await sim.admin.slash(sim.general, "trick import", file=("mine.json", with_schema(type="object").encode()))

    async def spoil(connection: AsyncConnection) -> None:
        bad = with_schema(type="object", properties={"a": {"pattern": "^(a+)+$"}})
        await connection.execute(update(TRICKS).where(TRICKS.c.name == "mine").values(body=bad))

    await sim.services.database.transact(spoil)
    sim.model.says('{"a": "' + "a" * 60 + '!"}')
    used = await sim.member.slash(sim.general, "trick use", name="mine", text="Hello")
    assert "The trick mine cannot be used: The schema of a server's trick may not use pattern" in sim.said(used)
    assert not sim.model.requests
    listed = await sim.member.slash(sim.general, "trick list")
    assert "refuse" in sim.text(listed.response)
    await sim.member.slash(sim.general, "trick use", name="refuse", text="Hello")
    assert len(sim.model.requests) == 1
    removed = await sim.admin.slash(sim.general, "trick remove", name="mine")
    assert "were deleted" in sim.text(removed.response)
    assert await sim.services.tricks.names(sim.guild.id) == ["refuse"]


async def test_a_trick_has_twenty_examples_and_no_more(sim: Simulated) -> None:
    pairs = [{"role": role, "content": "a"} for _ in range(20) for role in ("user", "assistant")]
    full = {**GOOD, "messages": [*pairs, *GOOD["messages"]]}
    await sim.admin.slash(sim.general, "trick import", file=("full.json", json.dumps(full).encode()))
    result = await more(sim, "one", "more", name="full")
    assert "as many as a trick may have" in sim.said(result)
    more_than_full = {**full, "messages": [*pairs[:2], *full["messages"]]}
    file = ("fuller.json", json.dumps(more_than_full).encode())
    result = await sim.admin.slash(sim.general, "trick import", file=file)
    assert "up to 20 examples" in sim.said(result)


async def test_a_server_has_fifty_tricks_and_no_more(sim: Simulated) -> None:
    tricks, guild, user = sim.services.tricks, sim.guild.id, sim.admin.id
    await asyncio.gather(*(tricks.import_file(guild, user, f"trick-{n}", json.dumps(GOOD)) for n in range(50)))
    result = await taught(sim)
    assert "up to 50 tricks" in sim.said(result)
    listed = await sim.member.slash(sim.general, "trick list")
    assert "50 of 50" in sim.text(listed.response)


async def test_only_managers_teach(sim: Simulated) -> None:
    """Members may use, show and list; everything else is refused by the bot itself."""
    await taught(sim)
    for name, options in (
        ("teach", {"name": "mine"}),
        ("example", {"name": "refuse"}),
        ("test run", {"name": "refuse"}),
        ("test add", {"name": "refuse"}),
        ("test list", {"name": "refuse"}),
        ("test import", {"name": "refuse", "file": ("tests.csv", b"input,expected")}),
        ("export", {"name": "refuse"}),
        ("remove", {"name": "refuse"}),
        ("history", {"name": "refuse"}),
        ("import", {"file": ("mine.json", b"{}")}),
    ):
        result = await sim.member.slash(sim.general, f"trick {name}", **options)
        assert "Only those who may manage this server" in sim.text(result.response)
    shown = await sim.member.slash(sim.general, "trick show", name="refuse")
    assert INSTRUCTION in sim.text(shown.response)
    assert await sim.services.tricks.names(sim.guild.id) == ["refuse"]


async def test_a_trick_that_is_not_there_is_a_sentence(sim: Simulated) -> None:
    result = await sim.member.slash(sim.general, "trick show", name="nothing")
    assert sim.said(result) == "This server has no trick called nothing; /trick list shows those it has."


async def test_every_change_is_a_version_and_an_old_one_comes_back_as_a_new_one(sim: Simulated) -> None:
    await taught(sim)
    opened = await sim.admin.slash(sim.general, "trick example", name="refuse")
    await sim.admin.submit_modal(
        opened, {"given": "Lend me a pod?", "wanted": "It is in repair.", "note": "too blunt before"}
    )
    body = {**GOOD, "messages": [{"role": "system", "content": "Be brief."}, *one("Work on Sunday?", "No!"), LAST]}
    await sim.admin.slash(sim.general, "trick import", file=("refuse.json", json.dumps(body).encode()))
    answered = await sim.member.slash(sim.general, "trick use", name="refuse", text="Dance?")
    prompt = await sim.member.click(answered.response, label="Prompt")
    assert "refuse, version 3" in sim.text(prompt.response)
    shown = await sim.admin.slash(sim.general, "trick history", name="refuse")
    text = sim.text(shown.response)
    assert f"**3** · imported from a file · <@{sim.admin.id}>" in text
    assert "✏️ the instruction\n➖ Lend me a pod? → It is in repair.\n✏️ Work on Sunday? → Alas, no. ⇒ No!" in text
    assert "➕ Lend me a pod? → It is in repair." in text
    assert "-# too blunt before" in text
    old = await sim.admin.select(shown.response, ["2"])
    assert INSTRUCTION in sim.text(old.response)
    back = await sim.admin.click(old.response, label="Revert to this version")
    assert "refuse is as it was in version 2; this is version 4" in sim.text(back.response)
    with pytest.raises(InputError, match="refuse is as it was in version 2 already"):
        await sim.services.tricks.revert(sim.guild.id, sim.admin.id, "refuse", 2)
    await sim.member.slash(sim.general, "trick use", name="refuse", text="Dance?")
    assert [text for _role, text in sent(sim)] == [
        *(INSTRUCTION, "Work on Sunday?", "Alas, no.", "Lend me a pod?", "It is in repair."),
        "Dance?",
    ]
    assert not sim.errors


def one(given: str, wanted: str) -> list[dict[str, str]]:
    """A pair of messages: an example."""
    return [{"role": "user", "content": given}, {"role": "assistant", "content": wanted}]


async def test_a_version_whose_form_is_not_allowed_any_more_does_not_come_back(sim: Simulated) -> None:
    await taught(sim)
    await more(sim, "one", "more")

    async def spoil(connection: AsyncConnection) -> None:
        bad = with_schema(type="object", properties={"a": {"pattern": "^(a+)+$"}})
        await connection.execute(update(TRICK_VERSIONS).where(TRICK_VERSIONS.c.number == 1).values(body=bad))

    await sim.services.database.transact(spoil)
    shown = await sim.admin.slash(sim.general, "trick history", name="refuse")
    old = await sim.admin.select(shown.response, ["1"])
    assert "It cannot be used any more: The schema of a server's trick may not use pattern" in sim.text(old.response)
    with pytest.raises(InputError, match="Version 1 of refuse cannot come back"):
        await sim.services.tricks.revert(sim.guild.id, sim.admin.id, "refuse", 1)


async def test_only_the_newest_versions_are_stored(sim: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.server.tricks.MAX_VERSIONS", 3)
    tricks, guild, user = sim.services.tricks, sim.guild.id, sim.admin.id
    await taught(sim)
    for number in range(4):
        await tricks.add_example(guild, user, "refuse", f"in {number}", "out")
    await tricks.drop_examples(guild, user, "refuse", 5, {0, 1})
    _name, versions = await tricks.history(guild, "refuse")
    assert [(version.number, len(version.examples)) for version in versions] == [(6, 3), (5, 5), (4, 4)]
    with pytest.raises(InputError, match="has changed since version 5"):
        await tricks.drop_examples(guild, user, "refuse", 5, {0})
