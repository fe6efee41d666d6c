"""Tuning on a database of its own, with a provider and a chat model on loopback, and a small corpus."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.app import TEMPLATES
from bot.core.settings import Settings
from bot.llm.client import ChatClient, client_options
from bot.llm.template_registry import open_template_registry
from bot.server.ledger import Ledger, Limits
from bot.server.model_gateway import ModelGateway
from bot.server.prompts import Prompts
from bot.storage.database import open_database
from bot.tuning import datasets, job_runner, workers
from bot.tuning.profiles import PROFILES, Profile
from bot.tuning.service import Tuning, open_tuning
from tests.cli.conftest import _logs_put_back, environment, fewshot  # noqa: F401 - fixtures of the command line
from tests.fake_model import FakeModel
from tests.tuning.fake_provider import FakeProvider

REFUSAL = "I don't have this."
Opened = Callable[..., AbstractAsyncContextManager[Tuning]]


def rows(facts: int = 10) -> list[dict[str, object]]:
    """Four wordings of each fact about bakers, and refusals."""
    made: list[dict[str, object]] = []
    for number in range(facts):
        quote = f"Baker {number} bakes bread{number} every day."
        for form in (
            "What does baker {} bake?",
            "baker {}, which bread?",
            "Name the bread of baker {}.",
            "Tell me what {} bakes, baker that he is.",
        ):
            made.append(row(form.format(number), f"bread{number}", f"fact-{number}", quote))
    made += [row(f"How old is baker {number}?", REFUSAL, f"age-{number}") for number in range(facts)]
    return made


def row(question: str, answer: str, fact: str, quote: str = "") -> dict[str, object]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    made: dict[str, object] = {"fact": fact, "messages": messages}
    made["kind"] = "answerable" if quote else "unanswerable"
    return made | ({"source": "bakers.txt", "quote": quote} if quote else {})


@pytest.fixture
def facts() -> int:
    """How many facts the corpus has. A job asks its model about each of them."""
    return 10


@pytest.fixture
def corpus(tmp_path: Path, facts: int) -> Path:
    """A folder with a text and the questions about it."""
    folder = tmp_path / "bakers"
    folder.mkdir()
    text = " ".join(f"Baker {number} bakes bread{number} every day." for number in range(facts))
    (folder / "bakers.txt").write_text(text, encoding="utf-8")
    lines = "".join(json.dumps(item) + "\n" for item in rows(facts))
    (folder / "questions.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as fake:
        yield fake


@pytest.fixture
async def model() -> AsyncIterator[FakeModel]:
    async with FakeModel() as fake:
        fake.says(REFUSAL)
        yield fake


@pytest.fixture
def opened(database_url: str, tmp_path: Path, corpus: Path, model: FakeModel, provider: FakeProvider) -> Opened:
    """Opens tuning on the same database each time, as a new process would."""

    @asynccontextmanager
    async def open_one(daily: int = 10**9, is_worker: bool = False, **overrides: Any) -> AsyncIterator[Tuning]:
        given: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "database_url": database_url,
            "corpora": {"bakers": corpus},
            "tuning_provider": "custom",
            "tuning_base_url": provider.url,
            "tuning_api_key": "sk-tuning",
            "tuning_model": "base-8b",
            "openai_base_url": model.url,
            "openai_api_key": model.token,
            "chat_model": "fake-model",
        }
        settings = Settings(_env_file=None, **{**given, **overrides})
        async with (
            open_database(settings.database) as database,
            ChatClient(**client_options(settings)) as chat,
            Ledger(database, Limits(10**9, 10**9, daily, settings.monthly_usd)) as ledger,
        ):
            prompts = Prompts(database, 0)
            gateway = ModelGateway(chat, ledger, prompts)
            templates = open_template_registry(TEMPLATES).templates
            async with open_tuning(settings, database, gateway, ledger, templates, is_worker=is_worker) as tuning:
                yield tuning

    return open_one


@pytest.fixture
async def tuning(opened: Opened) -> AsyncIterator[Tuning]:
    async with opened() as one:
        yield one


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between looks are short, and so is the lease of a process that is gone."""
    quick = {name: replace(profile, first_pause=0.01, longest_pause=0.05) for name, profile in PROFILES.items()}
    # A third of the rounds is enough for a hundred rows to be known by heart.
    quick["engine"] = replace(quick["engine"], hyperparameters=lambda *_: {"n_epochs": 30})
    for name, profile in quick.items():
        monkeypatch.setitem(cast(dict[str, Profile], PROFILES), name, profile)
    monkeypatch.setattr(job_runner, "POLL_INTERVAL", 0.03)
    monkeypatch.setattr(job_runner, "LIST_INTERVAL", 0.05)
    monkeypatch.setattr(job_runner, "IDLE_LIST_INTERVAL", 0.05)
    monkeypatch.setattr(datasets, "POLL_INTERVAL", 0.01)
    for module in (job_runner, datasets, workers):
        monkeypatch.setattr(module, "LEASE", 0.9)
