"""The gateway: hello, heartbeat, identify, resume, ordered events, shards, and the ways in which a connection ends.

A session outlives its connection. Events during a disconnect are kept and sent on RESUME.
"""

import asyncio
import json
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from tests.wire.errors import Json

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT = 0, 1, 2, 6, 7
REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 8, 9, 10, 11
AUTHENTICATION_FAILED, DISALLOWED_INTENTS = 4004, 4014
# Discord keeps a bounded backlog for a session that has lost its connection; the bound is not documented.
BACKLOG = 5000
# Seconds between two shards of a bucket that identify; a shorter pause gets INVALID_SESSION.
IDENTIFY_PAUSE = 5.0

INTENT_GUILDS, INTENT_MEMBERS, INTENT_PRESENCES, INTENT_CONTENT = 1 << 0, 1 << 1, 1 << 8, 1 << 15
INTENT_MESSAGES, INTENT_REACTIONS, INTENT_DM, INTENT_DM_REACTIONS = 1 << 9, 1 << 10, 1 << 12, 1 << 13

# An event's data, or how to make it for a session with these intents; None sends it nothing.
Data = Json | Callable[[int], Json | None]


class Socket:
    """One connection. Payloads go through a queue, so that they keep their order."""

    def __init__(self, ws: web.WebSocketResponse, *, compress: bool) -> None:
        self.ws = ws
        self._zlib = zlib.compressobj() if compress else None
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self.writer = asyncio.ensure_future(self._write())

    def send(self, text: str) -> None:
        """Queues one payload."""
        self._queue.put_nowait(text)

    async def flush(self) -> None:
        """Waits until everything queued so far has left."""
        await self._queue.join()

    async def _write(self) -> None:
        while True:
            text = await self._queue.get()
            try:
                if self.ws.closed:
                    continue
                if self._zlib is None:
                    await self.ws.send_str(text)
                else:
                    packed = self._zlib.compress(text.encode()) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                    await self.ws.send_bytes(packed)
            except ConnectionError:
                return
            finally:
                self._queue.task_done()


@dataclass(slots=True)
class Session:
    """A gateway session of a shard (its number, and the count): numbered events, the newest kept for RESUME."""

    id: str
    intents: int
    socket: Socket | None
    shard: tuple[int, int] = (0, 1)
    sequence: int = 0
    sent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=BACKLOG))

    def concerns(self, event: str, data: Json) -> bool:
        """Whether an event is for this shard: those of a server by its id, all others for shard 0."""
        guild = data.get("id") if event in ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE") else data.get("guild_id")
        number, count = self.shard
        return (int(guild or 0) >> 22) % count == number

    def emit(self, event: str, data: Json | None) -> None:
        """Number an event, keep it, and send it if the session is connected."""
        self.sequence += 1
        text = json.dumps({"op": DISPATCH, "t": event, "s": self.sequence, "d": data})
        self.sent.append((self.sequence, text))
        if self.socket:
            self.socket.send(text)


