"""A base in transformers' form as a GGUF file, so that llama.cpp answers from it, with the adapter.

The architectures of `CONVERTIBLE` are converted where their tokenizer is a byte-level one: Llama 3, SmolLM2, Qwen2 and
Qwen3, the newer Mistrals. Matrices become Q8_0, 8 bits and a shared scale for 32 numbers.

Compared on 2026-11-28, for random models of each: tensors are equal to those of llama.cpp's own converter, which its
authors put into no package, and llama.cpp reads a text of several scripts as the same tokens as transformers. SmolLM2
gives the same greedy answers in both with 16 bits; with 8, they part where two tokens are about as probable.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from bot.core.errors import InputError
from bot.engine.llama.download import Source, check_disk, install, sha256
from bot.engine.llama.store import WEIGHTS, ModelStore
from bot.engine.lora.adapter import architecture_of, interleaved
from bot.engine.lora.config import CONVERTIBLE

# Numbers that share a scale in Q8_0, and the bytes of one.
BLOCK, BYTES_PER_WEIGHT = 32, 34 / 32
# The kinds of scaled positions that are one factor for each frequency.
ROPE_TYPES = frozenset(("default", "linear", "llama3"))


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight of a base: transformers' name for it, its shape, and a function that returns it in 32 bits."""

    name: str
    shape: Sequence[int]
    read: Callable[[], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A byte-level tokenizer.

    `splits` is llama.cpp's name for the way in which text is split before the merges. `kinds` has a `gguf.TokenType`
    for each of the `words`. `special` has the ids of `bos`, `eos` and `pad`.
    """

    words: list[str]
    kinds: list[int]
    merges: list[str]
    splits: str
    special: Mapping[str, int]
    chat_template: str


def install_base(model: Any, tokenizer: Any, source: str, license: str, served_as: Path) -> None:
    """Convert a base that transformers has loaded from `source` to `served_as`, unless that was done before.

    It becomes an installed model. Raises `InputError` for what cannot be converted, `StorageError` for a full disk.
    """
    store, name, label = ModelStore(served_as.parent.parent), served_as.parent.name, Path(source).name
    before = store.find(name)
    if before is not None and before.source != source:
        raise InputError(
            "{name} was converted from {source}. Remove it first: fewshot model remove {name}.",
            name=name,
            source=before.source,
        )
    if before is not None:
        return
    config, tensors = model.config.to_dict(), model.state_dict()
    if config["tie_word_embeddings"]:
        tensors.pop("lm_head.weight", None)
    vocabulary = read_vocabulary(tokenizer, model.get_input_embeddings().num_embeddings)
    factors = _rope_factors(model, source)

    def write(folder: Path) -> str:
        check_disk(folder, int(BYTES_PER_WEIGHT * sum(tensor.numel() for tensor in tensors.values())))
        part = folder / f"{WEIGHTS}.part"
        try:
            weights = [Weight(key, tuple(tensor.shape), partial(array_of, tensor)) for key, tensor in tensors.items()]
            write_base(part, config, weights, vocabulary, rope_factors=factors, name=label, license=license)
            part.replace(folder / WEIGHTS)
        finally:
            part.unlink(missing_ok=True)
        return sha256(folder / WEIGHTS)

    install(store, Source(name, label, license=license, path=Path(source)), write)


def array_of(tensor: Any) -> NDArray[Any]:
    """A tensor of PyTorch in 32 bits."""
    array: NDArray[Any] = tensor.detach().float().cpu().numpy()
    return array


def _rope_factors(model: Any, source: str) -> NDArray[Any]:
    """By what each frequency of the rotary embedding is divided."""
    rotary, settings = model.model.rotary_emb, model.config.rope_parameters
    if settings["rope_type"] not in ROPE_TYPES:
        raise InputError(
            "{name} cannot be converted: its positions are scaled by {kind}.", name=source, kind=settings["rope_type"]
        )
    frequencies = array_of(rotary.inv_freq)
    if settings["rope_type"] == "default":
        return np.ones_like(frequencies)
    places = np.arange(len(frequencies), dtype=np.float32) / len(frequencies)
    factors: NDArray[Any] = settings["rope_theta"] ** -places / frequencies
    return factors.astype(np.float32)


def read_vocabulary(tokenizer: Any, size: int) -> Vocabulary:
    """The vocabulary of a tokenizer of transformers, filled up to the `size` of the base's embedding.

    Raises `InputError` for a tokenizer that llama.cpp would have to read in another way.
    """
    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    splits = _splits(parts["pre_tokenizer"] or {})
    if parts["model"]["type"] != "BPE" or splits is None:
        raise InputError(
            "The tokenizer of {name} cannot be converted for llama.cpp. Tune a GGUF file of the model (fewshot model "
            "get …), or set SERVING_URL to a vLLM server of it.",
            name=tokenizer.name_or_path,
        )
    words = [f"[PAD{number}]" for number in range(size)]
    kinds = [int(gguf.TokenType.UNUSED)] * size
    for word, number in parts["model"]["vocab"].items():
        words[number], kinds[number] = word, int(gguf.TokenType.NORMAL)
    for added in parts["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        words[added["id"]], kinds[added["id"]] = added["content"], int(kind)
    merges = [each if isinstance(each, str) else " ".join(each) for each in parts["model"]["merges"]]
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    found = {name: number for name, number in special.items() if number is not None}
    return Vocabulary(words, kinds, merges, splits, found, tokenizer.chat_template)


def _splits(step: Mapping[str, Any]) -> str | None:
    """llama.cpp's name for a step before the merges; None where it has no such step."""
    # transformers reads GGUF files by this table of llama.cpp's names.
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    *before, last = step["pretokenizers"] if step.get("type") == "Sequence" else [step]
    if last.get("type") != "ByteLevel" or last["add_prefix_space"]:
        return None
    if last["use_regex"]:
        digits = {"type": "Digits", "individual_digits": True}
        return {"[]": "gpt-2", json.dumps([digits]): "smollm"}.get(json.dumps(before))
    names = {split: name for name, split in reversed(GGUF_PRE_TOKENIZER_SPLITS.items())}
    return names.get(before[0].get("pattern", {}).get("Regex")) if len(before) == 1 else None


def write_base(
    path: Path,
    config: Mapping[str, Any],
    weights: Sequence[Weight],
    vocabulary: Vocabulary,
    *,
    rope_factors: NDArray[Any],
    name: str,
    license: str,
) -> None:
    """Write a base to `path`, one weight after the other.

    `config` and the weights' names are those of transformers. `rope_factors` divide the frequencies of the rotary
    embedding. Raises `InputError` for what llama.cpp has no place for.
    """
    architecture, heads = CONVERTIBLE[config["architectures"][0]], config["num_attention_heads"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_license(license)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(2 * len(rope_factors))
    writer.add_value_length(2 * len(rope_factors))
    writer.add_rope_dimension_count(2 * len(rope_factors))
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    _add_vocabulary(writer, vocabulary)
    names = gguf.get_tensor_name_map(architecture_of(architecture), config["num_hidden_layers"])
    for weight in weights:
        target = names.get_name(weight.name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise InputError(
                "{name} cannot be converted: llama.cpp has no place for {weight}.", name=name, weight=weight.name
            )
        stored = gguf.quants.quant_shape_to_byte_shape(weight.shape, kind := _kind(weight.shape))
        writer.add_tensor_info(target, stored, np.dtype(np.uint8), math.prod(stored), raw_dtype=kind)
    scaled = bool((rope_factors != 1).any())
    if scaled and architecture != "llama":
        raise InputError("{name} cannot be converted: llama.cpp has no place for its scaled positions.", name=name)
    if scaled:
        writer.add_tensor_info("rope_freqs.weight", rope_factors.shape, rope_factors.dtype, rope_factors.nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for weight in weights:
        values = weight.read()
        if architecture == "llama" and ".q_proj." in weight.name:
            values = interleaved(values, heads)
        elif architecture == "llama" and ".k_proj." in weight.name:
            values = interleaved(values, config["num_key_value_heads"])
        writer.write_tensor_data(gguf.quantize(values, _kind(weight.shape)))
    if scaled:
        writer.write_tensor_data(rope_factors)
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    writer.add_vocab_size(len(vocabulary.words))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.splits)
    writer.add_token_list(vocabulary.words)
    writer.add_token_types(vocabulary.kinds)
    writer.add_token_merges(vocabulary.merges)
    for kind, number in vocabulary.special.items():
        getattr(writer, f"add_{kind}_token_id")(number)
    # A chat template that wants this token writes it itself, in training too.
    writer.add_add_bos_token(False)
    writer.add_chat_template(vocabulary.chat_template)


def _kind(shape: Sequence[int]) -> gguf.GGMLQuantizationType:
    """How a weight is stored."""
    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    return gguf.GGMLQuantizationType.F16 if shape[-1] % BLOCK else gguf.GGMLQuantizationType.Q8_0
