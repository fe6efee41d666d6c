"""The simulated Discord: the one file that touches private parts of SimCord, which is pinned for that reason.

`Env` is for tests: a virtual clock, and an action that is over when all is quiet. `LiveEnv` is for people: the
real clock, an action that is over when Discord would say so, and `Preview`, whose tabs each have a channel and a
person of their own and follow what happens there.
"""

import asyncio
import contextvars
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any, ClassVar

import simcord
from aiohttp import web
from aiohttp.helpers import _weakref_handle as tidy_idle_connections
from simcord._clock import Clock
from simcord._dpy_internals import real_monotonic, release_clocks
from simcord._runtime import _restore_loop
from simcord.backend.access import can_access_channel
from simcord.backend.errors import SetupError
from simcord.preview import Preview
from simcord.preview._pages import _Page
from simcord.preview._server import PreviewServer

from bot.core.errors import ConfigError
from bot.demo import page as html

# Seconds within which Discord wants the first response to an interaction.
ACKNOWLEDGED = 3.0
# Seconds between two looks at whether an interaction is answered, and for what comes right behind the answer.
LOOK, BEHIND = 0.01, 0.08
# Seconds between two looks at whether a tab's messages changed.
FOLLOW = 0.2
# What ends the rest between two reads of an answer that streams.
REST = "resume_reading"
# The kinds of channel that the page lists: text, and the two of public threads.
LISTED = (0, 10, 11)


class Env(simcord.Env):
    """An environment in which an action is over when its answer is whole."""

    def _schedule_timer(
        self,
        record: Any,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        schedule_context: contextvars.Context | None,
    ) -> None:
        """Let a connection that a command opened and left idle keep nobody waiting, for all of its five seconds; and
        let one rest in real time, because the clock stands still for as long as a command reads from it.
        """
        if getattr(callback, "__name__", "") == REST:
            assert self._runtime is not None, "a command runs"
            self._runtime.call_at(real_monotonic() + record.when - self._virtual_time, callback, *args)
        elif callback is not tidy_idle_connections:
            super()._schedule_timer(record, callback, args, schedule_context)


class LiveClock(Clock):
    """The real time. It cannot be advanced."""

    def __init__(self) -> None:
        self._started = monotonic()

    @property
    def elapsed(self) -> float:  # type: ignore[override]  # an attribute there, counted by hand
        """Seconds since this clock was made."""
        return monotonic() - self._started

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Time passes by itself."""


class LiveEnv(simcord.Env):
    """An environment for people. What is seeded before `start` has the same ids in every process."""

    def __init__(self, bot: Any) -> None:
        super().__init__(bot, check_errors=False)
        self._live = False
        self._awaited: Any = None
        self._register_dispatch_observer(self._await_answer)

    def name_bot(self, name: str) -> None:
        """Call the bot `name`; before `start`."""
        self.backend.bot_user.name = name

    async def start(self) -> None:
        """Bring the bot up on the simulator's clock, then let loop and clocks run as they do."""
        await super().start()
        _restore_loop(self)
        release_clocks(self)
        self.backend.clock = LiveClock()
        self._live = True

    def errors_since(self, cursor: int) -> tuple[BaseException, ...]:
        """None: people are told of errors by the bot, and one of them is no reason to distrust the page."""
        return ()

    def _await_answer(self, interaction: Any) -> None:
        self._awaited = interaction

    async def _settle_internal(self, **options: Any) -> None:
        """Wait as Discord does: until the interaction is acknowledged. What comes later comes as an edit."""
        if not self._live:
            await super()._settle_internal(**options)
            return
        interaction, self._awaited = self._awaited, None
        for _ in range(int(ACKNOWLEDGED / LOOK)):
            if interaction is None or interaction.responded:
                break
            await asyncio.sleep(LOOK)
        await asyncio.sleep(BEHIND)


