"""The rules of interactions, checked with raw REST requests instead of discord.py."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.wire.driver import Wire, WireError
from tests.wire.exchange import Exchange, Json

COMMANDS = [
    {"name": "ask", "description": "Asks", "type": 1},
    {"name": "hidden", "description": "For managers", "type": 1, "default_member_permissions": str(1 << 5)},
    {"name": "here", "description": "In servers alone", "type": 1, "contexts": [0]},
]


class Bot:
    """The bot's side: REST requests with its token."""

    def __init__(self, session: aiohttp.ClientSession, wire: Wire) -> None:
        self.session = session
        self.api = f"{wire.address}/api/v10"
        self.application = wire.people["bot"]

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request: the status and the JSON of its answer."""
        async with self.session.request(method, self.api + path, json=body) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def respond(self, exchange: Exchange, kind: int, data: Json | None = None) -> tuple[int, Any]:
        """The first response to an interaction."""
        token = (await exchange.state())["token"]
        path = f"/interactions/{exchange.id}/{token}/callback?with_response=1"
        return await self.ask("POST", path, {"type": kind, "data": data or {}})

    async def webhook(self, exchange: Exchange, method: str, tail: str = "", body: object = None) -> tuple[int, Any]:
        """A request with an interaction's token."""
        token = (await exchange.state())["token"]
        return await self.ask(method, f"/webhooks/{self.application}/{token}{tail}", body)


