"""The header of a GGUF file, read without loading the model.

The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, version 3, read on 2026-11-28. Only scalars and
strings are kept; arrays (a tokenizer's vocabulary has 100,000 entries) are skipped, so a header of 10 MB takes
milliseconds where the `gguf` package takes seconds.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bot.core.errors import FewshotError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# Bounds on what a broken or hostile header may claim.
MAX_ENTRIES, MAX_TENSORS, MAX_STRING, MAX_DIMENSIONS = 100_000, 1_000_000, 16 * 1024 * 1024, 8
DEFAULT_ALIGNMENT = 32
# The struct codes of the value types of the format, except strings and arrays.
SCALARS: Mapping[int, str] = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
# Bytes of a block of each tensor type, by the number of elements in the block (ggml.h, read on 2026-11-28). A type that
# is not listed counts as empty.
_BLOCK_BYTES = {
    1: {0: 4, 1: 2, 30: 2, 24: 1, 25: 2, 26: 4, 27: 8, 28: 8},
    32: {2: 18, 3: 20, 6: 22, 7: 24, 8: 34, 9: 36, 20: 18},
    256: {
        10: 84,
        11: 110,
        12: 144,
        13: 176,
        14: 210,
        15: 292,
        16: 66,
        17: 74,
        18: 98,
        19: 50,
        21: 110,
        22: 82,
        23: 136,
    },
}
# Elements and bytes of a block, by tensor type.
BLOCKS = {kind: (elements, size) for elements, sizes in _BLOCK_BYTES.items() for kind, size in sizes.items()}
# Architectures of files that accompany a chat model and cannot answer alone.
NOT_CHAT = frozenset(
    {"clip", "bert", "nomic-bert", "jina-bert-v2", "t5encoder", "wavtokenizer-dec", "whisper", "adapter"}
)


class ModelFileError(FewshotError):
    """A model file that cannot be used; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself.

    `context` is the longest prompt and answer in tokens that the model was trained for. `kv_bytes` is the memory for
    one token of context in bytes, with 16-bit keys and values. `parameters` counts the weights.
    """

    architecture: str
    name: str
    context: int
    chat_template: str | None
    license: str | None
    kv_bytes: int
    size: int
    parameters: int

    @property
    def looks_like_base(self) -> bool:
        """Whether the name says that the model was not trained to follow instructions."""
        words = set(self.name.lower().replace("-", " ").replace("_", " ").split())
        return bool(words & {"base", "pt"}) and not words & {"instruct", "it", "chat"}


def read_header(path: Path) -> Header:
    """The header of the file at `path`. Raises `ModelFileError` where it is no whole GGUF file of a language model."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            return _Reader(file, path.name, size).header()
    except (struct.error, EOFError, UnicodeDecodeError, OverflowError):
        raise ModelFileError("{file} is cut off: its header ends too early. Fetch it again.", file=path.name) from None


class _Reader:
    """Reads one header from front to back."""

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self._file, self._name, self._size = file, name, size

    def header(self) -> Header:
        if self._file.read(4) != MAGIC:
            raise ModelFileError("{file} is not a GGUF file: its first four bytes are not GGUF.", file=self._name)
        version = self._number("I")
        if version not in VERSIONS:
            raise ModelFileError(
                "{file} is GGUF version {version}; versions 2 and 3 can be read.", file=self._name, version=version
            )
        tensors, entries = self._number("Q"), self._number("Q")
        if tensors > MAX_TENSORS or entries > MAX_ENTRIES:
            raise ModelFileError("{file} has a damaged header. Fetch it again.", file=self._name)
        values = dict(self._entry() for _ in range(entries))
        parameters = self._check_size(tensors, int(values.get("general.alignment") or DEFAULT_ALIGNMENT))
        architecture = str(values.get("general.architecture", ""))
        if not architecture or architecture in NOT_CHAT or not tensors:
            raise ModelFileError(
                "{file} holds no chat model (its architecture is {architecture}).",
                file=self._name,
                architecture=architecture[:40] or "none",
            )
        return Header(
            architecture=architecture,
            name=str(values.get("general.name") or Path(self._name).stem)[:200],
            context=int(values.get(f"{architecture}.context_length") or 0),
            chat_template=values.get("tokenizer.chat_template"),
            license=values.get("general.license"),
            kv_bytes=_kv_bytes(values, architecture),
            size=self._size,
            parameters=parameters,
        )

    def _check_size(self, tensors: int, alignment: int) -> int:
        """Returns how many numbers the tensors hold. Raises if they would end after the end of the file."""
        end, total = 0, 0
        for _ in range(tensors):
            self._string()
            dimensions = self._number("I")
            if dimensions > MAX_DIMENSIONS:
                raise ModelFileError("{file} has a damaged header. Fetch it again.", file=self._name)
            elements = 1
            for _ in range(dimensions):
                elements *= self._number("Q")
            total += elements
            block, size = BLOCKS.get(self._number("I"), (1, 0))
            end = max(end, self._number("Q") + elements // block * size)
        start = -(-self._file.tell() // alignment) * alignment
        if start + end > self._size:
            raise ModelFileError(
                "{file} is cut off: {have:,} of at least {need:,} bytes are there. Fetch it again.",
                file=self._name,
                have=self._size,
                need=start + end,
            )
        return total

    def _entry(self) -> tuple[str, Any]:
        return self._string(), self._value(self._number("I"))

    def _value(self, kind: int) -> Any:
        """A scalar or a string; None for an array, which is skipped."""
        if kind in SCALARS:
            return self._number(SCALARS[kind])
        if kind == STRING:
            return self._string()
        if kind != ARRAY:
            raise ModelFileError("{file} has a damaged header. Fetch it again.", file=self._name)
        of, count = self._number("I"), self._number("Q")
        if of in SCALARS:
            self._skip(struct.calcsize(f"<{SCALARS[of]}") * count)
        else:
            for _ in range(count):
                if of == STRING:
                    self._skip(self._number("Q"))
                else:
                    self._value(of)
        return None

    def _number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self._file.read(struct.calcsize(f"<{code}")))[0]

    def _string(self) -> str:
        length = self._number("Q")
        if length > MAX_STRING:
            raise ModelFileError("{file} has a damaged header. Fetch it again.", file=self._name)
        data = self._file.read(length)
        if len(data) < length:
            raise EOFError
        return data.decode("utf-8", errors="replace")

    def _skip(self, length: int) -> None:
        """Skip `length` bytes. Raises at once if that is after the end of the file, not at the next read."""
        if self._file.tell() + length > self._size:
            raise EOFError
        self._file.seek(length, 1)


def _kv_bytes(values: Mapping[str, Any], architecture: str) -> int:
    """Bytes of keys and values for one token of context: two 16-bit vectors a layer and key-value head."""

    def number(name: str, default: int = 0) -> int:
        return int(values.get(f"{architecture}.{name}") or default)

    heads = number("attention.head_count", 1)
    width = number("embedding_length")
    key = number("attention.key_length", width // heads)
    value = number("attention.value_length", key)
    return number("block_count") * number("attention.head_count_kv", heads) * (key + value) * 2
