"""What the tests of `/adventure` share: a channel set aside, and a way to look at its newest messages."""

from typing import Any

import discord
import simcord

from tests.simulated import Simulated


async def start_story(sim: Simulated, scenario: str = "room") -> None:
    """A story that ben, the member, has started in #adventures."""
    await sim.admin.slash(sim.general, "settings channels", adventure=sim.adventures)
    await sim.member.slash(sim.adventures, "adventure start", scenario=scenario)


async def act(sim: Simulated, text: str, reply: str = "", *, who: Any = None) -> discord.Message:
    """A turn by command, and the message that shows it."""
    if reply:
        sim.model.says(reply)
    await (who or sim.member).slash(sim.adventures, "adventure act", text=text)
    return newest_message(sim)


def newest_message(sim: Simulated) -> discord.Message:
    """The newest message of #adventures."""
    return sim.adventures.history()[-1]


def labels(message: discord.Message) -> list[str]:
    """The labels of a message's buttons."""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return [child.label or "" for row in rows for child in row.children if isinstance(child, discord.Button)]


def sent_messages(sim: Simulated) -> list[dict[str, str]]:
    """The messages of the newest request to the model."""
    messages: list[dict[str, str]] = sim.model.requests[-1]["messages"]
    return messages


def answer_text(sim: Simulated, result: simcord.InteractionResult) -> str:
    """What the one who acted was told in answer."""
    told = [*([result.response] if result.response else []), *result.followups]
    return "\n".join(sim.text(one) for one in told)
