"""`fewshot run` from its log-in to its end, with every command that is registered used in between."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot import session
from tests.bot.harness import BotHarness
from tests.bot.session import Session
from tests.cogs.operating import CORPUS
from tests.racing.season import read
from tests.wire.seeds import GUILD, PEOPLE

pytestmark = pytest.mark.asyncio(loop_scope="package")

SUBCOMMAND, SUBCOMMAND_GROUP = 1, 2
BEFORE = (session.answers, session.techniques, session.comparisons, session.tricks)
AFTER = (session.adventures, session.tuning, session.season, session.server)


def leaves(command: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A command that a person can use, with its options; a group's are those in it."""
    kinds = (SUBCOMMAND, SUBCOMMAND_GROUP)
    children = [option for option in command.get("options", []) if option["type"] in kinds]
    for child in children:
        for name, options in leaves(child):
            yield f"{command['name']} {name}", options
    if not children:
        yield command["name"], command.get("options", [])


async def test_every_command_that_is_registered_answers_in_one_life_of_the_bot(
    fresh: BotHarness, tmp_path: Path
) -> None:
    """Half-way the gateway is lost and resumed; in the end the bot is told to stop."""
    fresh.model.says(session.model)
    await fresh.wire.grant("operator", "administrator")
    (tmp_path / "league.txt").write_text(read("league.txt"), encoding="utf-8")
    env = {"CORPORA": f"{CORPUS}={tmp_path}", "OPERATOR_IDS": str(PEOPLE["operator"])}
    async with fresh.bot(env, GUILD_IDS=str(GUILD)) as process:
        life = Session(fresh)
        for part in BEFORE:
            await part(life)
        await fresh.wire.gateway("drop")
        for part in AFTER:
            await part(life)
        registered = [leaf for one in (await fresh.wire.commands())[str(GUILD)] for leaf in leaves(one)]
        assert life.used == {name for name, _ in registered}
        completed = {(name, one["name"]) for name, options in registered for one in options if one.get("autocomplete")}
        assert life.typed == completed
        process.terminate()
        assert await process.wait() == 0
        assert "Traceback" not in process.output
    log = [one["what"] for one in await fresh.wire.gateway_log()]
    assert (log.count("identify"), log.count("resume")) == (1, 1)
    assert [one for one in await fresh.wire.requests() if one["status"] is None or one["status"] >= 400] == []
    assert fresh.rows("SELECT count(*) FROM calls WHERE NOT settled") == [(0,)]
