"""The settings of a LoRA run. Imports no torch, so that a server may import it."""

from dataclasses import dataclass
from typing import Any

from bot.engine.pocket.config import Auto, check_range

# The most tokens of a training row, also where the base's context holds more: memory grows with them.
MAX_CONTEXT = 4_096
# The file of an adapter for llama.cpp, beside the one that PEFT and vLLM read.
ADAPTER_GGUF = "adapter.gguf"
# Architectures of transformers whose bases are converted for llama.cpp, with its names for them.
CONVERTIBLE = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
# What `auto` means. Rank and epochs are where PEFT's and TRL's guides begin; a CPU holds the batch in 3 GiB for a small
# model. The rate is TRL's advice for LoRA, ten times that of full tuning.
AUTO = {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.0, "lora_rank": 16}
LEARNING_RATE = 5e-4


@dataclass(frozen=True)
class Config:
    """How to train an adapter.

    `source` is a folder or a name on the hub, or, with `gguf_file`, the folder of that file. `served_as` is the GGUF
    file that llama.cpp serves with the adapter, converted from `source` where it does not exist yet; None where another
    server answers. `adapter` is the folder of an adapter to go on from. The learning rate is `LEARNING_RATE` times its
    multiplier.
    """

    source: str
    gguf_file: str | None = None
    served_as: str | None = None
    adapter: str | None = None
    context: int = MAX_CONTEXT
    n_epochs: int | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate_multiplier: float | Auto = "auto"
    lora_rank: int | Auto = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises an `InputError` that names the first value out of range."""
        for name in AUTO:
            check_range(name, getattr(self, name))

    @property
    def resolved(self) -> dict[str, Any]:
        """The hyperparameters with every `auto` replaced by its value."""
        return {name: auto if getattr(self, name) == "auto" else getattr(self, name) for name, auto in AUTO.items()}