class LivePreview(Preview):
    """The page. Each tab shows one channel to one person; the two stand in the address behind the secret."""

    def __init__(
        self, env: LiveEnv, home: simcord.ChannelHandle, people: tuple[simcord.MemberActor, ...], port: int
    ) -> None:
        super().__init__(
            env,
            home,
            people,
            layout="channel",
            display="responsive",
            width=960,
            height=720,
            locale="en-US",
            timezone=html.timezone(),
            presentation_time=None,
            assets=None,
            port=port,
        )
        self._home = home
        self._server = _Site(self, port)
        self._seen: dict[str, str] = {}

    async def __aenter__(self) -> "LivePreview":
        """Serve. Raises `ConfigError` where the port is taken."""
        try:
            await super().__aenter__()
        except SetupError as error:
            if isinstance(error.__cause__, OSError):
                raise ConfigError(
                    f"Port {self._server._requested_port} is in use: stop what listens there, or give another --port."
                ) from None
            raise
        self._following = asyncio.create_task(self._follow(), name="follow the demo's channels")
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self._following.cancel()
        await super().__aexit__(*exc)

    def open_tab(self, channel_id: str, viewer_id: str) -> _Page:
        """A tab on a channel as a person; on the first of each where there is none of that id."""
        viewers = {str(viewer.id): viewer for viewer in self.viewers}
        viewer = viewers.get(viewer_id, self.viewers[0])
        listed = {str(channel.id): channel for channel in self._listed(viewer)}
        self.channel = self._handle(listed[channel_id].id) if channel_id in listed else self._home
        page = self._open_page(viewer.id)
        page.target_id = page.window_end_id = None  # The newest messages, whatever comes.
        self._publish(page, reason="navigation")
        return page

    def places(self, viewer_id: str) -> dict[str, Any]:
        """The channels and threads that a person sees, and who one can be."""
        viewer = next((viewer for viewer in self.viewers if str(viewer.id) == viewer_id), self.viewers[0])
        users = [self.env.backend.get_user(person.id) for person in self.viewers]
        return {
            "channels": [
                {"id": str(channel.id), "name": channel.name, "parent": str(channel.parent_id or "")}
                for channel in self._listed(viewer)
            ],
            "people": [{"id": str(user.id), "name": user.global_name or user.name} for user in users],
        }

    def _listed(self, viewer: Any) -> list[Any]:
        channels = sorted(self.env.backend.channels.values(), key=lambda channel: channel.id)
        return [
            channel
            for channel in channels
            if int(channel.type) in LISTED and can_access_channel(self.env, channel.id, viewer, history=True)
        ]

    def _handle(self, channel_id: int) -> simcord.ChannelHandle:
        return simcord.ChannelHandle(self.env, self._home.guild, self.env.backend.get_channel(channel_id))

    async def _action(self, context_id: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
        """Act in the tab's channel, on what is there now: a stream may have moved it on since the tab last looked."""
        page = self._get_page(context_id)
        self.channel = self._handle(page.channel_id)
        if isinstance(body, dict) and "published_revision" in body:
            body["published_revision"] = page.revision
        return await super()._action(context_id, body)

    async def _follow(self) -> None:
        """Publish a tab whenever a message in its channel came, changed or went."""
        while True:
            for page in list(self._pages.values()):
                now = repr(list(self.env.backend.messages.get(page.channel_id, {}).values())[-60:])
                if self._seen.get(page.id) != now and self._active_action is None:
                    self._seen[page.id] = now
                    self._advance_presentation_time()
                    self._publish(page, reason="refresh")
            self._seen = {identity: seen for identity, seen in self._seen.items() if identity in self._pages}
            await asyncio.sleep(FOLLOW)


class _Site(PreviewServer):
    """Serves the page under the bot's name, with a list of channels and people."""

    _STATIC_FILES: ClassVar[dict[str, str]] = PreviewServer._STATIC_FILES | dict.fromkeys((*html.FILES, "/places"), "")
    preview: LivePreview

    def _authorized(self, request: Any, *, context: str | None = None) -> bool:
        """The secret is the first part of the address behind the `#`; only this page's own scripts may send it."""
        secret = request.headers.get("X-Simcord-Capability", "").partition(".")[0]
        origin = request.headers.get("Origin", "").removeprefix("http://")
        return (
            secrets.compare_digest(secret.encode(), self.preview.capability.encode())
            and (context is None or request.headers.get("X-Simcord-Context") == context)
            and request.headers.get("Host", "") in self._allowed_hosts()
            and (not origin or origin in self._allowed_hosts())
        )

    def _place(self, request: Any) -> tuple[str, str]:
        """Ids of the channel and the person in the address; empty where it names none."""
        parts = request.headers.get("X-Simcord-Capability", "").split(".")
        return parts[1] if len(parts) > 1 else "", parts[2] if len(parts) > 2 else ""

    async def _pages(self, request: Any) -> Any:
        if not self._authorized(request):
            raise web.HTTPUnauthorized
        tab = self.preview.open_tab(*self._place(request))
        return web.json_response(self.preview._page_payload(tab), headers=self._SECURITY_HEADERS)

    async def _static(self, request: Any) -> Any:
        if request.path == "/places":
            if not self._authorized(request):
                raise web.HTTPUnauthorized
            return web.json_response(self.preview.places(self._place(request)[1]), headers=self._SECURITY_HEADERS)
        if request.path in html.FILES:
            kind, body = html.FILES[request.path]
            return web.Response(text=body(), content_type=kind, headers=self._SECURITY_HEADERS)
        response = await super()._static(request)
        if request.path == "/":
            response.text = html.branded(response.text)
        elif request.path.startswith("/fonts/"):
            # Thirty megabytes that never change need not come again with every channel that is opened.
            del response.headers["Pragma"]
            response.headers["Cache-Control"] = "private, max-age=86400"
        return response
