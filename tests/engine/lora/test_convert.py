"""A base in transformers' form becomes a GGUF file with llama.cpp's names, order and tokens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.core.errors import InputError
from bot.engine.llama.gguf import read_header
from bot.engine.lora.adapter import interleaved
from bot.engine.lora.convert import Vocabulary, Weight, write_base

WIDTH, HEADS, LAYER = 64, 4, "model.layers.0"
CONFIG = {
    "num_hidden_layers": 1,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "hidden_size": WIDTH,
    "intermediate_size": 128,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_theta": 10_000.0},
}
WORDS = Vocabulary(["<s>", "a", "b", "ab"], [3, 1, 1, 1], ["a b"], "gpt-2", {"eos": 0}, "{{ messages }}")
NO_SCALE = np.ones(8, dtype=np.float32)


def weight(name: str, *shape: int) -> Weight:
    # Sixteenths up to 7.9 in each block of 32: numbers that 8 bits with a scale hold as they are.
    numbers = np.resize(np.arange(-127, 128), int(np.prod(shape))).astype(np.float32) / 16
    return Weight(name, shape, lambda: numbers.reshape(shape))


def converted(
    path: Path,
    weights: Sequence[Weight],
    *,
    architecture: str = "LlamaForCausalLM",
    rope_factors: NDArray[np.float32] = NO_SCALE,
) -> dict[str, NDArray[Any]]:
    config = CONFIG | {"architectures": [architecture]}
    write_base(path, config, weights, WORDS, rope_factors=rope_factors, name="Base", license="mit")
    found = gguf.GGUFReader(path).tensors
    return {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in found}


def test_weights_get_llama_cpps_names_and_the_order_of_their_architecture(tmp_path: Path) -> None:
    weights = [
        weight("model.embed_tokens.weight", 4, WIDTH),
        weight(f"{LAYER}.self_attn.q_proj.weight", WIDTH, WIDTH),
        weight(f"{LAYER}.self_attn.k_proj.weight", 32, WIDTH),
        weight(f"{LAYER}.self_attn.k_proj.bias", 32),
        weight(f"{LAYER}.mlp.down_proj.weight", WIDTH, 128),
    ]
    names = ["token_embd.weight", "blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_k.bias"]
    llama = converted(tmp_path / "llama.gguf", weights)
    qwen = converted(tmp_path / "qwen.gguf", weights, architecture="Qwen2ForCausalLM")
    assert list(llama) == list(qwen) == [*names, "blk.0.ffn_down.weight"]
    for name, each in zip(qwen, weights, strict=True):
        np.testing.assert_allclose(qwen[name], each.read(), atol=0.04)
    np.testing.assert_array_equal(llama["blk.0.attn_q.weight"], interleaved(qwen["blk.0.attn_q.weight"], HEADS))
    np.testing.assert_array_equal(llama["blk.0.attn_k.bias"], interleaved(qwen["blk.0.attn_k.bias"], 2))
    header = read_header(tmp_path / "llama.gguf")
    assert (header.architecture, header.name, header.license, header.context) == ("llama", "Base", "mit", 256)
    assert header.chat_template == "{{ messages }}"
    # One layer, two key-value heads of 16 numbers, keys and values, two bytes each.
    assert header.kv_bytes == 2 * 16 * 2 * 2


def test_scaled_positions_are_written_for_llama_and_refused_elsewhere(tmp_path: Path) -> None:
    factors = np.linspace(1, 8, 8, dtype=np.float32)
    weights = [weight("model.norm.weight", WIDTH)]
    written = converted(tmp_path / "llama.gguf", weights, rope_factors=factors)
    np.testing.assert_array_equal(written["rope_freqs.weight"], factors)
    with pytest.raises(InputError, match="no place for its scaled positions"):
        converted(tmp_path / "qwen.gguf", weights, rope_factors=factors, architecture="Qwen3ForCausalLM")


def test_a_weight_that_llama_cpp_has_no_place_for_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no place for model\.layers\.0\.router\.weight"):
        converted(tmp_path / "base.gguf", [weight(f"{LAYER}.router.weight", 4, WIDTH)])
