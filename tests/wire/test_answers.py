"""What a person can do on the loopback Discord: commands, menus, buttons, modals, files, messages."""

from typing import Any

import pytest

from tests.wire.driver import Wire, WireError

# One server and one bot serve all tests of this file.
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_deferred_answer_shows_its_last_edit(tiny_wire: Wire) -> None:
    exchange = await tiny_wire.slash("echo", text="hello")
    message = await exchange.answer(lambda found: found.content == "hello")
    events = await exchange.events()
    assert not message.loading
    assert [event["what"] for event in events] == ["callback", "edit", "edit"]
    assert [event["length"] for event in events] == [0, 1, 5]
    assert exchange.dispatched < events[0]["at"] < events[1]["at"]


async def test_only_its_reader_sees_an_ephemeral_answer(tiny_wire: Wire) -> None:
    message = await (await tiny_wire.slash("echo", text="secret", private=True, user="friend"))
    assert message.ephemeral
    assert message.id not in [seen.id for seen in await tiny_wire.messages(as_user="member")]
    assert message.id in [seen.id for seen in await tiny_wire.messages(as_user="friend")]
    with pytest.raises(WireError, match="does not see"):
        await tiny_wire.menu("Length", message, user="member")


async def test_autocomplete_offers_choices_and_too_many_are_refused(tiny_wire: Wire) -> None:
    assert [one["value"] for one in await tiny_wire.autocomplete("language", "to", "fr")] == ["French", "Frisian"]
    await tiny_wire.configure(response_deadline=0.5)
    with pytest.raises(AssertionError, match="did not respond"):
        await tiny_wire.autocomplete("language", "to", "many")
    assert (await tiny_wire.requests("POST", "/callback"))[-1]["status"] == 400
    await tiny_wire.configure(response_deadline=3.0)


async def test_a_message_menu_reads_its_target(tiny_wire: Wire) -> None:
    said = await tiny_wire.say("twelve chars", user="admin")
    assert (await (await tiny_wire.menu("Length", said))).content == "12 characters"


async def test_buttons_and_menus_work_by_label_and_value(tiny_wire: Wire) -> None:
    message = await (await tiny_wire.slash("buttons"))
    assert message.buttons == ["Form", "Change"]
    chosen = await (await tiny_wire.select(message, "German", user="friend"))
    assert (chosen.content, chosen.ephemeral) == ("chose German", True)
    changed = await (await tiny_wire.press(message, "Change"))
    assert (changed.id, changed.content) == (message.id, "changed")
    with pytest.raises(WireError, match="no 'Nothing'"):
        await tiny_wire.press(message, "Nothing")


async def test_a_modal_is_filled_in_by_custom_id_or_label(tiny_wire: Wire) -> None:
    message = await (await tiny_wire.slash("buttons"))
    modal = await (await tiny_wire.press(message, "form")).modal()
    assert (modal.title, list(modal.fields)) == ("A form", ["short", "long"])
    with pytest.raises(WireError, match="to 10 characters"):
        await tiny_wire.submit(modal, {"short": "eleven chars"})
    answer = await (await tiny_wire.submit(modal, {"short": "a", "Long": "line\nline"}))
    assert answer.content == "a / line\nline"


async def test_subcommands_take_every_kind_of_option(tiny_wire: Wire) -> None:
    filled: dict[str, Any] = {"person": "friend", "place": "adventures", "number": 3, "share": 0.5}
    assert (await (await tiny_wire.slash("group sub", **filled))).content == "Frieda adventures 3 0.5"
    with pytest.raises(WireError, match="required"):
        await tiny_wire.slash("group sub", number=3)
    with pytest.raises(WireError, match="does not take"):
        await tiny_wire.slash("group sub", **(filled | {"number": "three"}))


async def test_files_go_up_and_come_down(tiny_wire: Wire) -> None:
    answer = await (await tiny_wire.slash("copy", file=tiny_wire.file("a.txt", b"abc")))
    assert answer.attachments[0]["filename"] == "copy-a.txt"
    assert await tiny_wire.download(answer.attachments[0]) == b"cba"


async def test_a_message_is_read_only_where_the_bot_may(tiny_wire: Wire) -> None:
    place = (await tiny_wire.create_channel("reading"))["id"]
    await tiny_wire.say("unread", channel=place)
    blind = await tiny_wire.until(lambda found: found.content.startswith("read:"), channel=place)
    await tiny_wire.say("quietly", reply_to=blind, ping=False)
    await tiny_wire.say("to you", reply_to=blind)
    await tiny_wire.until(lambda found: found.content == "read: to you", channel=place)
    await tiny_wire.say("in private", channel="dm")
    await tiny_wire.until(lambda found: found.content == "read: in private", channel="dm")
    answers = [found.content for found in await tiny_wire.messages(place) if found.content.startswith("read:")]
    assert answers == ["read: ", "read: ", "read: to you"]


