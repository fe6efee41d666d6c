"""An adapter of PEFT becomes a GGUF file with llama.cpp's names and order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.core.errors import InputError
from bot.engine.lora.adapter import interleaved, write_gguf
from tests.tiny_llama import HEADS, SPECIAL, WIDTH, write_model

QUERY, DOWN = "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"
RANK = 2
RNG = np.random.default_rng(3)


def numbers(*shape: int) -> NDArray[Any]:
    return RNG.standard_normal(shape).astype(np.float32)


def base(path: Path, query: NDArray[Any]) -> Path:
    return write_model(
        path, list(SPECIAL), [], {"blk.0.attn_q.weight": query, "blk.1.ffn_down.weight": numbers(64, 128)}
    )


def parts(module: str, rows: int, columns: int) -> dict[str, NDArray[Any]]:
    name = f"base_model.model.{module}.lora"
    return {f"{name}_A.weight": numbers(RANK, columns), f"{name}_B.weight": numbers(rows, RANK)}


@pytest.mark.parametrize(
    "stored", [lambda weight: interleaved(weight, HEADS), lambda weight: weight], ids=["llama's order", "its own order"]
)
def test_an_adapter_is_written_in_the_order_that_its_base_has(
    tmp_path: Path, stored: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    own = numbers(WIDTH, WIDTH)
    weights = parts(QUERY, WIDTH, WIDTH) | parts(DOWN, 64, 128)
    write_gguf(weights, 32.0, base(tmp_path / "base.gguf", stored(own)), tmp_path / "a.gguf", {QUERY: own})
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    written = {tensor.name: tensor.data for tensor in reader.tensors}
    assert sorted(written) == [
        *("blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"),
        *("blk.1.ffn_down.weight.lora_a", "blk.1.ffn_down.weight.lora_b"),
    ]
    name = f"base_model.model.{QUERY}.lora_B.weight"
    np.testing.assert_array_equal(written["blk.0.attn_q.weight.lora_b"], stored(weights[name]))
    np.testing.assert_array_equal(written["blk.1.ffn_down.weight.lora_b"], weights[name.replace(QUERY, DOWN)])
    facts = {key: reader.get_field(key) for key in ("general.type", "adapter.type", "adapter.lora.alpha")}
    assert [field.contents() for field in facts.values() if field] == ["adapter", "lora", 32.0]


def test_interleaving_puts_the_halves_of_each_head_beside_each_other() -> None:
    rows = np.arange(8).reshape(8, 1)
    assert interleaved(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_an_adapter_for_weights_that_the_base_lacks_is_refused(tmp_path: Path) -> None:
    strange = parts("model.layers.0.mlp.router", 8, 8)
    with pytest.raises(InputError, match="has no weight for"):
        write_gguf(strange, 32.0, base(tmp_path / "base.gguf", numbers(WIDTH, WIDTH)), tmp_path / "a.gguf", {})
