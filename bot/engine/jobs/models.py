"""Tuned models and the checkpoints of jobs, as models of the engine."""

import asyncio
import functools
import shutil
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.engine.errors import WireError, unknown_model
from bot.engine.jobs.job import BASE_MODEL, Job
from bot.engine.jobs.job_store import Book
from bot.engine.jobs.layout import RUN
from bot.engine.models import ChatModel, Piece
from bot.engine.requests import ChatRequest

if TYPE_CHECKING:
    from bot.engine.pocket.serve import Piece as PocketPiece
    from bot.engine.pocket.serve import PocketGPT

OWNER = "fewshot"
# A loaded model is a few megabytes.
LOADED_MODELS = 8


class Untuned:
    """The base model: there to be tuned, and with nothing to say before."""

    id = BASE_MODEL
    created = 0
    owned_by = OWNER

    def accepts(self, parameter: str) -> bool:
        """Nothing beyond the engine's own parameters."""
        return False

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """Never asked for, since there is no answer."""
        return {"prompt_tokens": 0, "completion_tokens": tokens, "total_tokens": tokens}

    def answer(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """Raises the `WireError` 400 of `model_not_tuned`."""
        raise WireError(
            f"{BASE_MODEL} knows nothing until it is tuned: start a fine-tuning job and ask the model it makes.",
            code="model_not_tuned",
            param="model",
        )


@dataclass
class Tuned:
    """A finished model, or a checkpoint of one."""

    id: str
    created: int
    folder: Path
    shelf: "Loader"
    owned_by: str = "local"
    _prompt_tokens: int = 0

    def accepts(self, parameter: str) -> bool:
        """Nothing beyond the engine's own parameters."""
        return False

    def usage(self, request: ChatRequest, tokens: int) -> dict[str, Any]:
        """Words of the last user message, which is all that is read, and words of the answer."""
        prompt = self._prompt_tokens
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    async def answer(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """The answer word by word. A temperature that is not given is 0: there is one right answer."""
        gpt = await self.shelf.load(self.folder)
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        self._prompt_tokens = gpt.prompt_words(messages)
        pieces = gpt.answer(
            messages,
            temperature=request.temperature or 0.0,
            max_tokens=request.token_limit,
            stop=request.stop,
            top=request.top_logprobs or 0,
            seed=request.seed,
        )
        while (piece := await self.shelf.work(next, pieces, None)) is not None:
            yield _as_piece(piece)


def _as_piece(piece: "PocketPiece") -> Piece:
    word = piece.text != ""
    logprob = _logprob(piece.text, piece.logprob) | {"top_logprobs": [_logprob(*top) for top in piece.top]}
    return Piece(piece.text, tokens=int(word), logprob=logprob if word else None, finish=piece.finish)


def _logprob(text: str, logarithm: float) -> dict[str, Any]:
    return {"token": text, "logprob": logarithm, "bytes": list(text.encode())}


class Loader:
    """Loads models and asks them, in one thread beside the event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pocket")
        self._load = functools.lru_cache(LOADED_MODELS)(_load)

    async def load(self, folder: Path) -> "PocketGPT":
        """The model in a folder; a `StorageError` when it is not whole."""
        model: PocketGPT = await self.work(self._load, folder)
        return model

    async def work(self, function: Any, *arguments: Any) -> Any:
        """Calls a function in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _load(folder: Path) -> "PocketGPT":
    # Imported here, because it brings numpy, which is needed only once a model is asked.
    from bot.engine.pocket.serve import load

    return load(folder)


class EngineModels:
    """The engine's catalogue: models that ship with it, and those that its jobs have made."""

    def __init__(self, book: Book, shipped: Sequence[ChatModel]) -> None:
        self._book = book
        self._shipped = {model.id: model for model in (*shipped, Untuned())}
        self._loader = Loader()

    def all(self) -> list[ChatModel]:
        """Every model; checkpoints answer as well, but are listed with their job."""
        jobs = [job for job in self._book.all() if self._book.has_model(job)]
        return [*self._shipped.values(), *(self._tuned(job) for job in jobs)]

    def get(self, model_id: str) -> ChatModel:
        """The model of that name, or a `WireError` 404."""
        shipped = self._shipped.get(model_id)
        if shipped is not None:
            return shipped
        for job in self._book.all():
            if self._book.has_model(job) and job.model_name == model_id:
                return self._tuned(job)
            for checkpoint in job.checkpoints if not job.model_deleted else ():
                if job.checkpoint_name(checkpoint) == model_id:
                    folder = self._book.folder(job) / RUN / "steps" / checkpoint.folder
                    return Tuned(model_id, checkpoint.created_at, folder, self._loader)
        raise unknown_model(model_id)

    def base_folder(self, model_id: str) -> Path | None:
        """Where the model lies that a job starts from; None for the untuned base. `WireError` when it cannot."""
        model = self.get(model_id)
        if isinstance(model, Tuned):
            return model.folder
        if model_id != BASE_MODEL:
            raise WireError(f"{model_id} cannot be tuned; {BASE_MODEL} can.", code="model_not_available", param="model")
        return None

    async def delete(self, model_id: str) -> None:
        """Deletes a tuned model with its checkpoints. The job stays, and still names it."""
        job = next((job for job in self._book.all() if self._book.has_model(job) and job.model_name == model_id), None)
        if job is None:
            self.get(model_id)  # 404 where there is none of that name
            raise WireError("Only a finished tuned model can be deleted.", code="model_not_deletable", param="model")
        job.model_deleted, job.checkpoints = True, []
        self._book.save(job)
        await asyncio.to_thread(shutil.rmtree, self._book.folder(job) / RUN, ignore_errors=True)

    def _tuned(self, job: Job) -> Tuned:
        return Tuned(job.model_name, job.finished_at or 0, self._book.model_folder(job), self._loader)
