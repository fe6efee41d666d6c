"""`fewshot complete`: a template filled, sent and printed; or one sentence and an exit code."""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import KEY, Run, ended, started
from tests.fake_model import FakeModel
from tests.forked import ForkedProcess

try:
    import pty
except ImportError:
    pty = None  # type: ignore[assignment]  # Windows has none

HELLO = ("translate", "text=Good morning", "to=French")


async def test_prompt_prints_the_messages_and_sends_nothing(fewshot: Run, fake: FakeModel) -> None:
    done = await fewshot("complete", *HELLO, "--prompt")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("[system]\n")
    assert "French" in done.out
    assert done.out.endswith("[user]\nGood morning\n")
    assert fake.requests == []


async def test_prompt_as_json_is_the_body_of_a_call(fewshot: Run) -> None:
    done = await fewshot("complete", *HELLO, "--prompt", "--json")
    body = json.loads(done.out)
    assert body["temperature"] == 0
    assert body["messages"][-1] == {"role": "user", "content": "Good morning"}


async def test_the_answer_is_printed(fake: FakeModel, environment: dict[str, str], tmp_path: Path) -> None:
    fake.says("Bonjour 🥐")
    done = await ended(await started(environment, tmp_path, "complete", *HELLO))
    assert (done.code, done.out, done.err) == (0, "Bonjour 🥐\n", "")
    assert fake.requests[0]["model"] == "fake-model"


async def on_terminal(environment: dict[str, str], folder: Path, *arguments: str) -> tuple[ForkedProcess, int]:
    """The command with a terminal as standard output, and the terminal's other end."""
    ours, terminal = pty.openpty()
    try:
        process = await started(environment, folder, "complete", *HELLO, *arguments, stdout=terminal)
    finally:
        os.close(terminal)
    return process, ours


def read_until(terminal: int, end: bytes) -> bytes:
    """What a terminal shows up to `end`, or to the end of the process."""
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells that the process has closed the terminal
        while end not in shown and (data := os.read(terminal, 1024)):
            shown += data
    return shown.replace(b"\r\n", b"\n")


@pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals")
async def test_an_answer_is_shown_on_a_terminal_while_it_is_written(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path
) -> None:
    fake.hangs(after=2, text="one two three four", pieces=4)
    process, terminal = await on_terminal(environment, tmp_path)
    shown = await asyncio.wait_for(asyncio.to_thread(read_until, terminal, b"two"), 60)
    assert shown.startswith(b"one two")
    assert process.returncode is None
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.wait(), 60)
    os.close(terminal)


@pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(
    "text",
    ["Bonjour  \n\n tout le monde", "  \n Bonjour \n ", "B", "x" * 5000],
    ids=["gap", "margins", "letter", "long"],
)
async def test_a_streamed_answer_is_printed_once_and_whole(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path, text: str
) -> None:
    fake.says(text, pieces=9, delay=0.01)
    process, terminal = await on_terminal(environment, tmp_path)
    shown = await asyncio.wait_for(asyncio.to_thread(read_until, terminal, b"\0"), 60)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert shown.decode() == text.strip() + "\n"
    os.close(terminal)


@pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals")
async def test_an_answer_is_printed_whole_below_text_that_turns_out_to_be_thinking(
    fake: FakeModel, environment: dict[str, str], tmp_path: Path
) -> None:
    fake.says("French, then.\n</think>\nBonjour", pieces=8, delay=0.05)
    process, terminal = await on_terminal(environment, tmp_path)
    shown = await asyncio.wait_for(asyncio.to_thread(read_until, terminal, b"\0"), 60)
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert shown.decode().endswith("\nBonjour\n")
    os.close(terminal)


@pytest.mark.skipif(pty is None, reason="Windows has no pseudo-terminals")
async def test_json_on_a_terminal_is_json_alone(fake: FakeModel, environment: dict[str, str], tmp_path: Path) -> None:
    fake.says("Bonjour tout le monde", pieces=4)
    process, terminal = await on_terminal(environment, tmp_path, "--json")
    shown = await asyncio.wait_for(asyncio.to_thread(read_until, terminal, b"\0"), 60)
    assert json.loads(shown)["text"] == "Bonjour tout le monde"
    assert await asyncio.wait_for(process.wait(), 60) == 0
    os.close(terminal)


async def test_json_tells_model_technique_usage_and_price(
    fewshot: Run, fake: FakeModel, environment: dict[str, str]
) -> None:
    environment["CHAT_MODEL"] = "gpt-6-luna"
    fake.says("Bonjour")
    fake.usage = {"prompt_tokens": 40_000, "completion_tokens": 10}
    done = await fewshot("complete", *HELLO, "--json")
    data = json.loads(done.out)
    assert done.code == 0
    assert data["text"] == "Bonjour"
    assert (data["model"], data["technique"], data["finish"]) == ("gpt-6-luna", "zero-shot", "stop")
    assert data["usage"]["prompt_tokens"] == 40_000
    assert data["usd"] == 0.004005


