"""`python -m tests.bench.lora`: LoRA on a real model through the engine, and the same questions before and after.

Without options it trains SmolLM2-135M on the whole racing dataset: minutes with a CUDA device, about an hour on one
core. `--base FILE.gguf` takes a larger model, `--rows`, `--epochs` and `--questions` make it smaller. `--corpus
sentiment` trains on the labelled reviews that ship, as a job of the bot, and prints the job's scorecard: the tuned
model beside the few-shot prompt of the same model. `--pocket` trains the pocket GPT instead, which needs no extra; all
else needs `fewshot[train]`.
"""

import argparse
import asyncio
import os
import random
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openai

from bot.app import TEMPLATES
from bot.cli.context import OPERATOR, open_for_operator
from bot.engine.launch import connected
from bot.engine.llama.download import fetch, source_of
from bot.engine.llama.store import ModelStore
from bot.llm.template_registry import open_template_registry
from bot.storage.datasets import PairRow
from bot.tuning.inference import TUNED
from bot.tuning.scoring import Scorecard, table
from bot.tuning.subjects import CorpusSubject, training_row
from bot.tuning.words import same_answer
from tests.engine.job_helpers import ENDED, lines, upload
from tests.racing import season as racing
from tests.smollm2 import smollm2

SEED = 1
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Figures:
    """What one run showed. `right` are exact answers to held-out questions, before and after; memory in GiB."""

    base: str
    notes: list[str]
    rows: int
    epochs: int
    steps: int
    seconds: float
    losses: tuple[float, float]
    right: tuple[int, int]
    questions: int
    memory: float

    def lines(self) -> str:
        """The figures as text."""
        return "\n".join(
            [
                f"{self.base}: {self.rows} rows, {self.epochs} epochs, {self.steps} steps, LoRA",
                *self.notes,
                f"{self.seconds / 60:.1f} minutes in all, {self.memory:.1f} GiB at most",
                f"loss {self.losses[0]:.2f} → {self.losses[1]:.2f}",
                f"held-out questions right: {self.right[0]} → {self.right[1]} of {self.questions}",
            ]
        )


def dataset(rows: int, questions: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training rows, and held-out questions about their facts, both as the bot renders them."""
    subject = CorpusSubject("racing", open_template_registry(TEMPLATES).templates[TUNED], racing.REFUSAL)

    def rendered(row: dict[str, Any]) -> dict[str, Any]:
        pair = PairRow(1, "", "", racing.question(row), racing.answer(row))
        return training_row(subject, pair)

    chosen = random.Random(SEED).sample(found := racing.rows("questions.jsonl"), min(rows, len(found)))
    facts = {row["fact"] for row in chosen}
    held = [row for row in racing.rows("heldout.jsonl") if row["fact"] in facts]
    asked = random.Random(SEED).sample(held, min(questions, len(held)))
    return [rendered(row) for row in chosen], [rendered(row) for row in asked]


async def right_answers(client: openai.AsyncOpenAI, model: str, asked: list[dict[str, Any]]) -> int:
    """How many questions a model answers right."""
    right = 0
    for row in asked:
        *messages, wanted = row["messages"]
        answer = await client.chat.completions.create(
            model=model, messages=messages, temperature=0, max_completion_tokens=40, stop="\n"
        )
        right += same_answer(answer.choices[0].message.content or "", wanted["content"])
    return right


async def measure(file: Path, rows: int, epochs: int, questions: int) -> Figures:
    """Train on the model in a GGUF file and count its right answers before and after."""
    train, asked = dataset(rows, questions)
    with tempfile.TemporaryDirectory() as place:
        name = fetch(ModelStore(Path(place) / "models"), source_of(str(file)), lambda done, total: None).name
        async with (
            connected(Path(place)) as engine,
            openai.AsyncOpenAI(base_url=engine.url, api_key=engine.token) as client,
        ):
            before = await right_answers(client, name, asked)
            began = time.monotonic()
            method: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
            job = await client.fine_tuning.jobs.create(
                model=name, training_file=await upload(client, lines(train)), seed=SEED, method=method
            )
            while job.status not in ENDED:
                await asyncio.sleep(POLL_SECONDS)
                job = await client.fine_tuning.jobs.retrieve(job.id)
            seconds = time.monotonic() - began
            assert job.fine_tuned_model, job.error
            events = [event async for event in client.fine_tuning.jobs.list_events(job.id, limit=100)]
            metrics: list[Any] = [event.data for event in events[::-1] if event.type == "metrics"]
            after = await right_answers(client, job.fine_tuned_model, asked)
    return Figures(
        base=name,
        notes=[event.message for event in events[::-1] if event.message.startswith("A step takes")],
        rows=len(train),
        epochs=epochs,
        steps=len(metrics),
        seconds=seconds,
        losses=(metrics[0]["train_loss"], metrics[-1]["train_loss"]),
        right=(before, after),
        questions=len(asked),
        # Of the engine's process and of those below it that have ended, in KiB on Linux.
        memory=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2,
    )


async def scorecard(template: str, file: Path | None) -> Scorecard:
    """Tune the model in a GGUF file, or else the pocket GPT, for a template with labelled inputs, as the bot does.

    The model of the file also answers with the examples in its prompt.
    """
    with tempfile.TemporaryDirectory() as place, patch.dict(os.environ, {"DATA_DIR": place}):
        base = ""
        if file is not None:
            store = ModelStore(Path(place) / "models")
            base = fetch(store, source_of(str(file)), lambda done, total: None).name
            store.use(base)
        async with open_for_operator() as tuning:
            dataset = await tuning.datasets.newest(template)
            begun = await tuning.jobs.start(dataset.id, OPERATOR, base)
            job = [job async for job in tuning.jobs.watch(begun.id)][-1]
            model = await tuning.models.find(job.model)
    assert model is not None, job.error
    assert model.scorecard, job.note
    return Scorecard.from_json(model.scorecard)


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lora", description=__doc__)
    parser.add_argument("--base", type=Path, help="a GGUF file; default: SmolLM2-135M")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--corpus", choices=("racing", "sentiment"), default="racing")
    parser.add_argument("--pocket", action="store_true", help="the pocket GPT; with --corpus sentiment")
    options = parser.parse_args()
    if options.corpus != "racing":
        file = None if options.pocket else options.base or smollm2()
        print(table(asyncio.run(scorecard(options.corpus, file))))
        return
    figures = asyncio.run(measure(options.base or smollm2(), options.rows, options.epochs, options.questions))
    print(figures.lines())


if __name__ == "__main__":
    main()
