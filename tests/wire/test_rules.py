"""What Discord enforces: deadlines, tokens, lengths, permissions, rate limits, sessions."""

import aiohttp
import pytest

from tests.wire.driver import Wire
from tests.wire.exchange import NoAnswerError
from tests.wire.process import Process
from tests.wire.rates import limit_of


@pytest.mark.usefixtures("tiny")
async def test_the_first_response_must_come_in_time(wire: Wire) -> None:
    await wire.configure(response_deadline=0.2)
    exchange = await wire.slash("echo", text="late", wait=0.4)
    with pytest.raises(NoAnswerError, match="did not respond"):
        await exchange.answer()
    # The bot answers all the same, and is told that nobody knows the interaction any more.
    await wire.configure(response_deadline=3.0)
    await (await wire.slash("echo", text="in time", wait=0.4))
    assert [one["status"] for one in await wire.requests("POST", "/callback")] == [404, 200]


async def test_a_token_that_has_run_out_is_refused(wire: Wire, tiny: Process) -> None:
    exchange = await wire.slash("late", text="too late", seconds=0.3)
    assert (await exchange.state(after=0, timeout=5.0))["callback"] == 5
    await wire.expire_tokens()
    await tiny.wrote("refused 401 50027 Invalid Webhook Token")


@pytest.mark.usefixtures("tiny")
async def test_a_429_is_waited_out_and_obeyed(wire: Wire) -> None:
    await wire.fault("PATCH", "/messages/@original", status=429, retry_after=0.1)
    message = await (await wire.slash("echo", text="patient")).answer(lambda found: found.content == "patient")
    statuses = [one["status"] for one in await wire.requests("PATCH", "/messages/@original")]
    assert message.content == "patient"
    assert statuses == [429, 200, 200]


@pytest.mark.usefixtures("tiny")
async def test_a_5xx_is_tried_again(wire: Wire) -> None:
    await wire.fault("PATCH", "/messages/@original", status=502)
    await (await wire.slash("echo", text="again")).answer(lambda found: found.content == "again")
    assert [one["status"] for one in await wire.requests("PATCH", "/@original")] == [502, 200, 200]
    assert [fault["hits"] for fault in await wire.clear_faults()] == [1]


@pytest.mark.usefixtures("tiny")
async def test_an_answer_that_was_lost_had_its_effect_and_is_not_repeated(wire: Wire) -> None:
    await wire.fault("POST", "/channels/", status=500, after=True)
    await (await wire.slash("shout", text="once")).answer(lambda found: found.content == "done")
    # discord.py sends a nonce with its messages, so that the second attempt finds the first one's message.
    assert [one["status"] for one in await wire.requests("POST", "/channels/")] == [500, 200]
    assert [found.content for found in await wire.messages(as_user="friend")] == ["once"]


async def test_a_broken_connection_is_resumed_with_what_was_missed(wire: Wire, tiny: Process) -> None:
    await wire.gateway("drop")
    exchange = await wire.slash("echo", text="missed")
    message = await exchange.answer(lambda found: found.content == "missed")
    events = [one["what"] for one in await wire.gateway_log()]
    assert message.content == "missed"
    assert "resumed" in tiny.output
    assert events.count("identify") == 1
    assert events.count("resume") == 1


async def test_a_request_to_reconnect_is_followed(wire: Wire, tiny: Process) -> None:
    await wire.gateway("reconnect")
    await (await wire.slash("echo", text="after")).answer(lambda found: found.content == "after")
    assert [one["what"] for one in await wire.gateway_log()].count("resume") == 1


@pytest.mark.usefixtures("tiny")
async def test_text_beyond_a_limit_is_refused_with_its_path(wire: Wire) -> None:
    await wire.slash("late", text="x" * 2001, seconds=0.0)
    assert (await wire.answered("PATCH", "/@original"))[0]["status"] == 400
    card = await (await wire.slash("card", length=4000))
    assert len(card.text) == 4000
    await wire.configure(response_deadline=0.5)
    assert await (await wire.slash("card", length=4001)).failed()


