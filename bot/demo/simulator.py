"""The simulated Discord. Only this file uses private parts of SimCord, whose version is pinned for that reason.

`Env` is for tests: it has a virtual clock, and an action ends when nothing happens any more. `LiveEnv` is for people:
it has the real clock, and an action ends when Discord would acknowledge it. `LivePreview` is its web page, in which
each tab shows one channel to one person and follows what happens there.
"""

import asyncio
import contextvars
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import discord
import simcord
from aiohttp import web
from aiohttp.helpers import _weakref_handle as tidy_idle_connections
from babel.localtime import LOCALTZ
from simcord._clock import Clock
from simcord._dpy_internals import real_monotonic, release_clocks
from simcord._runtime import _restore_loop
from simcord.backend.access import can_access_channel
from simcord.backend.errors import SetupError
from simcord.enums import AppCommandType
from simcord.preview import Preview
from simcord.preview._pages import _Page
from simcord.preview._server import PreviewServer

from bot.core.errors import ConfigError
from bot.core.i18n import ENGLISH, supported_locale

# Seconds within which Discord expects the first response to an interaction.
ACKNOWLEDGE_TIMEOUT = 3.0
# Seconds between two checks for the response, and seconds to wait for what follows it at once.
POLL_INTERVAL, SETTLE_DELAY = 0.01, 0.08
# Seconds between two checks in tests whether an action has ended. With SimCord's 0.05, pressing a button took twice as
# long, and as much CPU time (2026-11-28).
END_INTERVAL = 0.005
# Seconds between two checks for changed messages in a tab.
REFRESH_INTERVAL = 0.2
# The callback that ends aiohttp's pause between two reads of a streamed response.
RESUME_READING = "resume_reading"
# The channel types that the page lists: text channels and public threads.
LISTED_TYPES = (0, 10, 11)


# Our own files, and their content types by path.
_STATIC = Path(__file__).with_name("static")
_FILES = {
    "/fewshot.css": "text/css",
    "/fewshot.js": "application/javascript",
    "/menus.js": "application/javascript",
}

# A message menu as a control of its message: it is chosen as a button is clicked.
_MENU = re.compile(r"message:\d+:component:menu:(.+)")

# Replacements in SimCord's files: the page with our list and styles, and the menus of messages.
_CHANGES: Mapping[str, Mapping[str, str]] = {
    "/": {
        "<title>SimCord Preview</title>": "<title>Fewshot</title>",
        '<link rel="stylesheet" href="/preview.css">': (
            '<link rel="stylesheet" href="/preview.css">\n    <link rel="stylesheet" href="/fewshot.css">'
        ),
        '<div class="preview-workspace" id="preview-workspace">': (
            '<div class="preview-workspace" id="preview-workspace">\n'
            '        <nav id="places" aria-label="Channels and people"></nav>'
        ),
        '<script type="module" src="/app.js"></script>': (
            '<script type="module" src="/fewshot.js"></script>\n    <script type="module" src="/app.js"></script>'
        ),
    },
    "/messages.js": {
        'import { renderEmbed, renderNode } from "./components.js";': (
            'import { menuButton } from "./menus.js";\nimport { renderEmbed, renderNode } from "./components.js";'
        ),
        "    if (toolbar.childElementCount) root.append(toolbar);": (
            "    if (!message.ephemeral) toolbar.append(menuButton(message, options.onClick));\n"
            "    if (toolbar.childElementCount) root.append(toolbar);"
        ),
    },
}


class Env(simcord.Env):
    """An environment in which an action ends when its answer is complete."""

    def _schedule_timer(
        self,
        record: Any,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        schedule_context: contextvars.Context | None,
    ) -> None:
        """Do not wait for the timer that closes idle connections. Run aiohttp's read pauses in real time, because the
        virtual clock does not advance while a command reads.
        """
        if getattr(callback, "__name__", "") == RESUME_READING:
            assert self._runtime is not None, "a command runs"
            self._runtime.call_at(real_monotonic() + record.when - self._virtual_time, callback, *args)
        elif callback is not tidy_idle_connections:
            super()._schedule_timer(record, callback, args, schedule_context)

    async def _settle_internal(self, *, idle: float = END_INTERVAL, **options: Any) -> None:
        """Wait until the action has ended, with shorter pauses than SimCord's."""
        await super()._settle_internal(idle=idle, **options)


