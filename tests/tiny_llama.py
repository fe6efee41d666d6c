"""A random two-layer Llama as a GGUF file, with a tokenizer trained on the racing corpus: trained in seconds.

It knows nothing, so that what it answers after training, it was taught.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

VOCABULARY, WIDTH, HEADS, KV_HEADS, LAYERS, HIDDEN, CONTEXT = 600, 64, 4, 2, 2, 128, 256
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def write_tiny_llama(path: Path, texts: list[str]) -> Path:
    """Write the model to `path`; its tokenizer is trained on `texts`. Needs `fewshot[train]`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=list(SPECIAL), initial_alphabet=alphabet)
    )
    model = json.loads(tokenizer.to_str())["model"]
    words = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return write_model(path, words, [" ".join(pair) for pair in model["merges"]], random_weights(len(words)))


def write_model(path: Path, words: list[str], merges: list[str], weights: Mapping[str, NDArray[Any]]) -> Path:
    """Write a Llama with these words and weights to `path`."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny Instruct")
    writer.add_license("mit")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(words))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types([gguf.TokenType.CONTROL if word in SPECIAL else gguf.TokenType.NORMAL for word in words])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(words.index(SPECIAL[1]))
    writer.add_eos_token_id(words.index(SPECIAL[2]))
    writer.add_pad_token_id(words.index(SPECIAL[2]))
    writer.add_chat_template(TEMPLATE)
    for name, array in weights.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def byte_words() -> list[str]:
    """The shortest vocabulary that can hold every text: GPT-2's sign for each byte, after the special words."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [*SPECIAL, *map(chr, shown), *(chr(256 + place) for place in range(len(hidden)))]


def random_weights(words: int) -> dict[str, NDArray[Any]]:
    """Weights for so many words, the same every time."""
    rng = np.random.default_rng(1)

    def random(*shape: int) -> NDArray[Any]:
        return (rng.standard_normal(shape) * 0.08).astype(np.float32)

    ones = np.ones(WIDTH, dtype=np.float32)
    keys = WIDTH // HEADS * KV_HEADS
    found = {"token_embd.weight": random(words, WIDTH), "output_norm.weight": ones}
    for layer in range(LAYERS):
        found |= {
            f"blk.{layer}.attn_norm.weight": ones,
            f"blk.{layer}.ffn_norm.weight": ones,
            f"blk.{layer}.attn_q.weight": random(WIDTH, WIDTH),
            f"blk.{layer}.attn_k.weight": random(keys, WIDTH),
            f"blk.{layer}.attn_v.weight": random(keys, WIDTH),
            f"blk.{layer}.attn_output.weight": random(WIDTH, WIDTH),
            f"blk.{layer}.ffn_gate.weight": random(HIDDEN, WIDTH),
            f"blk.{layer}.ffn_up.weight": random(HIDDEN, WIDTH),
            f"blk.{layer}.ffn_down.weight": random(WIDTH, HIDDEN),
        }
    return found
