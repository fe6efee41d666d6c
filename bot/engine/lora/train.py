"""Trains a LoRA adapter with TRL: one function from rows to an adapter, which can be stopped and resumed at any step.

A checkpoint is whole once it has the file `WHOLE`; after a kill the newest whole one is resumed. TRL restores weights,
optimizer, schedule and random state from it, and skips the batches before it, so that a resumed run ends with the
losses of an uninterrupted one.
"""

import gc
import hashlib
import importlib.metadata
import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from bot.core.errors import InputError
from bot.engine import disk
from bot.engine.llama.catalog import machine
from bot.engine.llama.download import sha256
from bot.engine.lora.adapter import write_gguf
from bot.engine.lora.bases import Base, base_name, download, read_folder
from bot.engine.lora.config import ADAPTER_GGUF, LEARNING_RATE, Config
from bot.engine.lora.convert import array_of, install_base
from bot.engine.pocket.config import Row, StepMetrics

# The linear layers of a transformer block under the names that most models give them.
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
# An adapter is scaled by alpha / rank. A constant alpha lets one learning rate serve every rank.
ALPHA = 32
WARMUP = 0.05
# The label of a token that has no loss, in PyTorch.
IGNORED = -100
# A kill costs at most this much training, or twenty times what a checkpoint takes to write, whichever is more.
CHECKPOINT_SECONDS = 2.0
CHECKPOINT_SHARE = 20
# The steps that are timed for the estimate. The first is not: it allocates memory.
TIMED_STEPS = 3
WHOLE, MANIFEST = "whole", "manifest.json"

T = TypeVar("T")
log = logging.getLogger(__name__)


