"""People who use the bot at random: every command, button, select, window, menu and message, with odd values.

`RandomPeople` acts through `BotHarness.wire`, so it can do only what Discord lets people do.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.bot.harness import BotHarness
from tests.bot.session import model as helpful_model
from tests.wire.driver import WireError
from tests.wire.exchange import Exchange, Message, Modal
from tests.wire.seeds import CHANNELS, GUILD, PEOPLE

# Discord's types of options, commands and components.
SUBCOMMAND, GROUP, TEXT, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, FILE = range(1, 12)
SLASH, BUTTON, SELECT, TEXT_INPUT = 1, 2, 3, 4
MENUS = ("Translate", "Rewrite…", "Use a trick…", "Teach from this…")
USERS = ("operator", "admin", "member", "friend")
# The part of the bot's sentence for a fault of its own.
OWN_FAULT = "on my side"
WORDS = (
    *("Hi", "1", "-5", "noir", "Greek", "translate", "5: great", "Good morning, pilots.", "line\nline\n\nline"),
    *("😀🏳️\u200d🌈", "שלום עולם", "\u202ertl", "\u200b", "\\x00", "%s %d {0}", "{{text}} {{x}}", "*" * 50, "a" * 3_999),
    *("```py\nprint(1)\n```", "@everyone <@1100000000000000012>", "[x](http://a)", "<FACTS>", "|| spoiler ||"),
)
FILES = (
    *(
        ("a.txt", b""),
        ("b.csv", b"review\nIt broke\nIt works\n"),
        ("c.txt", b"\xff\xfe\x00h"),
        ("d.pdf", b"%PDF-1.4 x"),
    ),
    *(("e.json", b'{"name": "x"}'), ("f.png", b"\x89PNG\r\n\x1a\n"), ("g.bin", bytes(range(256)))),
)
# The bot's settings: the operator's commands are there, and limits are not reached.
ENV = {
    "OPERATOR_IDS": str(PEOPLE["operator"]),
    "OPERATOR_GUILD_IDS": str(GUILD),
    "MESSAGE_CONTENT": "true",
    "CALLS_PER_PERSON": "50",
    **dict.fromkeys(("DAILY_TOKENS_PER_USER", "DAILY_TOKENS_PER_GUILD", "DAILY_TOKENS", "MONTHLY_USD"), "100000000"),
}
# What the model answers where it does not help.
NONSENSE = ("", "x " * 3_000, '{"stars": 9', "<think>hm</think> 4: fine", *WORDS)


class RandomPeople:
    """Two people in each of three channels. `seen` counts what they did, `failures` says what must not be."""

    def __init__(self, harness: BotHarness, seed: int) -> None:
        self._harness, self._wire, self._chance = harness, harness.wire, random.Random(seed)
        self._commands: list[tuple[str, list[dict[str, Any]]]] = []
        self._faults, self._has_database = False, True
        self.seen: Counter[str] = Counter()
        self.failures: list[str] = []

    async def act(self, seconds: float, *, faults: bool = False, has_database: bool = True) -> None:
        """Act for so long, with `faults` of Discord and the model meanwhile, then look at what is left.

        Without `has_database`, which is away at times, an autocompletion may fail: Discord says that it did.
        """
        self._faults, self._has_database = faults, has_database
        self._harness.model.says(self._reply)
        for commands in (await self._wire.commands()).values():
            self._commands += [found for command in commands if command["type"] == SLASH for found in _leaves(command)]
        channels = [*map(str, CHANNELS.values()), (await self._wire.create_channel("random"))["id"]]
        ends = time.monotonic() + seconds
        people = [self._person(channel, ends) for channel in channels for _ in range(2)]
        await asyncio.gather(*people, *([self._trouble(ends)] if faults else []))
        await self._wire.clear_faults()
        await self._until_nothing_loads(channels)
        for channel in channels:
            for user in USERS:
                messages = await self._wire.messages(channel, as_user=user)
                self.failures += [f"a fault: {message!r}" for message in messages if OWN_FAULT in message.text]

    async def _until_nothing_loads(self, channels: list[str]) -> None:
        loading: list[Message] = []
        for _ in range(60):
            found = [await self._wire.messages(channel, as_user=user) for channel in channels for user in USERS]
            loading = [message for messages in found for message in messages if message.loading]
            if not loading:
                return
            await asyncio.sleep(0.5)
        self.failures += [f"the bot still thinks: {message!r}" for message in loading]

    def _reply(self, body: dict[str, Any]) -> str:
        return helpful_model(body) if self._chance.random() < 0.6 else self._chance.choice(NONSENSE)

    async def _person(self, channel: str, ends: float) -> None:
        acts: tuple[tuple[Callable[[str, str], Any], int], ...] = (
            *((self._command, 40), (self._press, 28), (self._select, 12), (self._menu, 6)),
            *((self._say, 9), (self._remove, 5)),
        )
        kinds, weights = zip(*acts, strict=True)
        while time.monotonic() < ends:
            act, user = self._chance.choices(kinds, weights)[0], self._chance.choice(USERS)
            try:
                await act(channel, user)
            except WireError:
                self.seen["impossible in Discord"] += 1  # A hidden command, a button that is gone meanwhile.
            await asyncio.sleep(self._chance.random() * 0.3)

    async def _trouble(self, ends: float) -> None:
        """Let requests of the bot to Discord and the model fail now and then."""
        chance, model = self._chance, self._harness.model
        failing = (model.fails, model.breaks_off, model.errs_in_stream, model.says_nothing, model.declines)
        while time.monotonic() < ends:
            await asyncio.sleep(chance.uniform(1, 4))
            which, skip = chance.random(), chance.randint(0, 3)
            if which < 0.3:
                # Not 404 for a message that is there: the bot rightly believes it.
                await self._wire.fault(status=chance.choice([500, 502, 429]), retry_after=0.5, skip=skip)
            elif which < 0.45:
                await self._wire.fault(drop=True, after=chance.random() < 0.5, skip=skip)
            elif which < 0.55:
                await self._wire.fault(delay=chance.uniform(0.2, 3.5), skip=skip)
            elif which < 0.6:
                await self._wire.gateway(chance.choice(["drop", "reconnect", "invalid"]))
            elif which < 0.8:
                chance.choice(failing)()

    async def _command(self, channel: str, user: str) -> None:
        name, options = self._chance.choice(self._commands)
        given: dict[str, Any] = {}
        for option in options:
            if option.get("required") or self._chance.random() < 0.35:
                given[option["name"]] = await self._value(name, option, given, channel, user)
        made = await self._wire.call("slash", name=name, user=user, channel=channel, options=given, user_install=False)
        await self._follow(made, f"/{name} {str(given)[:200]}")

    async def _value(self, command: str, option: dict[str, Any], given: dict[str, Any], channel: str, user: str) -> Any:
        """A value that Discord lets a person give."""
        chance, kind = self._chance, option["type"]
        if option.get("choices"):
            return chance.choice(option["choices"])["value"]
        if option.get("autocomplete"):
            made = await self._wire.call(
                "autocomplete",
                name=command,
                option=option["name"],
                typed=chance.choice(["", "a", "Gr", "😀"]),
                user=user,
                channel=channel,
                options=given,
            )
            needed = "" if not self._has_database else f"autocomplete of /{command} {option['name']}"
            state = await self._first(made, needed)
            if state and state["choices"] and chance.random() < 0.85:
                return chance.choice(state["choices"])["value"]
        if kind in (INTEGER, NUMBER):
            return chance.randint(int(option.get("min_value", -3)), int(option.get("max_value", 50)))
        if kind == BOOLEAN:
            return chance.random() < 0.5
        if kind == FILE:
            return self._wire.file(*chance.choice(FILES))
        if kind in (USER, MENTIONABLE):
            return str(PEOPLE[chance.choice(USERS)])
        if kind == ROLE:
            return str(self._wire.guild_id)
        return channel if kind == CHANNEL else self._text(option)

    def _text(self, field: dict[str, Any]) -> str:
        text = self._chance.choice(WORDS)[: field.get("max_length", 4_000)]
        return text.ljust(field.get("min_length") or 0, "x")

    async def _press(self, channel: str, user: str) -> None:
        pressed = [
            (message, component)
            for message in await self._newest(channel, user)
            for component in message.components
            if component["type"] == BUTTON and component.get("custom_id") and not component.get("disabled")
        ]
        if pressed:
            message, button = self._chance.choice(pressed)
            made = await self._wire.call("press", message=str(message.id), button=button["custom_id"], user=user)
            await self._follow(made, f"{button['custom_id']} of {message!r}")

    async def _select(self, channel: str, user: str) -> None:
        found = [(message, menu) for message in await self._newest(channel, user) for menu in message.menus]
        if not found:
            return
        message, menu = self._chance.choice(found)
        values = [option["value"] for option in menu.get("options") or []]
        if values:
            count = self._chance.randint(1, min(menu.get("max_values", 1), len(values)))
            chosen = self._chance.sample(values, count)
            made = await self._wire.call(
                "select", message=str(message.id), values=chosen, menu=menu["custom_id"], user=user
            )
            await self._follow(made, f"{menu['custom_id']} of {message!r}")

    async def _menu(self, channel: str, user: str) -> None:
        if public := await self._public(channel, user):
            message, name = self._chance.choice(public), self._chance.choice(MENUS)
            made = await self._wire.call("menu", name=name, message=str(message.id), user=user)
            await self._follow(made, f"{name} on {message!r}")

    async def _say(self, channel: str, user: str) -> None:
        public, mention = await self._public(channel, user), self._chance.choice(["", f"<@{PEOPLE['bot']}> "])
        reply_to = self._chance.choice([None, *public])
        await self._wire.say(mention + self._chance.choice(WORDS), user=user, channel=channel, reply_to=reply_to)
        self.seen["messages"] += 1

    async def _remove(self, channel: str, user: str) -> None:
        if public := await self._public(channel, user):
            await self._wire.remove_message(self._chance.choice(public))
            self.seen["removed messages"] += 1

    async def _newest(self, channel: str, user: str) -> list[Message]:
        return (await self._wire.messages(channel, as_user=user))[-12:]

    async def _public(self, channel: str, user: str) -> list[Message]:
        return [message for message in await self._newest(channel, user) if not message.ephemeral]

    async def _follow(self, made: dict[str, Any], what: str) -> None:
        """Wait for the first response; fill in the window that it may be."""
        state = await self._first(made, what)
        if state is None or state["modal"] is None:
            return
        modal = Modal(int(made["ids"][0]), state["modal"])
        values: dict[str, Any] = {}
        for name, item in modal.fields.items():
            if item["type"] == TEXT_INPUT:
                values[name] = self._text(item)
            elif item["type"] == SELECT:
                values[name] = [self._chance.choice(item["options"])["value"]]
        submitted = await self._wire.call("submit", id=str(modal.interaction_id), values=values)
        await self._first(submitted, f"the window {modal.title!r}")

    async def _first(self, made: dict[str, Any], what: str) -> dict[str, Any] | None:
        """The state of an interaction after its first response. None where there was none.

        That is a failure, unless `what` is empty or Discord has faults.
        """
        exchange = Exchange(self._wire.call, made["ids"][0], made["dispatched"][0], None)
        self.seen["interactions"] += 1
        if not await exchange.failed():
            return await exchange.state()
        self.seen["not acknowledged"] += 1
        if what and not self._faults:
            self.failures.append(f"not acknowledged: {what}")
        return None


def _leaves(command: dict[str, Any], path: str = "") -> list[tuple[str, list[dict[str, Any]]]]:
    """The commands and subcommands that can be typed, with their options."""
    name, options = f"{path} {command['name']}".strip(), command.get("options") or []
    inner = [option for option in options if option["type"] in (SUBCOMMAND, GROUP)]
    return [leaf for option in inner for leaf in _leaves(option, name)] if inner else [(name, options)]


def errors_of(output: str) -> list[str]:
    """The lines of a log that tell of errors, without those that a lost response to an autocompletion causes."""
    lines = [line for line in output.splitlines() if " ERROR " in line]
    return [line for line in lines if "Ignoring exception in autocomplete" not in line]
