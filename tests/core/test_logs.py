"""No log line shows a secret, whichever way it came in."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from bot.cli.running import load_settings
from bot.core import logs

SECRET = 'my "quoted" pass\\word'
TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.GabcdE.abcdefghijklmnopqrstuvwxyz012345"
LOOKS = ["sk-proj-abcdefghijklmnop1234", TOKEN, f"Bot {TOKEN}", "Bearer abcdefghijklmnopqrstuvwx=="]

LIBRARIES = ("discord", "httpx2", "httpcore2", "openai", "alembic", "aiosqlite", "matplotlib", "asyncio")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is written to standard error."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest, shown: io.StringIO) -> Iterator[logging.Logger]:
    """A logger of ours, set up as the bot sets it up; everything is put back afterwards."""
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", *LIBRARIES)}
    handlers = root.handlers[:]
    logs.configure("INFO", as_json=request.param == "json", secrets=[SECRET, "hunter22", "x"])
    yield logging.getLogger("bot.test")
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("secret", [SECRET, "hunter22", *LOOKS])
def test_a_secret_in_a_message_or_its_arguments_is_hidden(log: logging.Logger, shown: io.StringIO, secret: str) -> None:
    log.info("before %s after", secret)
    log.info(f"before {secret} after")
    text = shown.getvalue()
    assert text.count(f"{logs.HIDDEN} after") == 2
    assert "before" in text
    for part in (secret, json.dumps(secret)[1:-1], secret.split()[-1]):
        assert part not in text


@pytest.mark.parametrize("secret", [SECRET, "hunter22", *LOOKS])
def test_a_secret_in_an_exception_and_its_causes_is_hidden(
    log: logging.Logger, shown: io.StringIO, secret: str
) -> None:
    try:
        try:
            raise ValueError(f"cause {secret} end")
        except ValueError as error:
            raise RuntimeError(f"error {secret} end") from error
    except RuntimeError:
        log.exception("it failed")
    text = shown.getvalue()
    assert text.count(f"{logs.HIDDEN} end") >= 2
    assert "RuntimeError" in text
    assert secret not in text
    assert json.dumps(secret)[1:-1] not in text


def test_a_short_word_is_no_secret(log: logging.Logger, shown: io.StringIO) -> None:
    log.info("excellent")
    assert "excellent" in shown.getvalue()


def test_json_logs_are_a_json_object_a_line() -> None:
    formatter = logs.SecretFormatter([SECRET], as_json=True)
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.makeLogRecord({"msg": "a\nb “%s”", "args": (SECRET,), "levelname": "INFO", "name": "bot"})
        record.exc_info = sys.exc_info()
    line = formatter.format(record)
    assert "\n" not in line
    data = json.loads(line)
    assert data["message"] == f"a\nb “{logs.HIDDEN}”"
    assert "ValueError: first\nsecond" in data["exception"]
    assert data["time"].endswith("+00:00")


def test_libraries_that_log_every_request_are_turned_down(log: logging.Logger, shown: io.StringIO) -> None:
    for name in ("discord.http", "openai._base_client", "httpx2", "alembic.runtime"):
        logging.getLogger(name).info("a request to %s", name)
        logging.getLogger(name).warning("a warning of %s", name)
    text = shown.getvalue()
    assert "a request" not in text
    assert text.count("a warning") == 4


def test_json_logs_name_the_interaction_that_is_handled() -> None:
    formatter = logs.SecretFormatter([], as_json=True)
    record = logging.makeLogRecord({"msg": "x"})
    assert "interaction" not in json.loads(formatter.format(record))
    token = logs.HANDLING.set(logs.Handling(interaction_id=123, shard_id=3, began=0.0))
    try:
        said = json.loads(formatter.format(record))
    finally:
        logs.HANDLING.reset(token)
    assert (said["interaction"], said["shard"]) == ("123", 3)


def test_the_keys_of_all_settings_are_removed(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "openai-key")
    monkeypatch.setenv("CHAT_MODELS", '[{"name": "m", "key": "other-key", "base_url": "http://127.0.0.1:9/v1"}]')
    load_settings()
    log.warning("openai-key and other-key")
    written = capsys.readouterr().err
    assert " and " in written
    assert "-key" not in written
