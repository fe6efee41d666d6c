"""The client that tests use: `async with Wire.start() as wire` runs the server, and `wire` acts as people do.

People are named `admin` (owns the server), `member`, `friend` and `operator` (owns the application); channels
`general`, `adventures` and `dm`, or by id. `other_bot` is another application's bot. The default: member, #general.
"""

import asyncio
import base64
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.wire.exchange import TIMEOUT, Exchange, Json, Message, Modal
from tests.wire.process import POLL_SECONDS, Process
from tests.wire.server import serve_in_process, serve_in_subprocess

BOT = "bot.__main__:main"
# Seconds that a bot may take until it is connected and its commands are registered.
START_SECONDS = 30.0
# Seconds between two checks of that.
LOOK_SECONDS = 0.1


class WireError(Exception):
    """A person cannot do that, or the bot did not start; the text says why."""


class Wire:
    """A loopback Discord. Created by `Wire.start`."""

    def __init__(self, session: aiohttp.ClientSession, about: Json, folder: Path) -> None:
        self._session = session
        self.address = str(about["address"])
        self.token = str(about["token"])
        self.people: dict[str, int] = about["people"]
        self.channel_ids: dict[str, int] = about["channels"]
        self.guild_id = int(about["guild"])
        self.folder = folder
        # Whether an answer is finished; None: when nothing happened for a moment.
        self.finished: Callable[[Message], bool] | None = None
        # The bot process that was started last.
        self.process: Process | None = None

    @classmethod
    @asynccontextmanager
    async def start(cls, *, alone: bool = False, **settings: Any) -> AsyncIterator[Self]:
        """Run the server, with `alone` in a process of its own; settings as for `configure`."""
        async with serve_in_subprocess() if alone else serve_in_process() as about:
            with tempfile.TemporaryDirectory(prefix="wire-") as folder:
                connector = aiohttp.TCPConnector(limit=0)
                async with aiohttp.ClientSession(connector=connector) as session:
                    wire = cls(session, about, Path(folder))
                    await wire.configure(**settings)
                    yield wire

    async def configure(self, **settings: Any) -> None:
        """Change settings: `response_deadline`, `token_life`, `upload_limit`, `old_edit_limit`,
        `message_content`, `guild_members`, `user_install`, `rate_limits`, `rate_scale`, `clock_shift`,
        `heartbeat_interval`, `acknowledge`.
        """
        await self.call("configure", **settings)

    def env(self) -> dict[str, str]:
        """The environment that a bot process needs to find this Discord."""
        return {"WIRE_ADDRESS": self.address, "DISCORD_TOKEN": self.token}

    @asynccontextmanager
    async def bot(
        self,
        *arguments: str,
        entry: str = BOT,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        ready: str | None = None,
        commands: bool = True,
        fresh: bool = False,
    ) -> AsyncIterator[Process]:
        """Run a bot; it is connected and has registered its commands when the block starts.

        `ready`: a text that it must have written, too; `fresh`: as for `Process.start`.
        """
        known = len(await self.call("gateway_log"))
        environment = self.env() | (env or {})
        process = await Process.start(entry, list(arguments), environment, cwd or self.folder, fresh=fresh)
        self.process = process
        try:
            await self._wait_ready(process, known, ready, commands=commands)
            yield process
        finally:
            await process.close()

    async def _wait_ready(self, process: Process, known: int, ready: str | None, *, commands: bool) -> None:
        ends = time.monotonic() + START_SECONDS
        while process.returncode is None and time.monotonic() < ends:
            log = (await self.call("gateway_log"))[known:]
            status = await self.call("status")
            connected = any(one["what"] == "identify" for one in log)
            registered = status["commands"] > 0 or not commands
            if connected and registered and (ready is None or ready in process.output):
                return
            await asyncio.sleep(LOOK_SECONDS)
        if process.returncode is not None:
            await process.wait()
        raise WireError(f"The bot did not get ready (exit code {process.returncode}):\n{process.output}")

    # What people do.

    async def slash(
        self,
        name: str,
        /,
        *,
        user: str = "member",
        channel: str = "general",
        user_install: bool = False,
        **options: Any,
    ) -> Exchange:
        """Uses a slash command, such as `racing ask`; a file is given as `wire.file(name, bytes)`."""
        made = await self.call(
            "slash", name=name, user=user, channel=channel, options=options, user_install=user_install
        )
        return self._exchange(made)

    async def burst(
        self, name: str, times: int, /, *, user: str = "member", channel: str = "general", **options: Any
    ) -> list[Exchange]:
        """Uses the same command many times at once."""
        more = {"channel": channel, "options": options, "user_install": False}
        made = await self.call("slash", name=name, user=user, times=times, **more)
        pairs = zip(made["ids"], made["dispatched"], strict=True)
        return [Exchange(self.call, one, at, self.finished) for one, at in pairs]

    async def autocomplete(
        self, name: str, option: str, typed: str, /, *, user: str = "member", channel: str = "general", **options: Any
    ) -> list[Json]:
        """Types into an option; returns the choices offered, each with `name` and `value`."""
        made = await self.call(
            "autocomplete", name=name, option=option, typed=typed, user=user, channel=channel, options=options
        )
        return await self._exchange(made).choices()

    async def menu(self, name: str, message: Message, *, user: str = "member") -> Exchange:
        """Uses a command of a message's context menu."""
        return self._exchange(await self.call("menu", name=name, message=str(message.id), user=user))

    async def press(self, message: Message, button: str, *, user: str = "member") -> Exchange:
        """Presses a button, by label, custom id or emoji."""
        return self._exchange(await self.call("press", message=str(message.id), button=button, user=user))

    async def select(self, message: Message, *values: str, menu: str | None = None, user: str = "member") -> Exchange:
        """Chooses from a menu (by custom id or placeholder; the only one where none is named)."""
        made = await self.call("select", message=str(message.id), values=values, menu=menu, user=user)
        return self._exchange(made)

    async def submit(self, modal: Modal, values: dict[str, Any]) -> Exchange:
        """Fills in a modal: fields by custom id or label; the others keep what stands in them."""
        made = await self.call("submit", id=str(modal.interaction_id), values=values)
        return self._exchange(made)

    async def say(
        self,
        text: str,
        *,
        user: str = "member",
        channel: str = "general",
        reply_to: Message | None = None,
        ping: bool = True,
        files: list[Json] | None = None,
        **more: Any,
    ) -> Message:
        """Writes a message, or a reply that pings its author unless `ping` is False.

        `more`: `embeds` and `components`, for messages of the user `other_bot`, and `poll` with `question`, `answers`.
        """
        target = str(reply_to.id) if reply_to else None
        made = await self.call(
            "say", text=text, user=user, channel=channel, reply_to=target, ping=ping, files=files or [], more=more
        )
        return Message(made)

    async def forward(self, message: Message, *, user: str = "member", channel: str = "general") -> Message:
        """Forwards a message to a channel."""
        return Message(await self.call("forward", message=str(message.id), user=user, channel=channel))

    async def set_thread(self, thread: str, *, archived: bool, locked: bool) -> None:
        """Archives or locks a thread, by id, or opens it again. Sending to a locked one fails with 50083."""
        await self.call("set_thread", channel=thread, archived=archived, locked=locked)

    async def react(self, message: Message, emoji: str, *, user: str = "member", present: bool = True) -> None:
        """Adds a reaction, or takes it back."""
        await self.call("react", message=str(message.id), emoji=emoji, user=user, present=present)

    async def remove_message(self, message: Message) -> None:
        """Removes a message, as a moderator or its author."""
        await self.call("remove_message", message=str(message.id))

    async def create_channel(self, name: str) -> Json:
        """Adds a text channel to the first server."""
        found: Json = await self.call("create_channel", guild=str(self.guild_id), name=name)
        return found

    async def create_thread(self, channel: str, name: str) -> str:
        """Begins a thread in a channel; returns its id."""
        return str((await self.call("create_thread", channel=channel, name=name))["id"])

    async def remove_channel(self, channel: str) -> None:
        """Removes a channel or a thread."""
        await self.call("drop_channel", channel=channel)

    async def speak(self, user: str, locale: str) -> None:
        """Sets the language of a person's Discord, such as `fr` or `pt-BR`."""
        await self.call("person", user=user, locale=locale)

    async def create_guild(self, name: str, *channels: str, again: str = "") -> Json:
        """Brings the bot into another server, or into the one with the id `again`: `{"id", "channels": {name: id}}`."""
        found: Json = await self.call("create_guild", name=name, channels=channels, id=again)
        return found

    async def remove_guild(self, guild: str) -> None:
        """Throws the bot out of a server, by id."""
        await self.call("remove_guild", guild=guild)

    @staticmethod
    def file(name: str, data: bytes) -> Json:
        """A person's file, for an option, a message or a modal."""
        return {"name": name, "base64": base64.b64encode(data).decode()}

    def _exchange(self, made: Json) -> Exchange:
        return Exchange(self.call, made["ids"][0], made["dispatched"][0], self.finished)

    # What goes wrong.

    async def fault(self, method: str = "*", path: str = "", **rule: Any) -> None:
        """Makes the next requests fail; the rule's fields are those of `tests.wire.faults.Fault`."""
        await self.call("fault", method=method, path=path, **rule)

    async def hold(self, method: str, path: str, *, after: bool = False, skip: int = 0) -> None:
        """Holds the next matching request before it is processed or, with `after`, its response, until `release`."""
        await self.fault(method, path, hold=True, after=after, skip=skip)

    async def held(self, path: str, *, timeout: float = TIMEOUT) -> None:
        """Returns once a request is held by the `hold` rule for that path."""
        ends = time.monotonic() + timeout
        while time.monotonic() < ends:
            if any(rule["hold"] and rule["path"] == path and rule["hits"] for rule in await self.call("faults")):
                return
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"No request to {path} came within {timeout} s")

    async def release(self) -> None:
        """Lets all held requests and responses go on."""
        await self.call("release")

    async def clear_faults(self) -> list[Json]:
        """Takes all faults away; returns them with how often each has struck."""
        found: list[Json] = await self.call("faults", clear=True)
        return found

    async def gateway(self, how: str) -> int:
        """`drop`, `reconnect`, `invalid`, `resumable` or `heartbeat`; returns how many connections it met."""
        return int(await self.call("disrupt", how=how))

    async def expire_tokens(self) -> None:
        """Lets the fifteen minutes of every interaction so far be over."""
        await self.call("expire_tokens")

    async def permissions(
        self, channel: str, *, user: str = "bot", allow: tuple[str, ...] = (), deny: tuple[str, ...] = ()
    ) -> None:
        """Allows and denies somebody, by default the bot, permissions in a channel."""
        await self.call("permissions", channel=channel, user=user, allow=allow, deny=deny)

    async def grant(self, user: str, *allow: str) -> None:
        """Gives a person permissions in the whole server, through a role."""
        await self.call("grant", guild=str(self.guild_id), user=user, allow=allow)

    # What can be read.

    async def call(self, action: str, **body: Any) -> Any:
        """Asks the server's control half for something; the methods below are its callers."""
        async with self._session.post(f"{self.address}/control/{action}", json=body) as response:
            answer = await response.json(content_type=None) if response.status in (200, 409) else {}
            if response.status != 200:
                raise WireError(answer.get("error", f"The control half failed at {action!r}: {response.status}"))
            return answer

    async def messages(self, channel: str = "general", *, as_user: str = "member") -> list[Message]:
        """A channel's messages as a person sees them, oldest first."""
        found = await self.call("messages", channel=channel, user=as_user, after=-1, timeout=0)
        return [Message(raw) for raw in found["messages"]]

    async def until(
        self,
        where: Callable[[Message], bool],
        channel: str = "general",
        *,
        as_user: str = "member",
        timeout: float = TIMEOUT,
    ) -> Message:
        """The newest message for which `where` holds, as soon as there is one; `AssertionError` when none comes."""
        ends, version = time.monotonic() + timeout, -1
        seen: list[Message] = []
        while (left := ends - time.monotonic()) > 0:
            body = await self.call("messages", channel=channel, user=as_user, after=version, timeout=left)
            version = body["version"]
            seen = [Message(raw) for raw in body["messages"]]
            fitting = [message for message in seen if where(message)]
            if fitting:
                return fitting[-1]
        raise AssertionError(f"No such message came within {timeout} s; there are {seen}")

    async def download(self, attachment: Json) -> bytes:
        """A file's bytes."""
        async with self._session.get(attachment["url"]) as response:
            return await response.read()

    async def commands(self) -> dict[str, list[Json]]:
        """The registered commands by server id; the global ones under "0"."""
        found: dict[str, list[Json]] = await self.call("registered")
        return found

    async def channels(self) -> list[Json]:
        """All channels and threads, each with the times at which the bot showed that it was typing."""
        found: list[Json] = await self.call("channels")
        return found

    async def status(self) -> Json:
        """Sessions, numbers of commands, of requests, and of requests that count towards a ban."""
        found: Json = await self.call("status")
        return found

    async def requests(self, method: str | None = None, path: str = "") -> list[Json]:
        """The journal: `at`, `method`, `path`, `body`, `status`, `seconds`; those whose path holds `path`."""
        found: list[Json] = await self.call("requests")
        return [one for one in found if path in one["path"] and method in (None, one["method"])]

    async def answered(self, method: str, path: str, *, times: int = 1, timeout: float = TIMEOUT) -> list[Json]:
        """The requests that fit, as soon as so many of them have got their answer."""
        ends = time.monotonic() + timeout
        while time.monotonic() < ends:
            found = [one for one in await self.requests(method, path) if one["status"] is not None]
            if len(found) >= times:
                return found
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"{method} {path} was not answered {times} times within {timeout} s")

    async def timelines(self, after: int = 0) -> list[Json]:
        """All interactions since that id: `dispatched` and `events`, in monotonic seconds."""
        found: list[Json] = await self.call("timelines", after=str(after))
        return found

    async def gateway_log(self) -> list[Json]:
        """connect, identify, resume, heartbeat, disconnect: what happened on the gateway, and when."""
        found: list[Json] = await self.call("gateway_log")
        return found
