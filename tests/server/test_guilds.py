"""Admins lower limits and never raise them; what they set is there after a restart, and for their server alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.core.caller import SERVER, Caller
from bot.core.errors import InputError, LimitError, NotAllowedError
from bot.server.guilds import PRIVATE, UNSET, GuildSettings, open_guild_settings
from bot.server.ledger import Ledger, Limits
from bot.storage.database import Database

pytestmark = pytest.mark.both_databases

LIMITS = Limits(1_000, 2_000, 10**9, 1.0)


def with_channel(channel: int) -> Callable[[GuildSettings], GuildSettings]:
    return lambda old: replace(old, adventure_channels=old.adventure_channels | {channel})


async def reserve(ledger: Ledger, caller: Caller, tokens: int) -> str:
    return await ledger.reserve(caller, "translate", "m", tokens)


async def test_what_was_set_is_there_after_a_restart_and_elsewhere_nothing_changes(database: Database) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    await guilds.change(10, language="de", adventure_channels=frozenset({5}), private={"facts": True}, menus=False)
    changed = await guilds.change(10, user_tokens=100, guild_tokens=None)
    again = await open_guild_settings(database, 1_000, 2_000)
    assert again.of(10) == changed
    assert (changed.language, changed.adventure_channels, changed.user_tokens) == ("de", frozenset({5}), 100)
    assert again.of(11) == again.of(None) == UNSET


async def test_changes_at_the_same_time_are_all_kept(database: Database) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    await asyncio.gather(*(guilds.change(10, with_channel(channel)) for channel in range(20)))
    assert guilds.of(10).adventure_channels == set(range(20))
    assert (await open_guild_settings(database, 1_000, 2_000)).of(10) == guilds.of(10)


@pytest.mark.parametrize(("user", "guild"), [(0, None), (None, -5), (1_001, None), (None, 2_001)])
async def test_a_limit_below_one_or_above_the_operators_is_refused_and_nothing_changes(
    database: Database, user: int | None, guild: int | None
) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    with pytest.raises(InputError):
        await guilds.change(10, user_tokens=user, guild_tokens=guild)
    assert guilds.of(10) == UNSET


async def test_a_servers_own_limit_for_a_person_counts_what_they_used_there(database: Database) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    await guilds.change(10, user_tokens=100, guild_tokens=None)
    ledger = Ledger(database, LIMITS, guilds)
    await reserve(ledger, Caller(1, 11), 500)
    await reserve(ledger, Caller(1, 10), 100)
    with pytest.raises(LimitError, match="In this server you have"):
        await reserve(ledger, Caller(1, 10), 1)
    await reserve(ledger, Caller(2, 10), 100)
    await reserve(ledger, Caller(1, None), 400)
    with pytest.raises(LimitError, match=r"^You have"):
        await reserve(ledger, Caller(1, 11), 1)


async def test_a_servers_own_limit_for_all_holds_below_the_operators(database: Database) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    await guilds.change(10, user_tokens=None, guild_tokens=150)
    ledger = Ledger(database, LIMITS, guilds)
    await reserve(ledger, Caller(1, 10), 100)
    with pytest.raises(LimitError, match="This server has"):
        await reserve(ledger, Caller(2, 10), 51)
    await reserve(ledger, Caller(2, 11), 1_000)


async def test_an_operator_who_lowers_the_limits_later_is_obeyed(database: Database) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    await guilds.change(10, user_tokens=900, guild_tokens=1_800)
    ledger = Ledger(database, Limits(50, 60, 10**9, 1.0), guilds)
    with pytest.raises(LimitError):
        await reserve(ledger, Caller(1, 10), 51)


async def test_what_a_server_causes_counts_for_the_server_and_for_no_person(database: Database) -> None:
    ledger = Ledger(database, LIMITS)
    await reserve(ledger, Caller(SERVER, 10), 1_500)
    with pytest.raises(LimitError, match="This server has"):
        await reserve(ledger, Caller(1, 10), 501)
    await reserve(ledger, Caller(1, 11), 1_000)


async def test_privacy_is_as_chosen_else_as_the_server_has_it_else_as_usual(database: Database) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    await guilds.change(10, private={"facts": True, "translate": False})
    assert guilds.private(10, "facts")
    assert not guilds.private(10, "translate")
    assert guilds.private(10, "translate", chosen=True)
    assert {command: guilds.private(11, command) for command in PRIVATE} == dict(PRIVATE)


async def test_others_messages_stay_where_the_server_says_so(database: Database) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    guilds.allow_menu(10, 1, 2)
    await guilds.change(10, menus=False)
    guilds.allow_menu(10, 1, 1)
    guilds.allow_menu(11, 1, 2)
    with pytest.raises(NotAllowedError, match="/settings privacy"):
        guilds.allow_menu(10, 1, 2)


async def test_a_language_that_the_bot_does_not_speak_is_refused_and_none_is_the_servers_own(
    database: Database,
) -> None:
    guilds = await open_guild_settings(database, 1_000, 2_000)
    with pytest.raises(InputError, match="English"):
        await guilds.change(10, language="tlh")
    await guilds.change(10, language="fr")
    assert (await guilds.change(10, language=None)).language is None
