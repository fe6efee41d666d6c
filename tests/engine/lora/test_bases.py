"""What can be tuned, and what is refused with which sentence. Needs no torch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.core.errors import FewshotError
from bot.engine.llama.catalog import Machine
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import ModelStore
from bot.engine.lora import bases
from bot.engine.lora.bases import Base, base_name, find_base
from bot.engine.lora.config import Config
from tests.gguf_files import chat_model, gguf


def folder_model(folder: Path, *, without: str = "", license: str = "apache-2.0", **config: Any) -> str:
    """A folder as `save_pretrained` writes it, with one tensor of 3 × 4 numbers."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}, "__metadata__": {}}).encode()
    files = {
        "config.json": json.dumps(
            {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 512} | config
        ).encode(),
        "model.safetensors": len(header).to_bytes(8, "little") + header + bytes(48),
        "tokenizer_config.json": b"{}",
        "README.md": f"---\nlicense: {license}\n---\n".encode(),
    }
    folder.mkdir()
    for name, data in files.items():
        if name != without:
            (folder / name).write_bytes(data)
    return str(folder)


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
    folder = find_base(store, path, served_elsewhere=True)
    assert folder == Base("my-model-2b", path, None, "mit", 12, 512)
    hub = find_base(store, "Qwen/Qwen3.5-2B", served_elsewhere=True)
    assert (hub.name, hub.source, hub.parameters) == ("qwen3.5-2b", "Qwen/Qwen3.5-2B", 0)
    assert base_name("ft:qwen3.5-2b:local:racing:12345678") == "qwen3.5-2b"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: "nothing", "no installed model \\(tiny\\), no folder with a model and no name on the hub"),
        (lambda folder: "owner/model", "set SERVING_URL to a vLLM server"),
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
    with pytest.raises(FewshotError, match=r"pip install 'fewshot\[train\]'"):
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
