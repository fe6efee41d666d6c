"""The bot in a simulated Discord (SimCord), inside the test's process. For tests of behaviour.

    async def test_translation(sim: Simulated) -> None:
        sim.model.says("Bonjour")
        result = await sim.member.slash(sim.general, "translate", text="Good morning", to="French")
        assert result.response.content.startswith("Bonjour")
        shown = await sim.member.click(result.response, label="Prompt")
        assert "Good morning" in sim.text(shown.response)

`sim.admin`, `sim.member` and `sim.other` act: `slash(channel, "name", **options)`, `autocomplete(channel, name,
option, typed)`, `context_menu(channel, name, message)`, `click(message, label=…)`, `select(message, [value])`,
`submit_modal(result, {label: text})`, `send(channel, text)`. An action returns when the bot has finished. A result has
`.response`, `.followups` and `.modal`; `sim.general.history()` has the public messages. `sim.errors` holds all errors
inside the bot, including those that a person was told about. Settings are given by a mark:
`@pytest.mark.settings(retention_days=0)`.

Tests of crashes, of Discord's faults and of speed use `tests/wire/` instead.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import discord
import simcord
from simcord.actors import MessageLike

from bot.app import open_services
from bot.bot import FewshotBot
from bot.core.settings import Settings
from bot.demo.simulator import Env
from bot.server import unfinished
from bot.services import Services
from bot.storage import group_commit
from tests.fake_model import FakeModel
from tests.migrated import migrated

# Seconds of real time until an action must be finished.
TIMEOUT = 20.0
# Seconds for which the bot collects what it writes together. An action ends when nothing more is going to happen, so
# every answer in a test takes these seconds.
COLLECTING = 0.01


class Person(simcord.MemberActor):
    """A member of the server. Acting on an answer that is not there fails with a sentence."""

    async def click(
        self, message: MessageLike | None, *, label: str | None = None, custom_id: str | None = None
    ) -> simcord.InteractionResult:
        assert message is not None, "nothing was answered"
        return await super().click(message, label=label, custom_id=custom_id)

    async def select(
        self, message: MessageLike | None, values: Sequence[Any], *, custom_id: str | None = None
    ) -> simcord.InteractionResult:
        assert message is not None, "nothing was answered"
        return await super().select(message, values, custom_id=custom_id)


@dataclass
class Simulated:
    """The bot, a scripted model, and a server with an admin, two members and two channels."""

    env: simcord.Env
    bot: FewshotBot
    services: Services
    model: FakeModel
    guild: simcord.GuildHandle
    general: simcord.ChannelHandle
    adventures: simcord.ChannelHandle
    admin: Person
    member: Person
    other: Person

    @property
    def errors(self) -> list[BaseException]:
        """The errors inside the bot so far."""
        return list(self.env.errors)

    def text(self, message: simcord.ResponseMessage | None) -> str:
        """All text of a message, including text in cards."""
        assert message is not None, "nothing was answered"
        return "\n".join([message.content, *texts_of(message.components)]).strip()

    def said(self, result: simcord.InteractionResult) -> str:
        """The text of the last follow-up, or of the response where there is none."""
        return self.text(result.followups[-1] if result.followups else result.response)

    def buttons(self, message: simcord.ResponseMessage | None) -> list[str]:
        """The labels of a message's buttons, from top to bottom."""
        assert message is not None, "nothing was answered"
        return [part["label"] for part in parts_of(message.components) if part.get("type") == 2 and "label" in part]


def parts_of(components: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """All components, nested ones included."""
    for part in components:
        yield part
        yield from parts_of(part.get("components", []))
        for single in ("accessory", "component"):
            if isinstance(part.get(single), Mapping):
                yield from parts_of([part[single]])


def texts_of(components: Iterable[Mapping[str, Any]]) -> list[str]:
    """The text blocks of a card."""
    return [part["content"] for part in parts_of(components) if "content" in part]


@asynccontextmanager
async def simulated(folder: Path, **options: Any) -> AsyncIterator[Simulated]:
    """Open the services and the bot with `folder` as DATA_DIR, and close them at the end."""
    async with AsyncExitStack() as stack:
        stack.enter_context(patch.object(group_commit, "DEFER_SECONDS", COLLECTING))
        stack.enter_context(patch.object(unfinished, "REMOVE_PAUSE", COLLECTING))
        model = await stack.enter_async_context(FakeModel())
        given = {"openai_base_url": model.url, "openai_api_key": model.token, "chat_model": "fake-model"}
        settings = Settings(_env_file=None, **(given | {"data_dir": folder} | options))
        await migrated(settings.database)
        async with open_services(settings) as services:
            bot = FewshotBot(services)
            env = Env(bot, check_errors=False, settle_timeout=TIMEOUT)
            guild = env.create_guild("The Paddock")
            general, adventures = guild.create_text_channel("general"), guild.create_text_channel("adventures")
            admin, member, other = people(env, guild)
            await env.start()
            try:
                yield Simulated(env, bot, services, model, guild, general, adventures, admin, member, other)
            finally:
                await env.shutdown()
                await bot.close()


def people(env: simcord.Env, guild: simcord.GuildHandle) -> list[Person]:
    """An admin and two members."""
    role = guild.create_role("admin", permissions=discord.Permissions(administrator=True))
    users = [env.create_user(name) for name in ("ada", "ben", "cleo")]
    for user, roles in zip(users, ([role], [], []), strict=True):
        guild.add_member(user, roles=roles)
    return [Person(env, guild, user) for user in users]