class LiveClock(Clock):
    """The real time, which cannot be advanced."""

    def __init__(self) -> None:
        self._started = monotonic()

    @property
    def elapsed(self) -> float:  # type: ignore[override]  # an attribute in the base class
        """Seconds since this clock was made."""
        return monotonic() - self._started

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Do nothing: real time advances by itself."""


class LiveEnv(simcord.Env):
    """An environment for people. Objects created before `start` have the same ids in every process."""

    def __init__(self, bot: Any) -> None:
        super().__init__(bot, check_errors=False)
        self._live = False
        self._awaited: Any = None
        self.backend.bot_user.name = "Fewshot"
        # The locale of the person who acts; SimCord's people all have English.
        self.locale = discord.Locale.american_english.value
        self._register_dispatch_observer(self._await_answer)
        self.backend.subscribers.insert(0, self._set_locale)

    async def start(self) -> None:
        """Start the bot on the simulator's clock, then switch to the real one."""
        await super().start()
        _restore_loop(self)
        release_clocks(self)
        self.backend.clock = LiveClock()
        self._live = True

    def errors_since(self, cursor: int) -> tuple[BaseException, ...]:
        """Return no errors: the bot reports them to people, and the page keeps working."""
        return ()

    def _set_locale(self, event: str, payload: Any) -> None:
        if event == "INTERACTION_CREATE":
            payload["locale"] = self.locale

    def _await_answer(self, interaction: Any) -> None:
        self._awaited = interaction

    async def _settle_internal(self, **options: Any) -> None:
        """Wait until the interaction is acknowledged, as Discord does. Later changes arrive as edits."""
        if not self._live:
            await super()._settle_internal(**options)
            return
        interaction, self._awaited = self._awaited, None
        for _ in range(int(ACKNOWLEDGE_TIMEOUT / POLL_INTERVAL)):
            if interaction is None or interaction.responded:
                break
            await asyncio.sleep(POLL_INTERVAL)
        await asyncio.sleep(SETTLE_DELAY)