async def test_errors_have_discords_shape(wire: Wire) -> None:
    headers = {"Authorization": f"Bot {wire.token}"}
    channel = f"{wire.address}/api/v10/channels/{wire.channel_ids['general']}/messages"
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(channel, json={"content": "x" * 2001}) as response:
            body = await response.json()
        assert (response.status, body["code"]) == (400, 50035)
        assert body["errors"]["content"]["_errors"][0]["code"] == "BASE_TYPE_MAX_LENGTH"
        row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "A", "custom_id": "x" * 101}]}
        async with session.post(channel, json={"content": "a", "components": [row]}) as response:
            body = await response.json()
        assert "custom_id" in body["errors"]["components"]["0"]["components"]["0"]
        async with session.post(channel, json={}) as response:
            assert (await response.json())["code"] == 50006
        async with session.get(f"{channel}/1") as response:
            assert (response.status, (await response.json())["code"]) == (404, 10008)
        async with session.get(channel, headers={"Authorization": "Bot wrong"}) as response:
            assert response.status == 401


async def test_an_upload_beyond_the_limit_is_refused(wire: Wire) -> None:
    await wire.configure(upload_limit=1000)
    channel = f"{wire.address}/api/v10/channels/{wire.channel_ids['general']}/messages"
    form = aiohttp.FormData({"payload_json": "{}"}, quote_fields=False)
    form.add_field("files[0]", b"x" * 1001, filename="a.bin")
    headers = {"Authorization": f"Bot {wire.token}"}
    async with aiohttp.request("POST", channel, data=form, headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (413, 40005)


@pytest.mark.usefixtures("tiny")
async def test_missing_permissions_are_told(wire: Wire) -> None:
    await wire.permissions("general", deny=("send_messages",))
    exchange = await wire.slash("shout", text="hello")
    answer = await exchange.answer(lambda found: "refused" in found.content)
    assert answer.content == "refused 403 50013"


@pytest.mark.usefixtures("tiny")
async def test_a_bot_that_reads_the_headers_never_meets_a_429(wire: Wire) -> None:
    await wire.configure(rate_scale=0.1)
    await (await wire.slash("shout", text="many", times=11)).answer(lambda found: found.content == "done")
    assert limit_of("POST", "/channels/{channel_id}/messages") == (5, 5.0)
    assert [one["status"] for one in await wire.requests("POST", "/channels/")] == [200] * 11


async def test_who_does_not_read_the_headers_meets_a_429(wire: Wire) -> None:
    channel = f"{wire.address}/api/v10/channels/{wire.channel_ids['general']}/messages"
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {wire.token}"}) as session:
        answers = [await session.post(channel, json={"content": str(number)}) for number in range(6)]
        body = await answers[5].json()
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert answers[4].headers["X-RateLimit-Remaining"] == "0"
    assert 0 < body["retry_after"] <= 5.0
    assert (await wire.status())["invalid_requests"] == 1


async def test_a_wrong_token_ends_the_bot(wire: Wire) -> None:
    async with wire.bot(entry="tests.wire.tiny_bot:main") as process:
        pass
    assert process.returncode is not None
    with pytest.raises(Exception, match="Improper token"):
        async with wire.bot(entry="tests.wire.tiny_bot:main", env={"DISCORD_TOKEN": "wrong"}):
            pytest.fail("It must not start.")


@pytest.mark.usefixtures("tiny")
async def test_two_hundred_commands_at_once_are_answered(wire: Wire) -> None:
    exchanges = await wire.burst("echo", 200, text="burst")
    for exchange in exchanges:
        await exchange.answer(lambda found: found.content == "burst")
    timelines = await wire.timelines()
    assert len(timelines) == 200
    assert all([event["what"] for event in one["events"]] == ["callback", "edit", "edit"] for one in timelines)


@pytest.mark.usefixtures("tiny")
async def test_a_held_request_has_no_effect_until_it_is_released(wire: Wire) -> None:
    await wire.hold("POST", "/channels/")
    exchange = await wire.slash("shout", text="held")
    await wire.held("/channels/")
    assert await wire.messages(as_user="friend") == []
    await wire.release()
    await exchange.answer(lambda found: found.content == "done")
    assert [found.content for found in await wire.messages(as_user="friend")] == ["held"]


async def test_a_held_response_comes_after_the_effect(wire: Wire, tiny: Process) -> None:
    await wire.hold("POST", "/channels/", after=True)
    await wire.slash("shout", text="sent")
    await wire.held("/channels/")
    assert (await wire.until(lambda found: found.content == "sent", as_user="friend")).content == "sent"
    tiny.kill()
    await tiny.wait()
    await wire.release()


async def test_a_held_request_of_a_killed_bot_has_no_effect(wire: Wire, tiny: Process) -> None:
    await wire.hold("POST", "/channels/")
    await wire.slash("shout", text="never")
    await wire.held("/channels/")
    tiny.kill()
    await tiny.wait()
    await wire.release()
    await wire.answered("POST", "/channels/")
    assert await wire.messages(as_user="friend") == []