def main(
    config: Config,
    rows: Sequence[Row],
    validation: Sequence[Row],
    *,
    folder: Path,
    on_metrics: Callable[[StepMetrics], None],
    should_stop: Callable[[], bool],
) -> tuple[int, dict[str, Any]] | None:
    """Trains an adapter into `folder/model`. Returns the tokens trained and the hyperparameters, None where it stopped.

    Raises `InputError` for a base that cannot be loaded, a row that is longer than the context, a training that does
    not fit into memory with half the batch either.
    """
    cuda = torch.cuda.is_available()
    threads = machine(folder).threads
    if not cuda:
        torch.set_num_threads(threads)
    settings = json.dumps([asdict(config), list(rows), list(validation)], sort_keys=True)
    identity = hashlib.sha256(settings.encode()).hexdigest()
    device = torch.cuda.get_device_name() if cuda else f"{threads} of the processor's cores"
    log.info("config %s, resolved %s, data and config %s, on %s", asdict(config), config.resolved, identity, device)
    source, license = config.source, ""
    if config.gguf_file is None:
        weights = local_base(config)
        config, license = replace(config, source=weights.source, context=weights.context), weights.license

    def attempt(batch_size: int, accumulate: int) -> tuple[int, dict[str, Any]] | None:
        set_seed(config.seed)
        tokenizer, base = load_base(config, cuda)
        if config.served_as and config.gguf_file is None:
            install_base(base, tokenizer, source, license, Path(config.served_as))
        train_set = [tokenize(tokenizer, row, f"Row {n}", config.context) for n, row in enumerate(rows, 1)]
        valid_set = [
            tokenize(tokenizer, row, f"Validation row {n}", config.context) for n, row in enumerate(validation, 1)
        ]
        projections = [each for each in base.named_modules() if each[0].endswith(("q_proj", "k_proj"))]
        queries = {name: array_of(module.weight) for name, module in projections}
        model = add_adapter(base, config)
        progress = Progress(on_metrics, should_stop, device)
        trainer = SFTTrainer(
            model,
            args=SFTConfig(
                output_dir=str(folder / "checkpoints"),
                num_train_epochs=config.resolved["n_epochs"],
                per_device_train_batch_size=batch_size,
                per_device_eval_batch_size=batch_size,
                gradient_accumulation_steps=accumulate,
                learning_rate=LEARNING_RATE * config.resolved["learning_rate_multiplier"],
                lr_scheduler_type="cosine",
                warmup_steps=WARMUP,
                max_length=None,
                dataset_kwargs={"skip_prepare_dataset": True},
                seed=config.seed,
                bf16=cuda,
                use_cpu=not cuda,
                activation_checkpointing=cuda,
                dataloader_pin_memory=cuda,
                eval_strategy="epoch" if valid_set else "no",
                save_strategy="no",  # `Progress` says when
                save_total_limit=2,
                logging_steps=1,
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_list(train_set),
            eval_dataset=Dataset.from_list(valid_set) if valid_set else None,
            processing_class=tokenizer,
            callbacks=[progress],
        )
        trainer.train(resume_from_checkpoint=newest_checkpoint(folder / "checkpoints"))
        if progress.stopped:
            return None
        tokens = sum(len(row["input_ids"]) for row in train_set) * config.resolved["n_epochs"]
        resolved = config.resolved | {"lora_rank": model.peft_config["default"].r}
        save_adapter(
            model, folder / "model", config, queries, {"data": identity, "resolved": resolved, "tokens": tokens}
        )
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        return tokens, resolved

    return with_half_the_batch(attempt, config.resolved["batch_size"], torch.OutOfMemoryError)


def with_half_the_batch(attempt: Callable[[int, int], T], batch_size: int, out_of_memory: type[Exception]) -> T:
    """`attempt` with a batch size and the batches that make one step; once more with half the batch, two to a step."""
    for size, accumulate in ((batch_size, 1), ((batch_size + 1) // 2, 2)):
        try:
            return attempt(size, accumulate)
        except out_of_memory as error:
            log.warning("out of memory with a batch of %s: %s", size, error)
        gc.collect()
        torch.cuda.empty_cache()
    raise InputError(
        "The training does not fit into the GPU's memory, with half of the batch of {n} either. Choose a smaller "
        "batch_size or lora_rank, shorter rows, or a smaller base.",
        n=batch_size,
    )


def local_base(config: Config) -> Base:
    """The folder of a base that is no GGUF file, downloaded where it is on the hub. Raises what `download` raises."""
    folder, served_as = Path(config.source), Path(config.served_as) if config.served_as else None
    if folder.is_dir():
        return read_folder(folder)
    return download(Base(base_name(config.source), config.source, served_as=served_as))


def load_base(config: Config, cuda: bool) -> tuple[Any, Any]:
    """Tokenizer and model. Raises `InputError` for what transformers cannot load."""
    options: dict[str, Any] = {"dtype": torch.bfloat16 if cuda else torch.float32, "use_safetensors": True}
    if config.gguf_file:
        options |= {"gguf_file": config.gguf_file, "quantization_config": GgufConfig(dequantize=True)}
    try:
        tokenizer = AutoTokenizer.from_pretrained(config.source, gguf_file=config.gguf_file)
        model = AutoModelForCausalLM.from_pretrained(config.source, **options)
    except (OSError, ValueError) as error:
        raise InputError(
            "transformers cannot load the base {source}: {why}", source=config.source, why=str(error)[:400]
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        raise InputError("The base {source} has no chat template: take an instruct model.", source=config.source)
    return tokenizer, model


def tokenize(tokenizer: Any, row: Row, name: str, context: int) -> dict[str, list[int]]:
    """A row as token ids. Only those of the last message are labels. Raises `InputError` for a row that is too long."""
    messages = row["messages"]

    def encoded(messages: list[Any], **options: Any) -> list[int]:
        text = tokenizer.apply_chat_template(messages, tokenize=False, enable_thinking=False, **options)
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    prompt, whole = encoded(messages[:-1], add_generation_prompt=True), encoded(messages)
    if len(whole) > context:
        raise InputError(
            "{row} has {n:,} tokens, and the base's context holds {most:,}. Shorten it or leave it out.",
            row=name,
            n=len(whole),
            most=context,
        )
    same = next((i for i, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), len(prompt))
    return {"input_ids": whole, "labels": [IGNORED] * same + whole[same:]}


def add_adapter(base: Any, config: Config) -> Any:
    """The model with a new adapter, or with the one that the training goes on from."""
    if config.adapter:
        return PeftModel.from_pretrained(base, config.adapter, is_trainable=True)
    names = {name.rpartition(".")[2] for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)}
    targets = sorted(names.intersection(TARGETS))
    if not targets:
        raise InputError("The base {source} has no layers that an adapter could change.", source=config.source)
    rank = config.resolved["lora_rank"]
    return get_peft_model(
        base, LoraConfig(r=rank, lora_alpha=ALPHA, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM")
    )


class Progress(TrainerCallback):
    """Reports each step, decides when a checkpoint is due, and stops when asked."""

    def __init__(self, on_metrics: Callable[[StepMetrics], None], should_stop: Callable[[], bool], device: str) -> None:
        self.stopped = False
        self._on_metrics, self._should_stop, self._device = on_metrics, should_stop, device
        self._metrics: StepMetrics | None = None
        self._steps, self._timed_from = 0, 0.0
        self._saved, self._interval, self._saving = time.monotonic(), CHECKPOINT_SECONDS, 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint where one is due, and for the end where the job is to stop."""
        self._steps += 1
        if self._steps == 1:
            self._timed_from = time.monotonic()
        self.stopped = self._should_stop()
        control.should_training_stop = control.should_training_stop or self.stopped
        control.should_save = self.stopped or time.monotonic() - self._saved > self._interval
        self._saving = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Take the figures of a step; those of the validation come after it."""
        if "loss" in logs:
            self._metrics = StepMetrics(
                step=state.global_step,
                total_steps=state.max_steps,
                epoch=math.ceil(state.epoch),
                train_loss=logs["loss"],
                train_accuracy=logs["mean_token_accuracy"],
                note=self._estimate(state) if self._steps == TIMED_STEPS + 1 else "",
            )
        elif "eval_loss" in logs and self._metrics is not None:
            accuracy = logs.get("eval_mean_token_accuracy")
            self._metrics = replace(self._metrics, valid_loss=logs["eval_loss"], valid_accuracy=accuracy)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The step before is complete, with its validation."""
        self._report()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint is written: mark it as whole."""
        self._report()
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()
        self._saved = time.monotonic()
        self._interval = max(CHECKPOINT_SECONDS, CHECKPOINT_SHARE * (self._saved - self._saving))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report the last step."""
        self._report()

    def _report(self) -> None:
        if self._metrics is not None:
            self._on_metrics(self._metrics)
            self._metrics = None

    def _estimate(self, state: Any) -> str:
        seconds = (time.monotonic() - self._timed_from) / TIMED_STEPS
        left = seconds * (state.max_steps - state.global_step)
        return f"A step takes {seconds:.1f} s on {self._device}; the rest takes about {left / 3600:.1f} hours."


def newest_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint, to resume from. What a kill left of others is deleted."""
    whole = []
    for found in folder.glob("checkpoint-*"):
        if (found / WHOLE).exists():
            whole.append(found)
        else:
            shutil.rmtree(found)
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def save_adapter(model: Any, folder: Path, config: Config, queries: dict[str, Any], training: dict[str, Any]) -> None:
    """Write the adapter as PEFT reads it and, for llama.cpp, as GGUF. The manifest is written last."""
    model.save_pretrained(folder, save_embedding_layers=False)
    if config.served_as:
        saved = load_file(folder / "adapter_model.safetensors")
        arrays = {name: tensor.float().cpu().numpy() for name, tensor in saved.items()}
        write_gguf(
            arrays, model.peft_config["default"].lora_alpha, Path(config.served_as), folder / ADAPTER_GGUF, queries
        )
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "trl", "peft")}
    hashes = {path.name: sha256(path) for path in folder.iterdir() if path.name != MANIFEST}
    manifest = {"config": asdict(config), **training, "versions": versions, "files": hashes}
    disk.write_json(folder / MANIFEST, manifest, durable=True)