class LivePreview(Preview):
    """The page. Each tab shows one channel to one person; both are in its address, after the secret."""

    env: LiveEnv

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
            timezone=getattr(LOCALTZ, "key", None) or "UTC",  # A zone without a name is not known to browsers.
            presentation_time=None,
            assets=None,
            port=port,
        )
        self._home = home
        self._server = _Site(self, port)
        self._seen: dict[str, str] = {}

    async def __aenter__(self) -> "LivePreview":
        """Start serving. Raises `ConfigError` if the port is in use."""
        try:
            await super().__aenter__()
        except SetupError as error:
            if isinstance(error.__cause__, OSError):
                raise ConfigError(
                    f"Port {self._server._requested_port} is in use: stop that program, or choose another --port."
                ) from None
            raise
        self._following = asyncio.create_task(self._follow(), name="follow the demo's channels")
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self._following.cancel()
        await super().__aexit__(*exc)

    def open_tab(self, channel_id: str, viewer_id: str) -> _Page:
        """Open a tab on a channel as a person; unknown ids stand for the first channel and person."""
        viewers = {str(viewer.id): viewer for viewer in self.viewers}
        viewer = viewers.get(viewer_id, self.viewers[0])
        listed = {str(channel.id): channel for channel in self._listed(viewer)}
        self.channel = self._handle(listed[channel_id].id) if channel_id in listed else self._home
        page = self._open_page(viewer.id)
        page.target_id = page.window_end_id = None  # Always show the newest messages.
        self._publish(page, reason="navigation")
        return page

    def places(self, viewer_id: str) -> dict[str, Any]:
        """The channels and threads that a person sees, and all people."""
        viewer = next((viewer for viewer in self.viewers if str(viewer.id) == viewer_id), self.viewers[0])
        users = [self.env.backend.get_user(person.id) for person in self.viewers]
        return {
            "channels": [
                {"id": str(channel.id), "name": channel.name, "parent": str(channel.parent_id or "")}
                for channel in self._listed(viewer)
            ],
            "people": [{"id": str(user.id), "name": user.global_name or user.name} for user in users],
            "menus": self._menus(viewer, self._home.id),
        }

    def _menus(self, viewer: Any, channel_id: int) -> list[str]:
        """The names of the message menus that a person sees in a channel."""
        backend = self.env.backend
        found = backend.visible_commands(user_id=viewer.id, channel_id=channel_id, type=AppCommandType.MESSAGE)
        return [menu["name"] for menu in found]

    def _listed(self, viewer: Any) -> list[Any]:
        channels = sorted(self.env.backend.channels.values(), key=lambda channel: channel.id)
        return [
            channel
            for channel in channels
            if int(channel.type) in LISTED_TYPES and can_access_channel(self.env, channel.id, viewer, history=True)
        ]

    def _handle(self, channel_id: int) -> simcord.ChannelHandle:
        return simcord.ChannelHandle(self.env, self._home.guild, self.env.backend.get_channel(channel_id))

    async def _action(self, context_id: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
        """Act on the current messages of the tab's channel, which may have changed since the tab was published.

        The bot's name after an @ is a mention: the page has no list of people to choose from.
        """
        page = self._get_page(context_id)
        self.channel = self._handle(page.channel_id)
        if isinstance(body, dict) and "published_revision" in body:
            body["published_revision"] = page.revision
        if isinstance(body, dict) and isinstance(body.get("content"), str):
            bot = self.env.backend.bot_user
            body["content"] = body["content"].replace(f"@{bot.name}", f"<@{bot.id}>")
        return await super()._action(context_id, body)

    def _prepare_action(self, page: _Page, kind: str, body: Mapping[str, Any]) -> Any:
        """Let a message menu be chosen on a message; everything else is SimCord's."""
        chosen = _MENU.fullmatch(str(body.get("control_key"))) if kind == "click" else None
        if chosen is None:
            return super()._prepare_action(page, kind, body)
        self._require_current_history(page)
        message = self._target_message(page, self._target_id(body.get("target_id"), page.viewer))
        if chosen[1] not in self._menus(page.viewer, page.channel_id):
            raise SetupError("this person has no such menu here")

        async def choose(action: Any, cursor: int) -> dict[str, Any]:
            chosen_on = simcord.ResponseMessage(self.env, message)
            opened = page.viewer.context_menu(self.channel, chosen[1], chosen_on)
            return await self._run_interaction_action(page, action, cursor, opened, republish_all=True)

        return choose

    async def _follow(self) -> None:
        """Publish a tab whenever the messages of its channel have changed."""
        while True:
            for page in list(self._pages.values()):
                now = repr(list(self.env.backend.messages.get(page.channel_id, {}).values())[-60:])
                if self._seen.get(page.id) != now and self._active_action is None:
                    self._seen[page.id] = now
                    self._advance_presentation_time()
                    self._publish(page, reason="refresh")
            self._seen = {identity: seen for identity, seen in self._seen.items() if identity in self._pages}
            await asyncio.sleep(REFRESH_INTERVAL)


class _Site(PreviewServer):
    """Serves the page with the bot's name and a list of channels and people."""

    _STATIC_FILES: ClassVar[dict[str, str]] = PreviewServer._STATIC_FILES | dict.fromkeys((*_FILES, "/places"), "")
    preview: LivePreview

    def _authorized(self, request: Any, *, context: str | None = None) -> bool:
        """Check the secret, which is the first part of the address after `#`, and the origin."""
        secret = request.headers.get("X-Simcord-Capability", "").partition(".")[0]
        origin = request.headers.get("Origin", "").removeprefix("http://")
        return (
            secrets.compare_digest(secret.encode(), self.preview.capability.encode())
            and (context is None or request.headers.get("X-Simcord-Context") == context)
            and request.headers.get("Host", "") in self._allowed_hosts()
            and (not origin or origin in self._allowed_hosts())
        )

    def _place(self, request: Any) -> tuple[str, str]:
        """The ids of the channel and the person in the address, or empty strings."""
        parts = request.headers.get("X-Simcord-Capability", "").split(".")
        return parts[1] if len(parts) > 1 else "", parts[2] if len(parts) > 2 else ""

    async def _action(self, request: Any) -> Any:
        """Act with the language of the browser."""
        language = supported_locale(request.headers.get("Accept-Language", "").partition(",")[0] or None)
        self.preview.env.locale = discord.Locale.american_english.value if language == ENGLISH else language
        return await super()._action(request)

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
        if request.path in _FILES:
            text, kind = (_STATIC / request.path[1:]).read_text(encoding="utf-8"), _FILES[request.path]
            return web.Response(text=text, content_type=kind, headers=self._SECURITY_HEADERS)
        response = await super()._static(request)
        if request.path in _CHANGES:
            response.text = _changed(response.text, _CHANGES[request.path])
        if request.path == "/":
            response.text = response.text.replace("SimCord preview", "Fewshot").replace("SimCord", "Fewshot")
        elif request.path.startswith("/fonts/"):
            # The fonts have 30 MB and never change.
            del response.headers["Pragma"]
            response.headers["Cache-Control"] = "private, max-age=86400"
        return response


def _changed(text: str, changes: Mapping[str, str]) -> str:
    """SimCord's file with our changes. Raises `ValueError` if the file has an unknown version."""
    for theirs, ours in changes.items():
        if text.count(theirs) != 1:
            raise ValueError(f"SimCord's page has changed: it does not contain {theirs!r} once")
        text = text.replace(theirs, ours)
    return text
