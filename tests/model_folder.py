"""A folder with a model in Hugging Face's form, as far as its files are read without torch."""

import json
from pathlib import Path
from typing import Any


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
