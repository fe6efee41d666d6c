"""A job's events: sentences for people and figures for programs, in the order in which they happened."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from bot.engine import disk
from bot.engine.jobs.job import new_id

FILE = "events.jsonl"
Level = Literal["info", "warn", "error"]
Event = dict[str, Any]


def message(text: str, level: Level = "info") -> Event:
    """An event that says something."""
    return _event(text, level, "message", None)


def metrics(line: dict[str, Any]) -> Event:
    """An event with the figures of one training step, named as OpenAI names them.

    Losses are in nats a word. `valid_exact_match` is the engine's own: the share of whole answers right.
    """
    data = {
        "step": line["step"],
        "total_steps": line["total_steps"],
        "train_loss": line["train_loss"],
        "train_mean_token_accuracy": line["train_accuracy"],
    }
    if line["valid_loss"] is not None:
        data |= {
            "valid_loss": line["valid_loss"],
            "valid_mean_token_accuracy": line["valid_accuracy"],
            "full_valid_loss": line["valid_loss"],
            "full_valid_mean_token_accuracy": line["valid_accuracy"],
            "valid_exact_match": line["valid_exact"],
        }
    text = f"Step {line['step']}/{line['total_steps']}: training loss={line['train_loss']:.4f}"
    if line["valid_loss"] is not None:
        text += f", validation loss={line['valid_loss']:.4f}"
    return _event(text, "info", "metrics", data)


def _event(text: str, level: Level, kind: str, data: dict[str, Any] | None) -> Event:
    return {
        "id": new_id("ftevent"),
        "object": "fine_tuning.job.event",
        "created_at": int(time.time()),
        "level": level,
        "message": text,
        "type": kind,
        "data": data,
    }


def add(folder: Path, events: Sequence[Event]) -> None:
    """Appends events to a job's log."""
    disk.append_lines(folder / FILE, events)


def read(folder: Path) -> list[Event]:
    """Every event, the oldest first."""
    return disk.read_lines(folder / FILE)


def last_step(folder: Path) -> int:
    """The last step that an event tells of; 0 before the first."""
    steps = [event["data"]["step"] for event in read(folder) if event["type"] == "metrics"]
    return max(steps, default=0)
