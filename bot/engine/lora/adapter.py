"""An adapter of PEFT as a GGUF file, which llama.cpp adds to its base while it answers.

Both name and order weights differently. The names are in the tables of the `gguf` package. The order differs in one
place: for models that began as Llama, the rows of the query and key weights are interleaved within each head, because
llama.cpp rotates neighbours where transformers rotates halves. Which order a base has is read from its weights.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from bot.core.errors import InputError

# `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`, as PEFT names the weights that it saves.
PEFT_NAME = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<part>[AB])\.weight")
Weights = Mapping[str, NDArray[Any]]


def write_gguf(adapter: Weights, alpha: float, base: Path, path: Path, queries: Weights) -> None:
    """Write an adapter for the model in the GGUF file `base`.

    `adapter` has PEFT's names. `queries` has the base's own query and key weights by module, in transformers' order.
    Raises `InputError` for a weight that the base does not have.
    """
    reader = gguf.GGUFReader(base)
    architecture = str(_value(reader, "general.architecture"))
    blocks = int(_value(reader, f"{architecture}.block_count"))
    names = gguf.get_tensor_name_map(architecture_of(architecture), blocks)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for name, weight in sorted(adapter.items()):
        found = PEFT_NAME.fullmatch(name)
        target = names.get_name(found["module"]) if found else None
        if found is None or f"{target}.weight" not in tensors:
            raise InputError("The base has no weight for {name} of the adapter.", name=name)
        if found["part"] == "B" and (own := queries.get(found["module"])) is not None:
            kind = "head_count_kv" if "attn_k" in str(target) else "head_count"
            heads = int(_value(reader, f"{architecture}.attention.{kind}"))
            if _is_interleaved(tensors[f"{target}.weight"], own, heads):
                weight = interleaved(weight, heads)
        writer.add_tensor(f"{target}.weight.lora_{found['part'].lower()}", weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def architecture_of(name: str) -> gguf.MODEL_ARCH:
    """The architecture that llama.cpp calls `name`. Raises `InputError` for one that `gguf` does not know."""
    for architecture, known in gguf.MODEL_ARCH_NAMES.items():
        if known == name:
            return architecture
    raise InputError("Adapters for {architecture} cannot be written.", architecture=name)


def interleaved(weight: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows in llama.cpp's order: the first of each head's first half, the first of its second half, and so on."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def _is_interleaved(tensor: gguf.ReaderTensor, own: NDArray[Any], heads: int) -> bool:
    """Whether a weight of the GGUF file, which may be quantized, has llama.cpp's order."""
    stored = gguf.dequantize(tensor.data, tensor.tensor_type)
    return bool(np.abs(stored - interleaved(own, heads)).sum() < np.abs(stored - own).sum())


def _value(reader: gguf.GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    if field is None:
        raise InputError("The base's file does not state {key}.", key=key)
    return field.contents()
