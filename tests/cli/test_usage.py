"""Exit codes of the command line: 0 done, 1 failed with a sentence, 2 wrong usage; never a traceback."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.cli.conftest import KEY, Run, ended, started


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("db", "--help"), ("complete", "-h")])
async def test_help_is_there(fewshot: Run, arguments: tuple[str, ...]) -> None:
    done = await fewshot(*arguments)
    assert done.code == (0 if arguments else 2)
    assert "Usage: fewshot" in done.out + done.err


@pytest.mark.parametrize("group", ["", "dataset", "db", "model", "trick", "tune"])
async def test_help_shows_whole_sentences(fewshot: Run, group: str) -> None:
    commands = (await fewshot(*group.split(), "--help")).out.partition("Commands:")[2]
    assert commands
    assert "..." not in commands


async def test_an_empty_list_of_jobs_says_how_to_start_one(fewshot: Run) -> None:
    listed, followed = await fewshot("tune", "list"), await fewshot("tune", "follow")
    assert (listed.code, followed.code) == (0, 1)
    assert "`fewshot tune start CORPUS` starts one" in listed.out
    assert "`fewshot tune start CORPUS` starts one" in followed.err


async def test_the_version_is_told(fewshot: Run) -> None:
    done = await fewshot("--version")
    assert done.code == 0
    assert done.out.startswith("fewshot, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("complete",),
        ("complete", "translate", "text"),
        ("complete", "translate", "=x"),
        ("complete", "translate", "--louder"),
        ("db",),
        ("db", "dance"),
        ("db", "backup"),
        ("engine", "--port", "many"),
        ("demo", "--port", "70000"),
    ],
)
async def test_wrong_usage_is_code_2_and_says_how(fewshot: Run, arguments: tuple[str, ...]) -> None:
    done = await fewshot(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("engine",),
        ("complete", "translate", "text=x"),
        ("db", "status"),
        ("db", "upgrade"),
        ("db", "backup", "x"),
    ],
)
async def test_wrong_settings_are_named_without_their_values(
    fewshot: Run, environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    environment |= {"CHAT_CONCURRENCY": "hunter2", "HEALTH_PORT": "hunter2"}
    done = await fewshot(*arguments)
    assert (done.code, done.out) == (1, "")
    assert "CHAT_CONCURRENCY" in done.err
    assert "HEALTH_PORT" in done.err
    assert "hunter2" not in done.err
    assert done.err.count("\n") == 1


async def test_run_without_a_token_says_what_to_do(environment: dict[str, str], tmp_path: Path) -> None:
    done = await ended(await started(environment, tmp_path, "run"))
    assert (done.code, done.out) == (1, "")
    assert "DISCORD_TOKEN" in done.err
    assert "fewshot demo" in done.err
    assert done.err.count("\n") == 1


async def test_a_second_run_on_one_data_folder_is_refused(fewshot: Run, environment: dict[str, str]) -> None:
    environment["DISCORD_TOKEN"] = KEY
    folder = Path(environment["DATA_DIR"])
    folder.mkdir()
    with FileLock(folder / "bot.lock"):
        done = await fewshot("run")
    assert done.code == 1
    assert "Another Fewshot is running" in done.err
    assert "DATA_DIR" in done.err


@pytest.mark.parametrize(
    "arguments", [("run",), ("engine", "--port", "0"), ("complete", "translate", "text=x"), ("db", "upgrade")]
)
async def test_a_data_folder_that_cannot_be_used_is_one_sentence(
    fewshot: Run, environment: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    environment |= {"DISCORD_TOKEN": KEY, "DATA_DIR": str(tmp_path / "file")}
    done = await fewshot(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1


async def test_the_engine_serves_until_it_is_stopped(environment: dict[str, str], tmp_path: Path) -> None:
    process = await started(environment, tmp_path, "engine", "--port", "0")
    assert process.stdout is not None
    first = await asyncio.wait_for(process.stdout.readline(), 30)
    assert b"http://127.0.0.1:" in first
    lines = [(await asyncio.wait_for(process.stdout.readline(), 30)).decode() for _ in range(5)]
    script = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "".join(lines[2:]), stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    printed, _ = await asyncio.wait_for(script.communicate(), 60)
    assert "pocket-gpt" in printed.decode(), "the example runs as it is printed"
    process.send_signal(signal.SIGTERM)
    done = await ended(process)
    assert (done.code, done.err) == (0, "")


async def test_an_engine_whose_port_is_taken_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = await ended(await started(environment, tmp_path, "engine", "--port", str(taken.getsockname()[1])))
    assert done.code == 1
    assert done.err.count("\n") == 1