class Gateway:
    """All sessions. `ready` returns the data of READY and the guilds after it; `members` answers a member request."""

    def __init__(self, token: str, ready: Callable[[Session], tuple[Json, list[Json]]]) -> None:
        self._token = token
        self._ready = ready
        self.members: Callable[[Json], Json] = lambda request: request
        self.allowed_intents = 0
        self.heartbeat_interval = 41.25
        self.acknowledge = True
        # Shards that may identify at the same time: `shard % max_concurrency` is a shard's bucket.
        self.max_concurrency = 1
        self._identified: dict[int, float] = {}
        self.sessions: dict[str, Session] = {}
        self.log: list[Json] = []

    def note(self, what: str, **more: Any) -> None:
        """Add an entry to the log, with the monotonic time in seconds."""
        self.log.append({"at": time.monotonic(), "what": what} | more)

    def dispatch(self, event: str, data: Data, intents: int = 0) -> int:
        """Sends an event to every session that has one of `intents` (0: to all); returns to how many."""
        reached = 0
        for session in list(self.sessions.values()):
            if intents and not session.intents & intents:
                continue
            own = data(session.intents) if callable(data) else data
            if own is not None and session.concerns(event, own):
                session.emit(event, own)
                reached += 1
        return reached

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serves one connection from HELLO until it ends."""
        ws = web.WebSocketResponse(max_msg_size=4096, compress=False)
        await ws.prepare(request)
        socket = Socket(ws, compress=request.query.get("compress") == "zlib-stream")
        self.note("connect")
        socket.send(json.dumps({"op": HELLO, "d": {"heartbeat_interval": int(self.heartbeat_interval * 1000)}}))
        session: Session | None = None
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    session = await self._receive(socket, session, json.loads(message.data))
        finally:
            socket.writer.cancel()
            self._disconnected(session, socket, ws.close_code)
        return ws

    async def _receive(self, socket: Socket, session: Session | None, payload: Json) -> Session | None:
        code: int = payload["op"]
        data: Any = payload.get("d")
        if code == HEARTBEAT and self.acknowledge:
            self.note("heartbeat")
            socket.send(json.dumps({"op": HEARTBEAT_ACK}))
        elif code == IDENTIFY:
            return await self._identify(socket, data)
        elif code == RESUME:
            return self._resume(socket, data)
        elif code == REQUEST_MEMBERS and session:
            session.emit("GUILD_MEMBERS_CHUNK", self.members(data))
        return session

    async def _identify(self, socket: Socket, data: Json) -> Session | None:
        intents = data.get("intents", 0)
        privileged = intents & (INTENT_MEMBERS | INTENT_PRESENCES | INTENT_CONTENT)
        if data["token"] != self._token:
            await socket.ws.close(code=AUTHENTICATION_FAILED, message=b"Authentication failed.")
            return None
        if privileged & ~self.allowed_intents:
            await socket.ws.close(code=DISALLOWED_INTENTS, message=b"Disallowed intent(s).")
            return None
        number, count = data.get("shard") or (0, 1)
        if count > 1 and not self._may_identify(number):
            self.note("identify refused", shard=number)
            socket.send(json.dumps({"op": INVALID_SESSION, "d": False}))
            return None
        # Drop disconnected sessions, so that they do not pile up.
        self.sessions = {key: one for key, one in self.sessions.items() if one.socket}
        session = Session(uuid4().hex, intents, socket, (number, count))
        self.sessions[session.id] = session
        data, guilds = self._ready(session)
        session.emit("READY", data)
        for guild in guilds:
            session.emit("GUILD_CREATE", guild)
        self.note("identify", session=session.id, intents=intents, shard=number, count=count)
        return session

    def _may_identify(self, shard: int) -> bool:
        """Whether the last shard of the same bucket identified long enough ago."""
        bucket, now = shard % self.max_concurrency, time.monotonic()
        if now - self._identified.get(bucket, -IDENTIFY_PAUSE) < IDENTIFY_PAUSE * 0.9:
            return False
        self._identified[bucket] = now
        return True

    def _resume(self, socket: Socket, data: Json) -> Session | None:
        session = self.sessions.get(data["session_id"] or "")
        if session is None or data["token"] != self._token:
            self.note("resume refused", session=data["session_id"])
            socket.send(json.dumps({"op": INVALID_SESSION, "d": False}))
            return None
        session.socket = socket
        missed = [text for sequence, text in session.sent if sequence > (data["seq"] or 0)]
        for text in missed:
            socket.send(text)
        session.emit("RESUMED", {"_trace": []})
        self.note("resume", session=session.id, missed=len(missed))
        return session

    def _disconnected(self, session: Session | None, socket: Socket, code: int | None) -> None:
        self.note("disconnect", code=code)
        if session is None or session.socket is not socket:
            return
        session.socket = None
        # Close codes 1000 and 1001 end the session as well.
        if code in (1000, 1001):
            self.sessions.pop(session.id, None)

    async def disrupt(self, how: str) -> int:
        """Disrupt every connection as `how` says; returns how many there were.

        `drop` breaks the connection off; `reconnect` asks for a new one; `invalid` ends the session and
        `resumable` claims to, but lets it be resumed; `heartbeat` asks for one at once.
        """
        connected = [session for session in self.sessions.values() if session.socket]
        for session in connected:
            socket = session.socket
            assert socket is not None
            if how == "drop":
                session.socket = None
                request = socket.ws._req
                assert request is not None
                assert request.transport is not None
                request.transport.abort()
                continue
            if how == "invalid":
                self.sessions.pop(session.id)
            code, data = {
                "reconnect": (RECONNECT, None),
                "invalid": (INVALID_SESSION, False),
                "resumable": (INVALID_SESSION, True),
                "heartbeat": (HEARTBEAT, None),
            }[how]
            socket.send(json.dumps({"op": code, "d": data}))
            await socket.flush()
        return len(connected)