async def test_a_reply_to_an_interactions_response_is_not_readable(tiny_wire: Wire) -> None:
    place = (await tiny_wire.create_channel("replies"))["id"]
    answer = await (await tiny_wire.slash("echo", text="normal", channel=place))
    await tiny_wire.say("unread", reply_to=answer)
    read = await tiny_wire.until(lambda found: found.content.startswith("read:"), channel=place)
    assert read.content == "read: "


async def test_a_thread_begins_at_a_message(tiny_wire: Wire) -> None:
    said = await tiny_wire.say(f"thread please <@{tiny_wire.people['bot']}>")
    inside = await tiny_wire.until(lambda found: found.content == "here", channel=str(said.id))
    thread = next(channel for channel in await tiny_wire.channels() if channel["id"] == str(said.id))
    assert inside.channel_id == said.id
    assert (thread["name"], thread["parent_id"]) == ("A thread", str(tiny_wire.channel_ids["general"]))


async def test_allowed_mentions_decide_who_is_pinged(tiny_wire: Wire) -> None:
    said = await tiny_wire.say(f"@everyone <@{tiny_wire.people['friend']}>")
    await (await tiny_wire.slash("shout", text=f"@everyone <@{tiny_wire.people['friend']}>"))
    quiet = await tiny_wire.until(lambda found: found.content == said.content and found.author_id != said.author_id)
    assert said.pings == [str(tiny_wire.people["friend"]), "everyone"]
    assert quiet.pings == []


async def test_a_removed_message_is_announced(tiny_wire: Wire) -> None:
    said = await tiny_wire.say("gone soon")
    await tiny_wire.remove_message(said)
    assert tiny_wire.process is not None
    await tiny_wire.process.wrote(f"deleted {said.id}")
    assert said.id not in {found.id for found in await tiny_wire.messages()}


async def test_a_second_guild_has_the_same_commands(tiny_wire: Wire) -> None:
    made = await tiny_wire.create_guild("Another", "lobby")
    answer = await (await tiny_wire.slash("echo", text="there", channel=made["channels"]["lobby"]))
    assert answer.channel_id == int(made["channels"]["lobby"])


async def test_a_forward_has_the_original_in_its_snapshots(tiny_wire: Wire) -> None:
    said = await tiny_wire.say("Guten Tag zusammen", user="friend")
    forwarded = await tiny_wire.forward(said)
    assert forwarded.content == ""
    assert (await (await tiny_wire.menu("Parts", forwarded))).content == "snapshot Guten Tag zusammen"
    again = await tiny_wire.forward(forwarded, user="admin")
    assert (await (await tiny_wire.menu("Parts", again))).content == "snapshot Guten Tag zusammen"


async def test_embeds_components_and_polls_of_others_reach_the_bot(tiny_wire: Wire) -> None:
    button = {"type": 1, "components": [{"type": 2, "style": 5, "label": "Go", "url": "https://example.com"}]}
    said = await tiny_wire.say("", user="other_bot", embeds=[{"title": "News"}], components=[button])
    asked = await tiny_wire.say("", poll={"question": "Which pod?", "answers": ["Red", "Blue"]})
    assert (await (await tiny_wire.menu("Parts", said))).content == "embed News; component action_row"
    assert (await (await tiny_wire.menu("Parts", asked))).content == "poll Which pod?: Red, Blue"


async def test_a_locked_thread_refuses_messages_and_edits(tiny_wire: Wire) -> None:
    said = await tiny_wire.say(f"thread please <@{tiny_wire.people['bot']}>")
    thread = str(said.id)
    await tiny_wire.until(lambda found: found.content == "here", channel=thread)
    await tiny_wire.slash("thread_edit", place=thread)
    edited = await tiny_wire.until(lambda found: found.content == "0", channel=thread)
    assert (await (await tiny_wire.menu("Parts", edited))).content == "file x.png A dot"
    await tiny_wire.set_thread(thread, archived=True, locked=True)
    assert tiny_wire.process is not None
    await tiny_wire.process.wrote("refused 400 50083 Thread is archived")
    await tiny_wire.set_thread(thread, archived=False, locked=False)
