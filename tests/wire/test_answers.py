"""The loopback Discord, driven as a person would: commands, menus, buttons, modals, files, messages."""

import pytest

from tests.wire.driver import Wire
from tests.wire.observer import WireError

# One server and one bot serve all tests of this file.
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_deferred_answer_shows_its_last_edit(busy: Wire) -> None:
    exchange = await busy.slash("echo", text="hello")
    message = await exchange.answer(lambda found: found.content == "hello")
    events = await exchange.events()
    assert not message.loading
    assert [event["what"] for event in events] == ["callback", "edit", "edit"]
    assert [event["length"] for event in events] == [0, 1, 5]
    assert exchange.dispatched < events[0]["at"] < events[1]["at"]


async def test_only_its_reader_sees_an_ephemeral_answer(busy: Wire) -> None:
    message = await (await busy.slash("echo", text="secret", private=True, user="friend"))
    assert message.ephemeral
    assert message.id not in [seen.id for seen in await busy.messages(as_user="member")]
    assert message.id in [seen.id for seen in await busy.messages(as_user="friend")]
    with pytest.raises(WireError, match="does not see"):
        await busy.menu("Length", message, user="member")


async def test_autocomplete_offers_choices_and_too_many_are_refused(busy: Wire) -> None:
    assert [one["value"] for one in await busy.autocomplete("language", "to", "fr")] == ["French", "Frisian"]
    await busy.configure(response_deadline=0.5)
    with pytest.raises(AssertionError, match="did not respond"):
        await busy.autocomplete("language", "to", "many")
    assert (await busy.requests("POST", "/callback"))[-1]["status"] == 400
    await busy.configure(response_deadline=3.0)


async def test_a_message_menu_reads_its_target(busy: Wire) -> None:
    said = await busy.say("twelve chars", user="admin")
    assert (await (await busy.menu("Length", said))).content == "12 characters"


async def test_buttons_and_menus_work_by_label_and_value(busy: Wire) -> None:
    message = await (await busy.slash("buttons"))
    assert message.buttons == ["Form", "Change"]
    chosen = await (await busy.select(message, "German", user="friend"))
    assert (chosen.content, chosen.ephemeral) == ("chose German", True)
    changed = await (await busy.press(message, "Change"))
    assert (changed.id, changed.content) == (message.id, "changed")
    with pytest.raises(WireError, match="no 'Nothing'"):
        await busy.press(message, "Nothing")


async def test_a_modal_is_filled_in_by_custom_id_or_label(busy: Wire) -> None:
    message = await (await busy.slash("buttons"))
    modal = await (await busy.press(message, "form")).modal()
    assert (modal.title, list(modal.fields)) == ("A form", ["short", "long"])
    with pytest.raises(WireError, match="to 10 characters"):
        await busy.submit(modal, {"short": "eleven chars"})
    answer = await (await busy.submit(modal, {"short": "a", "Long": "line\nline"}))
    assert answer.content == "a / line\nline"


async def test_subcommands_take_every_kind_of_option(busy: Wire) -> None:
    filled = {"person": "friend", "place": "adventures", "number": 3, "share": 0.5}
    assert (await (await busy.slash("group sub", **filled))).content == "Frieda adventures 3 0.5"
    with pytest.raises(WireError, match="required"):
        await busy.slash("group sub", number=3)
    with pytest.raises(WireError, match="does not take"):
        await busy.slash("group sub", **(filled | {"number": "three"}))


async def test_files_go_up_and_come_down(busy: Wire) -> None:
    answer = await (await busy.slash("copy", file=busy.file("a.txt", b"abc")))
    assert answer.attachments[0]["filename"] == "copy-a.txt"
    assert await busy.download(answer.attachments[0]) == b"cba"


async def test_a_message_is_read_only_where_the_bot_may(busy: Wire) -> None:
    place = (await busy.create_channel("reading"))["id"]
    await busy.say("unread", channel=place)
    blind = await busy.until(lambda found: found.content.startswith("read:"), channel=place)
    await busy.say("quietly", reply_to=blind, ping=False)
    await busy.say("to you", reply_to=blind)
    await busy.until(lambda found: found.content == "read: to you", channel=place)
    await busy.say("in private", channel="dm")
    await busy.until(lambda found: found.content == "read: in private", channel="dm")
    answers = [found.content for found in await busy.messages(place) if found.content.startswith("read:")]
    assert answers == ["read: ", "read: ", "read: to you"]


async def test_a_reply_to_an_interactions_response_is_not_readable(busy: Wire) -> None:
    place = (await busy.create_channel("replies"))["id"]
    answer = await (await busy.slash("echo", text="normal", channel=place))
    await busy.say("unread", reply_to=answer)
    read = await busy.until(lambda found: found.content.startswith("read:"), channel=place)
    assert read.content == "read: "


async def test_a_thread_begins_at_a_message(busy: Wire) -> None:
    said = await busy.say(f"thread please <@{busy.people['bot']}>")
    inside = await busy.until(lambda found: found.content == "here", channel=str(said.id))
    thread = next(channel for channel in await busy.channels() if channel["id"] == str(said.id))
    assert inside.channel_id == said.id
    assert (thread["name"], thread["parent_id"]) == ("A thread", str(busy.channel_ids["general"]))


async def test_allowed_mentions_decide_who_is_pinged(busy: Wire) -> None:
    said = await busy.say(f"@everyone <@{busy.people['friend']}>")
    await (await busy.slash("shout", text=f"@everyone <@{busy.people['friend']}>"))
    quiet = await busy.until(lambda found: found.content == said.content and found.author_id != said.author_id)
    assert said.pings == [str(busy.people["friend"]), "everyone"]
    assert quiet.pings == []


async def test_a_removed_message_is_announced(busy: Wire) -> None:
    said = await busy.say("gone soon")
    await busy.remove_message(said)
    assert busy.process is not None
    await busy.process.wrote(f"deleted {said.id}")
    assert said.id not in {found.id for found in await busy.messages()}


async def test_a_second_guild_has_the_same_commands(busy: Wire) -> None:
    made = await busy.create_guild("Another", "lobby")
    answer = await (await busy.slash("echo", text="there", channel=made["channels"]["lobby"]))
    assert answer.channel_id == int(made["channels"]["lobby"])
