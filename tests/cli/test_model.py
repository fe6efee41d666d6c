"""`fewshot model`: what an operator does to have a chat model on this machine."""

import asyncio
import errno
import json
import re
import shutil
from collections import namedtuple
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest
from filelock import FileLock

from bot.core.errors import StorageError
from bot.engine.llama import download
from bot.engine.llama.catalog import recommended
from bot.engine.llama.store import ModelStore
from tests.cli.conftest import Run, ended, started
from tests.fake_hub import FakeHub
from tests.gguf_files import chat_model, gguf
from tests.smollm2 import NAME, smollm2

TINY = gguf(chat_model(), data=3_000_000)
FROM_HUB = "hf:owner/tiny/Tiny.gguf@main"


@pytest.fixture
async def hub(environment: dict[str, str]) -> AsyncIterator[FakeHub]:
    async with FakeHub({"owner/tiny/Tiny.gguf": TINY}) as hub:
        environment |= {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
        yield hub


def installed(environment: dict[str, str]) -> list[str]:
    return sorted(path.parent.name for path in Path(environment["DATA_DIR"]).glob("models/*/manifest.json"))


async def test_the_table_says_what_fits(fewshot: Run) -> None:
    done = await fewshot("model", "list")
    assert done.code == 0
    assert "qwen3.5-2b" in done.out
    assert "Apache-2.0" in done.out
    assert "GiB of memory" in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 80


def short_template(folder: Path) -> Path:
    """A template whose answer is short: this model would use up the limit of 1,000 tokens."""
    path = folder / "short.json"
    messages = [{"role": "user", "content": "{{text}}"}]
    path.write_text(json.dumps({"max_completion_tokens": 8, "messages": messages}), encoding="utf-8")
    return path


async def test_a_file_is_installed_used_asked_and_removed(
    fewshot: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    done = await fewshot("model", "get", str(smollm2()), "--yes")
    assert done.code == 0, done.err
    assert f"Installed {NAME}" in done.out
    assert "b179c952" in done.out
    assert "is installed already" in (await fewshot("model", "get", str(smollm2()), "--yes")).out
    assert (await fewshot("model", "use", NAME)).code == 0
    assert f"*  {NAME}" in (await fewshot("model", "list")).out
    answer = await fewshot("complete", str(short_template(tmp_path)), "text=Good morning", "--json")
    assert answer.code == 0, answer.err
    assert '"model": "SmolLM2-135M-Instruct.Q4_1 (local)"' in answer.out
    assert '"usd": 0.0' in answer.out
    refused = await fewshot("model", "remove", NAME, "--yes")
    assert (refused.code, installed(environment)) == (1, [NAME])
    assert "is in use" in refused.err
    assert (await fewshot("model", "use", "none")).code == 0
    assert (await fewshot("model", "remove", NAME, "--yes")).code == 0
    assert installed(environment) == []
    assert "There is no model" in (await fewshot("model", "use", NAME)).err


async def test_a_model_is_timed(fewshot: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("bot.cli.model")  # `bot.cli` has a group of this name.
    monkeypatch.setattr(module, "BENCH_ITEMS", 20)
    monkeypatch.setattr(module, "BENCH_TOKENS", 4)
    assert (await fewshot("model", "get", str(smollm2()), "--yes")).code == 0
    bench = await fewshot("model", "bench")
    assert bench.code == 0, bench.err
    for figure in ("memory in use:", "load and first answer:", "prompt:", "first token:", "generated:"):
        assert figure in bench.out


async def test_a_model_rates_reviews_with_more_and_more_examples(
    fewshot: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("bot.cli.model"), "ORDERS", 2)
    assert (await fewshot("model", "get", str(smollm2()), "--yes")).code == 0
    test = await fewshot("model", "test", "--reviews", "1", "--picture", str(tmp_path / "test.png"))
    assert test.code == 0, test.err
    assert "within one" in test.out
    assert (tmp_path / "test.png").read_bytes().startswith(b"\x89PNG")


async def test_the_licence_is_asked_for(environment: dict[str, str], tmp_path: Path) -> None:
    done = await ended(await started(environment, tmp_path, "model", "get", "qwen3.5-2b"))
    assert done.code == 1
    assert "Apache-2.0" in done.out
    assert installed(environment) == []


async def test_a_model_comes_from_the_hub(hub: FakeHub, environment: dict[str, str], tmp_path: Path) -> None:
    done = await ended(await started(environment, tmp_path, "model", "get", FROM_HUB, "--yes"))
    assert done.code == 0, done.err
    assert installed(environment) == ["tiny"]
    assert (Path(environment["DATA_DIR"]) / "models/tiny/model.gguf").read_bytes() == TINY


async def test_a_broken_download_goes_on_where_it_was(
    hub: FakeHub, environment: dict[str, str], tmp_path: Path
) -> None:
    # The hub's client writes pieces of 10 MB.
    large = gguf(chat_model(), data=12_000_000)
    hub.files["owner/tiny/Tiny.gguf"] = large
    hub.break_after = 11_000_000
    done = await ended(await started(environment, tmp_path, "model", "get", FROM_HUB, "--yes"))
    if done.code:
        assert "Try again" in done.err
        assert installed(environment) == []
        done = await ended(await started(environment, tmp_path, "model", "get", FROM_HUB, "--yes"))
    assert done.code == 0, done.err
    assert "bytes=10485760-" in [wanted.partition("-")[0] + "-" for wanted in hub.ranges]
    assert (Path(environment["DATA_DIR"]) / "models/tiny/model.gguf").read_bytes() == large


async def test_a_wrong_checksum_is_refused(hub: FakeHub, environment: dict[str, str], tmp_path: Path) -> None:
    hub.tag = "0" * 64
    done = await ended(await started(environment, tmp_path, "model", "get", FROM_HUB, "--yes"))
    assert done.code == 1
    assert "is damaged: its sha256" in done.err
    assert installed(environment) == []


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("hf:owner/tiny/Other.gguf", "The hub has no"), ("hf:owner/tiny/readme.md", "no model of the table")],
)
async def test_what_the_hub_lacks_is_named(
    hub: FakeHub, environment: dict[str, str], tmp_path: Path, source: str, sentence: str
) -> None:
    done = await ended(await started(environment, tmp_path, "model", "get", source, "--yes"))
    assert (done.code, installed(environment)) == (1, [])
    assert sentence in done.err


async def test_an_unreachable_hub_says_how_to_bring_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    done = await ended(await started(environment, tmp_path, "model", "get", FROM_HUB, "--yes"))
    assert done.code == 1
    assert "fewshot model get FILE" in done.err


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is not a GGUF file"),
        (TINY[:100], "is cut off"),
        (gguf(chat_model(tokenizer__chat_template=None)), "has no chat template"),
    ],
)
async def test_a_file_that_cannot_chat_is_refused_and_nothing_is_left(
    fewshot: Run, environment: dict[str, str], tmp_path: Path, data: bytes, sentence: str
) -> None:
    (tmp_path / "bad.gguf").write_bytes(data)
    done = await fewshot("model", "get", str(tmp_path / "bad.gguf"), "--yes")
    assert (done.code, installed(environment)) == (1, [])
    assert sentence in done.err
    assert not list(Path(environment["DATA_DIR"]).rglob("*.gguf"))


