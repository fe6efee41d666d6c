"""Processes of the project, forked from one that has imported it already.

    process = await forked("bot.__main__:main", ["doctor"], env=environment, cwd=tmp_path)
    out, err = await process.communicate()

Starting Python and importing the project takes a second of CPU time, forking takes a few hundredths. A run of pytest
has one fork server (`python -m tests.forked`), started at its first use; the processes of pytest-xdist share it. A
forked process has its own environment, folder, arguments and output, and ends as any Python process does. A test of the
start itself (its time, its imports, its memory) needs a new interpreter.
"""

import asyncio
import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
# The environment variable with the address of the fork server that several processes share.
SHARED = "FEWSHOT_TESTS_FORK_SERVER"
# What the commands and the bot import, some of it only when it is used.
PRELOADED = (
    *("bot.cli.complete", "bot.cli.dataset", "bot.cli.doctor", "bot.cli.serve", "bot.cli.tune", "bot.demo"),
    *("bot.core.logs", "bot.llm.transport", "bot.locales", "tests.tuning.launched", "tests.wire.launch"),
    *("cogs.adventure", "cogs.corpus", "cogs.finetune", "cogs.rewrite", "cogs.trick"),
    *("aiosqlite", "alembic.command", "anyio.streams.tls", "openai.resources.chat.chat", "openai.resources.models"),
    *("sqlalchemy.dialects.sqlite.aiosqlite", "truststore"),
)


class ForkedProcess:
    """A running process, with the attributes of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, ended: asyncio.StreamReader, control: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._pipes: list[asyncio.ReadTransport] = []
        self._ended = asyncio.ensure_future(self._wait(ended, control))

    async def _wait(self, ended: asyncio.StreamReader, control: asyncio.StreamWriter) -> int:
        line = await ended.readline()
        control.close()
        self.returncode = int(line or -signal.SIGKILL)
        return self.returncode

    async def pipe(self, end: int) -> asyncio.StreamReader:
        """A reader for the reading end of a pipe."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(end, "rb"))
        self._pipes.append(transport)
        return reader

    async def wait(self) -> int:
        """Wait for the end; the exit code, or the negative number of a signal."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Read standard output and standard error until the process ends."""
        readers = [reader.read() for reader in (self.stdout, self.stderr) if reader is not None]
        found = [*await asyncio.gather(*readers), b"", b""]
        await self.wait()
        return (found[0], found[1]) if self.stdout is not None else (b"", found[0])

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


async def forked(
    entry: str,
    arguments: Sequence[str | bytes],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdout: IO[bytes] | int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    new_session: bool = False,
) -> ForkedProcess:
    """Call `entry` ("module:function") in a new process. Standard input is empty.

    `stdout`: PIPE, a file or a descriptor; `stderr`: PIPE or STDOUT.
    """
    ours, theirs = socket.socketpair()
    readable: list[int | None] = [None, None]
    given = []
    if stdout == subprocess.PIPE:
        readable[0], stdout = os.pipe()
        given.append(stdout)
    output = stdout if isinstance(stdout, int) else stdout.fileno()
    errors = output
    if stderr == subprocess.PIPE:
        readable[1], errors = os.pipe()
        given.append(errors)
    with theirs:
        socket.send_fds(_server(), [b"+"], [theirs.fileno(), output, errors])
    for descriptor in given:
        os.close(descriptor)
    reader, writer = await asyncio.open_connection(sock=ours)
    texts = [os.fsdecode(argument) for argument in arguments]
    writer.write(json.dumps([entry, texts, dict(env), str(cwd), new_session]).encode() + b"\n")
    process = ForkedProcess(int(await reader.readline()), reader, writer)
    if readable[0] is not None:
        process.stdout = await process.pipe(readable[0])
    if readable[1] is not None:
        process.stderr = await process.pipe(readable[1])
    return process


def share_server() -> None:
    """Let the processes that this one starts share a fork server, which starts at the first request."""
    folder = tempfile.TemporaryDirectory(prefix="fewshot-fork-")
    atexit.register(folder.cleanup)
    os.environ[SHARED] = f"{folder.name}/socket"
    requests = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    requests.bind(os.environ[SHARED])

    def start_when_needed() -> None:
        select.select([requests], [], [])
        _start(requests)

    threading.Thread(target=start_when_needed, daemon=True).start()


@cache
def _server() -> socket.socket:
    """The connection to the fork server: to the shared one, else to one of this process, which is started first."""
    if address := os.environ.get(SHARED):
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.connect(address)
    else:
        ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM)
        _start(theirs)
    return ours


def _start(requests: socket.socket) -> None:
    """Start a fork server that reads from `requests`. It ends with this process."""
    with requests:
        number = requests.fileno()
        command = [sys.executable, "-m", "tests.forked", str(number)]
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[number], start_new_session=True)
    atexit.register(server.communicate)


def next_request(server: socket.socket) -> Callable[[], Any]:
    """Fork for every request until standard input ends, which ends this process; returns in a forked process."""
    while True:
        watched: list[socket.socket | int] = [server, 0]
        if server not in select.select(watched, [], [])[0]:
            sys.exit()
        _message, (*descriptors,), _flags, _address = socket.recv_fds(server, 1, 3)
        while _has_ended_child():
            pass
        if os.fork() == 0:
            server.close()
            return _waited_for(socket.socket(fileno=descriptors[0]), *descriptors[1:])
        for descriptor in descriptors:
            os.close(descriptor)


def _has_ended_child() -> bool:
    """Whether a child had ended; its CPU time now counts as this process's."""
    try:
        return os.waitpid(-1, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return False


def _waited_for(control: socket.socket, output: int, errors: int) -> Callable[[], Any]:
    """Fork again, tell `control` the process id and the exit code, and end; returns in the forked process."""
    with control.makefile("r") as lines:
        entry, arguments, env, cwd, new_session = json.loads(lines.readline())
    if pid := os.fork():
        os.close(output)
        os.close(errors)
        control.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        control.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    control.close()
    if new_session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for descriptor, number in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (errors, 2)):
        os.dup2(descriptor, number)
    os.closerange(3, max(output, errors) + 2)
    encoding, _, handler = env.get("PYTHONIOENCODING", "utf-8").partition(":")
    sys.stdout = open(1, "w", encoding=encoding, errors=handler or "strict", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in env)
    module, _, function = entry.partition(":")
    sys.argv = [module, *arguments]
    called: Callable[[], Any] = getattr(importlib.import_module(module), function)
    return called


def main() -> None:
    """The fork server: import the project, then fork for every request on the socket named on the command line."""
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    sys.exit(next_request(socket.socket(fileno=int(sys.argv[1])))())


if __name__ == "__main__":
    main()
