"""A model file is read by its header alone, and a broken one is refused with a sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.llama.gguf import ModelFileError, read_header
from tests.gguf_files import chat_model, gguf
from tests.smollm2 import smollm2


def test_the_header_of_a_real_model() -> None:
    header = read_header(smollm2())
    assert (header.architecture, header.context, header.license) == ("llama", 8192, "apache-2.0")
    # 30 layers, 3 key-value heads, 64 numbers a head, keys and values, two bytes each.
    assert header.kv_bytes == 30 * 3 * 64 * 2 * 2
    assert header.chat_template is not None
    assert "<|im_start|>" in header.chat_template
    assert not header.looks_like_base


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.999])
def test_a_cut_off_model_is_named(share: float, tmp_path: Path) -> None:
    data = smollm2().read_bytes()
    file = tmp_path / "cut.gguf"
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelFileError, match=r"cut\.gguf is cut off"):
        read_header(file)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is not a GGUF file"),
        (b"PK\x03\x04 a zip file", "is not a GGUF file"),
        (b"GGUF", "is cut off"),
        (gguf(chat_model(), version=1), "is GGUF version 1"),
        (gguf(chat_model(), version=77), "is GGUF version 77"),
        (gguf(chat_model(), data=0), "is cut off"),
        (gguf(chat_model(), tensors=0), "holds no chat model"),
        (gguf(chat_model(general__architecture="bert")), "holds no chat model"),
        (gguf(chat_model(general__architecture=None)), "holds no chat model"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 16, "damaged header"),
    ],
)
def test_a_file_that_is_no_chat_model_is_refused(data: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(data)
    with pytest.raises(ModelFileError, match=sentence):
        read_header(file)


@given(noise=st.binary(max_size=400), at=st.integers(0, 300))
def test_damaged_headers_raise_nothing_else(noise: bytes, at: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "noise.gguf"
    whole = gguf(chat_model())
    for data in (b"GGUF\x03\x00\x00\x00" + noise, whole[:at] + noise + whole[at + len(noise) :]):
        file.write_bytes(data)
        try:
            read_header(file)
        except ModelFileError:
            continue


@pytest.mark.parametrize(
    ("name", "base"),
    [("Qwen3.5 2B Base", True), ("gemma-3-270m-pt", True), ("SmolLM2 Instruct", False), ("gemma-4-E2B-it", False)],
)
def test_a_base_model_is_known_by_its_name(name: str, base: bool, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(gguf(chat_model(general__name=name)))
    assert read_header(file).looks_like_base is base
