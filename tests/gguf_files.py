"""Small GGUF files, written as the format says, for tests of what reads them."""

import struct
from collections.abc import Mapping
from typing import Any


def gguf(values: Mapping[str, Any], *, tensors: int = 1, data: int = 64, version: int = 3) -> bytes:
    """A file with these entries and `tensors` float tensors of 16 elements; `data` bytes come after the header."""
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, len(values))
    for name, value in values.items():
        head += _string(name) + _value(value)
    for number in range(tensors):
        head += _string(f"t{number}") + struct.pack("<IQIQ", 1, 16, 0, 64 * number)
    return head + bytes(-len(head) % 32) + bytes(data)


def chat_model(**changes: Any) -> dict[str, Any]:
    """The entries of a small chat model; None leaves an entry out."""
    values = {
        "general.architecture": "llama",
        "general.name": "Tiny Instruct",
        "general.license": "apache-2.0",
        "llama.context_length": 512,
        "llama.block_count": 2,
        "llama.embedding_length": 32,
        "llama.attention.head_count": 4,
        "tokenizer.ggml.tokens": ["a", "b", "c"],
        "tokenizer.chat_template": "{{ messages }}",
    }
    values |= {name.replace("__", "."): value for name, value in changes.items()}
    return {name: value for name, value in values.items() if value is not None}


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_string(each) for each in value)
    return struct.pack("<II", 4, value)