async def test_a_base_model_is_installed_with_a_note(fewshot: Run, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(gguf(chat_model(general__name="Tiny Base")))
    done = await fewshot("model", "get", str(tmp_path / "tiny.gguf"), "--yes")
    assert done.code == 0
    assert "calls itself a base model" in done.out


async def test_a_full_disk_is_said_before_the_copy(
    fewshot: Run, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.gguf").write_bytes(TINY)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    done = await fewshot("model", "get", str(tmp_path / "tiny.gguf"), "--yes")
    assert (done.code, installed(environment)) == (1, [])
    assert "Make room first" in done.err


def test_a_disk_that_fills_up_is_said_and_no_part_of_a_copy_stays(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(TINY)

    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match="The disk is full"):
        download.fetch(ModelStore(tmp_path / "models"), download.source_of(str(tmp_path / "tiny.gguf")), full)
    assert [path.name for path in (tmp_path / "models").rglob("*") if path.is_file()] == ["tiny.lock"]


async def test_two_at_once_fetch_it_once(fewshot: Run, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(TINY)
    models = Path(environment["DATA_DIR"]) / "models"
    models.mkdir(parents=True)
    with FileLock(models / "tiny.lock"):
        done = await fewshot("model", "get", str(tmp_path / "tiny.gguf"), "--yes")
    assert done.code == 1
    assert "is being fetched by another process" in done.err
    both = await asyncio.gather(
        *(
            ended(process)
            for process in [
                await started(environment, tmp_path, "model", "get", str(tmp_path / "tiny.gguf"), "--yes")
                for _ in range(2)
            ]
        )
    )
    assert any(done.code == 0 for done in both)
    assert installed(environment) == ["tiny"]


def test_the_table_is_complete() -> None:
    for row in recommended().values():
        assert row.size < row.memory
        assert row.license
        assert row.languages
        assert row.file.endswith(".gguf")
        assert re.fullmatch("[0-9a-f]{40}", row.revision)
        assert re.fullmatch("[0-9a-f]{64}", str(row.sha256))
