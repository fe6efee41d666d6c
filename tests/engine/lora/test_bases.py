"""What can be tuned, and what is refused with which sentence. Needs no torch."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import FewshotError
from bot.engine.llama.catalog import Machine
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import ModelStore
from bot.engine.lora import bases
from bot.engine.lora.bases import Base, base_name, download, find_base, served_name
from bot.engine.lora.config import Config
from tests.fake_hub import FakeHub
from tests.gguf_files import chat_model, gguf
from tests.model_folder import folder_model


@pytest.fixture(autouse=True)
def installed_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "NEEDED", ())


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with the installed model `tiny`."""
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf(chat_model()))
    store = ModelStore(tmp_path / "models")
    fetch(store, source_of(str(path)), lambda done, total: None)
    return store


def test_an_installed_model_a_folder_and_a_name_on_the_hub_can_be_tuned(store: ModelStore, tmp_path: Path) -> None:
    tiny = find_base(store, "tiny", served_elsewhere=False)
    assert (tiny.name, tiny.license, tiny.parameters, tiny.context) == ("tiny", "apache-2.0", 16, 512)
    assert tiny.served_as == store.weights("tiny").resolve()
    assert Config(**tiny.settings()).served_as == str(tiny.served_as)
    path = folder_model(tmp_path / "My-Model 2B", license="mit")
    folder = find_base(store, path, served_elsewhere=False)
    made = store.folder.resolve() / "my-model-2b-q8_0" / "model.gguf"
    assert folder == Base("my-model-2b", path, None, made, "LlamaForCausalLM", "mit", 12, 512)
    assert not find_base(store, path, served_elsewhere=True).is_converted
    hub = find_base(store, "Qwen/Qwen3.5-2B", served_elsewhere=False)
    assert (hub.name, hub.source, hub.parameters, hub.is_converted) == ("qwen3.5-2b", "Qwen/Qwen3.5-2B", 0, True)
    assert base_name("ft:qwen3.5-2b:local:racing:12345678") == "qwen3.5-2b"


def test_a_conversion_answers_for_its_own_source_alone(store: ModelStore, tmp_path: Path) -> None:
    path = tmp_path / "tiny-q8_0.gguf"
    path.write_bytes(gguf(chat_model()))
    converted = fetch(store, source_of(str(path)), lambda done, total: None)
    store.add(replace(converted, source=str(tmp_path / "tiny")))
    assert served_name(store, str(tmp_path / "tiny")) == "tiny-q8_0"
    assert served_name(store, "tiny") == "tiny"
    assert served_name(store, "owner/tiny") == "owner/tiny"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, ""),
        ({"license": "cc-by-nd-4.0"}, "does not allow adapted versions"),
        ({"architectures": ["MambaForCausalLM"]}, r"its architecture \(MambaForCausalLM\) cannot be converted"),
        ({"without": "model.safetensors"}, "no weights as safetensors"),
    ],
)
async def test_a_base_on_the_hub_is_checked_before_its_weights_are_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], error: str
) -> None:
    folder = Path(folder_model(tmp_path / "Base", **changes))
    async with FakeHub({f"owner/Base/{path.name}": path.read_bytes() for path in folder.iterdir()}) as hub:
        address = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        base = Base("base", "owner/Base", served_as=tmp_path / "base-q8_0" / "model.gguf")
        if not error:
            found = await asyncio.to_thread(download, base)
            assert (found.name, found.parameters, found.is_converted) == ("base", 12, True)
            return
        with pytest.raises(FewshotError, match=error):
            await asyncio.to_thread(download, base)
    assert not list(tmp_path.glob("cache/**/*.safetensors"))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: "nothing", "no installed model \\(tiny\\), no folder with a model and no name on the hub"),
        (lambda folder: folder_model(folder / "m", architectures=["MambaForCausalLM"]), "or set SERVING_URL to a vLLM"),
        (lambda folder: folder_model(folder / "m", license="cc-by-nc-nd-4.0"), "does not allow adapted versions"),
        (lambda folder: folder_model(folder / "m", without="config.json"), "holds no language model"),
        (lambda folder: folder_model(folder / "m", architectures=["BertModel"]), "holds no language model"),
        (lambda folder: folder_model(folder / "m", without="model.safetensors"), "no weights as safetensors"),
        (lambda folder: folder_model(folder / "m", without="tokenizer_config.json"), "holds no tokenizer"),
    ],
)
def test_what_cannot_be_tuned_is_refused_with_what_to_do(
    store: ModelStore, tmp_path: Path, make: Callable[[Path], str], sentence: str
) -> None:
    with pytest.raises(FewshotError, match=sentence):
        find_base(store, make(tmp_path), served_elsewhere=False)


def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bases, "NEEDED", ("no_such_package",))
    with pytest.raises(FewshotError, match=r"pip install -e '\.\[train\]'"):
        find_base(store, "tiny", served_elsewhere=False)


def test_hours_and_memory_are_estimated_from_the_size() -> None:
    here = Machine(memory=8 * 2**30, free_memory=4 * 2**30, cores=3, free_disk=2**40)
    base = Base("b", "b", parameters=135_000_000)
    one_core = Machine(here.memory, here.free_memory, 1, here.free_disk)
    seconds = base.training_seconds(1_000_000, one_core)
    assert seconds is not None
    assert base.training_seconds(1_000_000, here) == pytest.approx(seconds / 2)
    assert base.training_memory is not None
    assert 3 * 2**30 < base.training_memory < 4 * 2**30
    assert Base("b", "b").training_seconds(1, here) is None
    assert Base("b", "b").training_memory is None