async def test_a_style_that_nobody_has_a_sample_of_is_refused_with_those_there_are(fewshot: Run) -> None:
    for values, begin in ((["style=unknown"], "There is no sample of the style “unknown”: "), ([], "In which style? ")):
        done = await fewshot("complete", "rewrite", "text=Hello.", *values, "--prompt")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"fewshot: {begin}")
        assert "noir, pirate" in done.err
    for value in ("style=Noir", "sample=Hear ye!"):
        assert (await fewshot("complete", "rewrite", "text=Hello.", value, "--prompt")).code == 0


async def test_a_template_of_ones_own_is_a_file(fewshot: Run, fake: FakeModel, tmp_path: Path) -> None:
    template = {"messages": [{"role": "user", "content": "Say {{word}}"}]}
    (tmp_path / "mine.json").write_text(json.dumps(template), encoding="utf-8")
    assert (await fewshot("complete", "mine.json", "word=a=b {{word}}")).code == 0
    assert fake.requests[0]["messages"] == [{"role": "user", "content": "Say a=b {{word}}"}]


async def test_a_shipped_style_brings_its_sample(fewshot: Run) -> None:
    done = await fewshot("complete", "rewrite", "text=Hello", "style=plain", "--prompt")
    assert "[assistant]\nYour parcel" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("poem",), "no template called poem"),
        (("gone.json",), "gone.json cannot be read"),
        (("broken.json",), "broken.json is not JSON"),
        (("translate",), "value for text"),
        (("translate", "text=x", "mood=y"), "no input called mood"),
        (("translate", f"text={'x' * 6001}"), "longer than 6,000"),
    ],
)
async def test_what_cannot_be_filled_is_one_sentence_and_code_1(
    fewshot: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    done = await fewshot("complete", *arguments)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert done.err.count("\n") == 1


async def test_no_model_is_one_sentence_that_says_what_to_set(fewshot: Run) -> None:
    done = await fewshot("complete", *HELLO)
    assert done.code == 1
    assert "OPENAI_API_KEY or OPENAI_BASE_URL" in done.err
    assert "--prompt" in done.err


@pytest.mark.parametrize(
    ("key", "said"), [("sk-wrong-0123456789abcdef", "credentials"), ("sk-bäd-0123456789", "OPENAI_API_KEY")]
)
async def test_a_wrong_key_is_one_sentence_without_the_key(
    fewshot: Run, fake: FakeModel, environment: dict[str, str], key: str, said: str
) -> None:
    environment |= {"OPENAI_API_KEY": key, "CHAT_MODEL": "m"}
    done = await fewshot("complete", *HELLO)
    assert done.code == 1
    assert said in done.err
    assert "sk-" not in done.err
    assert KEY not in done.err


async def test_a_model_that_breaks_down_is_one_sentence(
    fewshot: Run, fake: FakeModel, environment: dict[str, str]
) -> None:
    environment["CHAT_MODEL"] = "m"
    fake.fails(500, times=3, retry_after=0.01)
    done = await fewshot("complete", *HELLO)
    assert (done.code, done.out) == (1, "")
    assert "fault" in done.err


async def test_a_server_without_models_is_one_sentence(fewshot: Run, fake: FakeModel) -> None:
    fake.models = []
    done = await fewshot("complete", *HELLO)
    assert done.code == 1
    assert "CHAT_MODEL" in done.err


async def test_ctrl_c_ends_a_call_quietly(fake: FakeModel, environment: dict[str, str], tmp_path: Path) -> None:
    fake.hangs()
    process = await started(environment, tmp_path, "complete", *HELLO)
    async with asyncio.timeout(30):
        while not fake.calls:  # noqa: ASYNC110 - the fake has no event for a call's arrival
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGINT)
    done = await ended(process)
    assert (done.code, done.out) == (130, "")


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("Bonjour \ud83d", "Bonjour \ufffd"),
        ("\ud83d\ude00 Bonjour", "😀 Bonjour"),
        ("<think>\nFrench.\n</think>\n\nBonjour", "Bonjour"),
    ],
)
async def test_the_answer_is_printed_without_thinking_and_half_emoji(
    fewshot: Run, fake: FakeModel, said: str, printed: str
) -> None:
    fake.says(said, pieces=len(said))
    done = await fewshot("complete", *HELLO)
    assert (done.code, done.out.strip()) == (0, printed)


async def test_every_call_of_the_command_line_has_a_token_limit(fewshot: Run, fake: FakeModel) -> None:
    await fewshot("complete", *HELLO)
    assert fake.requests[0]["max_completion_tokens"] == 1_000