@pytest.fixture
async def bot(wire: Wire) -> AsyncIterator[Bot]:
    """The bot's side, with its commands registered."""
    headers = {"Authorization": f"Bot {wire.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        made = Bot(session, wire)
        assert (await made.ask("PUT", f"/applications/{made.application}/commands", COMMANDS))[0] == 200
        yield made


async def test_an_interaction_is_acknowledged_once(wire: Wire, bot: Bot) -> None:
    exchange = await wire.slash("ask")
    status, body = await bot.respond(exchange, 5)
    assert (status, body["interaction"]["response_message_loading"]) == (200, True)
    again, error = await bot.respond(exchange, 4, {"content": "again"})
    assert (again, error["code"]) == (400, 40060)
    modal, error = await bot.respond(exchange, 9, {"custom_id": "m", "title": "T", "components": []})
    assert (modal, error["code"]) == (400, 40060)


async def test_nothing_follows_before_the_first_response(wire: Wire, bot: Bot) -> None:
    exchange = await wire.slash("ask")
    status, error = await bot.webhook(exchange, "POST", body={"content": "early"})
    assert (status, error["code"]) == (404, 10015)


async def test_the_first_follow_up_fills_the_placeholder_and_keeps_its_readers(wire: Wire, bot: Bot) -> None:
    exchange = await wire.slash("ask")
    _, placeholder = await bot.respond(exchange, 5, {"flags": 64})
    _, filled = await bot.webhook(exchange, "POST", body={"content": "public?"})
    _, second = await bot.webhook(exchange, "POST", body={"content": "second"})
    assert filled["id"] == placeholder["interaction"]["response_message_id"]
    assert filled["flags"] == 64
    assert second["id"] != filled["id"]
    assert [found.content for found in await wire.messages(as_user="friend")] == ["second"]


async def test_a_private_error_can_take_the_placeholders_place(wire: Wire, bot: Bot) -> None:
    exchange = await wire.slash("ask")
    await bot.respond(exchange, 5)
    assert (await bot.webhook(exchange, "DELETE", "/messages/@original"))[0] == 204
    await bot.webhook(exchange, "POST", body={"content": "failed", "flags": 64})
    status, error = await bot.webhook(exchange, "PATCH", "/messages/@original", {"content": "back"})
    message = await exchange.answer()
    assert (message.content, message.ephemeral) == ("failed", True)
    assert (status, error["code"]) == (404, 10008)


async def test_a_token_ends_after_fifteen_minutes(wire: Wire, bot: Bot) -> None:
    exchange = await wire.slash("ask")
    await bot.respond(exchange, 4, {"content": "in time"})
    await wire.configure(clock_shift=899)
    assert (await bot.webhook(exchange, "PATCH", "/messages/@original", {"content": "still"}))[0] == 200
    await wire.configure(clock_shift=901)
    status, error = await bot.webhook(exchange, "PATCH", "/messages/@original", {"content": "late"})
    assert (status, error["code"]) == (401, 50027)


async def test_an_old_message_takes_no_more_edits_where_that_is_switched_on(wire: Wire, bot: Bot) -> None:
    channel = f"/channels/{wire.channel_ids['general']}/messages"
    _, message = await bot.ask("POST", channel, {"content": "young"})
    await wire.configure(clock_shift=3601, old_edit_limit=True)
    status, error = await bot.ask("PATCH", f"{channel}/{message['id']}", {"content": "old"})
    assert (status, error["code"]) == (429, 30046)


async def test_commands_are_offered_by_place_and_permission(wire: Wire, bot: Bot) -> None:
    with pytest.raises(WireError, match="hidden"):
        await wire.slash("hidden", user="member")
    await wire.slash("hidden", user="admin")
    await wire.grant("member", "manage_guild")
    await wire.slash("hidden", user="member")
    with pytest.raises(WireError, match="not offered"):
        await wire.slash("here", channel="dm")


async def test_a_user_installed_bot_gets_five_follow_ups(wire: Wire, bot: Bot) -> None:
    exchange = await wire.slash("ask", user_install=True)
    await bot.respond(exchange, 4, {"content": "first"})
    await wire.configure(rate_limits=False)
    answers = [await bot.webhook(exchange, "POST", body={"content": str(n)}) for n in range(6)]
    assert [status for status, _ in answers] == [200] * 5 + [400]


BEYOND_LIMITS: list[tuple[str, Json]] = [
    ("content", {"content": "x" * 2001}),
    ("embeds", {"embeds": [{"title": "x" * 257}]}),
    ("embeds", {"embeds": [{"description": "x" * 4000, "footer": {"text": "x" * 2001}}]}),
    ("components", {"components": [{"type": 10, "content": "text"}]}),
    ("content", {"flags": 1 << 15, "content": "both", "components": [{"type": 10, "content": "text"}]}),
    ("components", {"flags": 1 << 15, "components": [{"type": 10, "content": "x"}] * 41}),
    ("components", {"flags": 1 << 15, "components": [{"type": 10, "content": "x" * 2001}] * 2}),
    ("components", {"flags": 1 << 15, "components": [{"type": 13, "file": {"url": "attachment://a"}}]}),
]


async def test_limits_are_named_by_their_path(wire: Wire, bot: Bot) -> None:
    for path, data in BEYOND_LIMITS:
        status, error = await bot.respond(await wire.slash("ask"), 4, data)
        assert (status, error["code"]) == (400, 50035), data
        assert list(error["errors"]["data"]) == [path]


IMPOSSIBLE_COMMANDS: list[list[Json]] = [
    [{"name": "Upper", "description": "x"}],
    [{"name": "a", "description": "x" * 101}],
    [{"name": "a", "description": "x"}] * 2,
    [{"name": f"Menu {number}", "type": 3} for number in range(6)],
    [{"name": "a", "description": "x", "integration_types": [0, 1]}],
]


async def test_impossible_commands_are_not_registered(wire: Wire, bot: Bot) -> None:
    for commands in IMPOSSIBLE_COMMANDS:
        status, error = await bot.ask("PUT", f"/applications/{bot.application}/commands", commands)
        assert (status, error["code"]) == (400, 50035), commands
    assert [one["name"] for one in (await wire.commands())["0"]] == ["ask", "hidden", "here"]


async def test_each_route_that_is_not_served_says_so(wire: Wire, bot: Bot) -> None:
    assert (await bot.ask("GET", "/voice/regions"))[0] == 404
    assert [one["path"] for one in await wire.requests() if one["status"] == 404] == ["/voice/regions"]
