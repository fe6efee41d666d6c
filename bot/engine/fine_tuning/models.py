"""Tuned models and the checkpoints of jobs, as models of the engine."""

import asyncio
import functools
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.engine.chat import ChatModel, ChatRequest, Delta
from bot.engine.errors import APIError, unknown_model
from bot.engine.fine_tuning.jobs import BASE_MODEL, Job, JobStore
from bot.engine.fine_tuning.worker import RUN
from bot.engine.llama.models import InstalledModels

if TYPE_CHECKING:
    from bot.engine.pocket.generate import GeneratedToken, PocketGPT

# A loaded model takes a few megabytes.
LOADED_MODELS = 8


class UntunedModel(ChatModel):
    """The base model. It can be tuned, and answers nothing before that."""

    id = BASE_MODEL

    def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Raises the `APIError` 400 `model_not_tuned`."""
        raise APIError(
            f"{BASE_MODEL} knows nothing until it is tuned: start a fine-tuning job and ask the model it makes.",
            code="model_not_tuned",
            param="model",
        )


class TunedModel(ChatModel):
    """A finished model, or a checkpoint of a job. One object answers one request."""

    owned_by = "local"

    def __init__(self, model_id: str, created: int, folder: Path, loader: "ModelLoader") -> None:
        self.id, self.created, self.folder = model_id, created, folder
        self._loader = loader
        self._prompt_tokens = 0

    def count_prompt_tokens(self, request: ChatRequest) -> int:
        """Words of the last user message, because no other is read."""
        return self._prompt_tokens

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer word by word. Without a temperature it is 0."""
        gpt = await self._loader.load(self.folder)
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        self._prompt_tokens = gpt.count_prompt_tokens(messages)
        tokens = gpt.generate(
            messages,
            temperature=request.temperature or 0.0,
            max_tokens=request.token_limit,
            top_logprobs=request.top_logprobs or 0,
            seed=request.seed,
        )
        while (token := await self._loader.run(next, tokens, None)) is not None:
            yield _delta(token)


def _delta(token: "GeneratedToken") -> Delta:
    if token.finish_reason:
        return Delta("", tokens=0, finish_reason=token.finish_reason)
    top = [_logprob(text, logprob) for text, logprob in token.top_logprobs]
    return Delta(token.text, logprob=_logprob(token.text, token.logprob) | {"top_logprobs": top})


def _logprob(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


class ModelLoader:
    """Loads and runs models in one thread, so that the event loop is not blocked."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pocket")
        self._load = functools.lru_cache(LOADED_MODELS)(_load)

    async def load(self, folder: Path) -> "PocketGPT":
        """The model in a folder. Raises `StorageError` if it is not whole."""
        model: PocketGPT = await self.run(self._load, folder)
        return model

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _load(folder: Path) -> "PocketGPT":
    # Imported here, because numpy is needed only once a tuned model is asked.
    from bot.engine.pocket.generate import load

    return load(folder)


class EngineModels:
    """The engine's registry: the shipped models, the installed ones, and those that its jobs have made."""

    def __init__(self, jobs: JobStore, shipped: Sequence[ChatModel], installed: InstalledModels) -> None:
        self._jobs, self._installed = jobs, installed
        self._shipped = {model.id: model for model in (*shipped, UntunedModel())}
        self._loader = ModelLoader()

    def all(self) -> list[ChatModel]:
        """Every model but the checkpoints, which are listed with their job."""
        tuned = (self._tuned(job) for job in self._jobs.all() if job.has_model)
        return [*self._shipped.values(), *self._installed.all(), *tuned]

    def get(self, model_id: str) -> ChatModel:
        """The model or checkpoint of that name, or an `APIError` 404."""
        shipped = self._shipped.get(model_id) or self._installed.find(model_id)
        if shipped is not None:
            return shipped
        for job in self._jobs.all():
            if job.has_model and job.model_name == model_id:
                return self._tuned(job)
            for checkpoint in job.checkpoints if not job.model_deleted else ():
                if job.checkpoint_name(checkpoint) == model_id:
                    folder = self._jobs.checkpoint_folder(job, checkpoint)
                    return TunedModel(model_id, checkpoint.created_at, folder, self._loader)
        raise unknown_model(model_id)

    def base_folder(self, model_id: str) -> Path | None:
        """The folder of the model that a job starts from, None for the untuned one. `APIError` if it is not tunable."""
        model = self.get(model_id)
        if isinstance(model, TunedModel):
            return model.folder
        if model_id != BASE_MODEL:
            raise APIError(f"{model_id} cannot be tuned; {BASE_MODEL} can.", code="model_not_available", param="model")
        return None

    async def delete(self, model_id: str) -> None:
        """Deletes a tuned model and its checkpoints. Its job remains and still names it."""
        job = next((job for job in self._jobs.all() if job.has_model and job.model_name == model_id), None)
        if job is None:
            self.get(model_id)  # raises 404 if there is no model of that name
            raise APIError("Only a finished tuned model can be deleted.", code="model_not_deletable", param="model")
        job.model_deleted, job.checkpoints = True, []
        self._jobs.save(job)
        await asyncio.to_thread(shutil.rmtree, self._jobs.folder(job) / RUN, ignore_errors=True)

    def _tuned(self, job: Job) -> TunedModel:
        return TunedModel(job.model_name, job.finished_at or 0, self._jobs.model_folder(job), self._loader)
