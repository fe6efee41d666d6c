"""The loopback Discord, driven as a person would: commands, menus, buttons, modals, files, messages."""

import pytest

from tests.wire.driver import Wire
from tests.wire.observer import WireError
from tests.wire.process import Process

pytestmark = pytest.mark.usefixtures("tiny")


async def test_a_deferred_answer_shows_its_last_edit(wire: Wire) -> None:
    exchange = await wire.slash("echo", text="hello")
    message = await exchange.answer(lambda found: found.content == "hello")
    events = await exchange.events()
    assert not message.loading
    assert [event["what"] for event in events] == ["callback", "edit", "edit"]
    assert [event["length"] for event in events] == [0, 1, 5]
    assert exchange.dispatched < events[0]["at"] < events[1]["at"]


async def test_only_its_reader_sees_an_ephemeral_answer(wire: Wire) -> None:
    message = await (await wire.slash("echo", text="secret", private=True, user="friend"))
    assert message.ephemeral
    assert await wire.messages(as_user="member") == []
    assert [seen.content for seen in await wire.messages(as_user="friend")] == ["secret"]
    with pytest.raises(WireError, match="does not see"):
        await wire.menu("Length", message, user="member")


async def test_autocomplete_offers_choices_and_too_many_are_refused(wire: Wire, tiny: Process) -> None:
    assert [one["value"] for one in await wire.autocomplete("language", "to", "fr")] == ["French", "Frisian"]
    await wire.configure(response_deadline=0.5)
    with pytest.raises(AssertionError, match="did not respond"):
        await wire.autocomplete("language", "to", "many")
    assert (await wire.requests("POST", "/callback"))[-1]["status"] == 400


async def test_a_message_menu_reads_its_target(wire: Wire) -> None:
    said = await wire.say("twelve chars", user="admin")
    assert (await (await wire.menu("Length", said))).content == "12 characters"


async def test_buttons_and_menus_work_by_label_and_value(wire: Wire) -> None:
    message = await (await wire.slash("buttons"))
    assert message.buttons == ["Form", "Change"]
    chosen = await (await wire.select(message, "German", user="friend"))
    assert (chosen.content, chosen.ephemeral) == ("chose German", True)
    changed = await (await wire.press(message, "Change"))
    assert (changed.id, changed.content) == (message.id, "changed")
    with pytest.raises(WireError, match="no 'Nothing'"):
        await wire.press(message, "Nothing")


async def test_a_modal_is_filled_in_by_custom_id_or_label(wire: Wire) -> None:
    message = await (await wire.slash("buttons"))
    modal = await (await wire.press(message, "form")).modal()
    assert (modal.title, list(modal.fields)) == ("A form", ["short", "long"])
    with pytest.raises(WireError, match="to 10 characters"):
        await wire.submit(modal, {"short": "eleven chars"})
    answer = await (await wire.submit(modal, {"short": "a", "Long": "line\nline"}))
    assert answer.content == "a / line\nline"


async def test_subcommands_take_every_kind_of_option(wire: Wire) -> None:
    filled = {"person": "friend", "place": "adventures", "number": 3, "share": 0.5}
    assert (await (await wire.slash("group sub", **filled))).content == "Frieda adventures 3 0.5"
    with pytest.raises(WireError, match="required"):
        await wire.slash("group sub", number=3)
    with pytest.raises(WireError, match="does not take"):
        await wire.slash("group sub", **(filled | {"number": "three"}))


async def test_files_go_up_and_come_down(wire: Wire) -> None:
    answer = await (await wire.slash("copy", file=wire.file("a.txt", b"abc")))
    assert answer.attachments[0]["filename"] == "copy-a.txt"
    assert await wire.download(answer.attachments[0]) == b"cba"


async def test_a_message_is_read_only_where_the_bot_may(wire: Wire) -> None:
    await wire.say("unread")
    blind = await wire.until(lambda found: found.content.startswith("read:"))
    await wire.say("to you", reply_to=blind)
    seen = await wire.until(lambda found: found.content == "read: to you")
    await wire.say("quietly", reply_to=seen, ping=False)
    await wire.say("in private", channel="dm")
    assert blind.content == "read: "
    assert await wire.until(lambda found: found.content == "read: in private", channel="dm")
    assert "read: quietly" not in [found.content for found in await wire.messages()]


async def test_a_reply_to_an_interactions_response_is_not_readable(wire: Wire) -> None:
    answer = await (await wire.slash("echo", text="normal"))
    await wire.say("unread", reply_to=answer)
    assert (await wire.until(lambda found: found.content.startswith("read:"))).content == "read: "


async def test_a_thread_begins_at_a_message(wire: Wire) -> None:
    said = await wire.say(f"thread please <@{wire.people['bot']}>")
    inside = await wire.until(lambda found: found.content == "here", channel=str(said.id))
    thread = next(channel for channel in await wire.channels() if channel["id"] == str(said.id))
    assert inside.channel_id == said.id
    assert (thread["name"], thread["parent_id"]) == ("A thread", str(wire.channel_ids["general"]))


async def test_allowed_mentions_decide_who_is_pinged(wire: Wire) -> None:
    said = await wire.say(f"@everyone <@{wire.people['friend']}>")
    await (await wire.slash("shout", text=f"@everyone <@{wire.people['friend']}>"))
    quiet = await wire.until(lambda found: found.content == said.content and found.author_id != said.author_id)
    assert said.pings == [str(wire.people["friend"]), "everyone"]
    assert quiet.pings == []


async def test_a_removed_message_is_announced(wire: Wire, tiny: Process) -> None:
    said = await wire.say("gone soon")
    await wire.remove_message(said)
    await tiny.wrote(f"deleted {said.id}")
    assert said.id not in {found.id for found in await wire.messages()}


async def test_a_second_guild_has_the_same_commands(wire: Wire) -> None:
    made = await wire.create_guild("Another", "lobby")
    answer = await (await wire.slash("echo", text="there", channel=made["channels"]["lobby"]))
    assert answer.channel_id == int(made["channels"]["lobby"])
