"""Tuned models and the checkpoints of jobs, as models of the engine."""

import asyncio
import contextlib
import functools
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.core.errors import FewshotError, NotFoundError
from bot.core.settings import LOCAL_SUFFIX
from bot.engine.chat import ChatModel, ChatRequest, Delta
from bot.engine.errors import APIError, unknown_model
from bot.engine.fine_tuning.jobs import BASE_MODEL, Checkpoint, Job, JobStore, Start
from bot.engine.fine_tuning.worker import RUN
from bot.engine.llama.models import InstalledModels
from bot.engine.lora.bases import find_base, served_name
from bot.engine.lora.config import ADAPTER_GGUF
from bot.engine.lora.serving import ServedModel, Serving

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

    def __init__(
        self, jobs: JobStore, shipped: Sequence[ChatModel], installed: InstalledModels, serving: Serving | None
    ) -> None:
        """With `serving`, that server answers for tuned open weights; else llama.cpp does."""
        self._jobs, self._installed, self._serving = jobs, installed, serving
        self._shipped = {model.id: model for model in (*shipped, UntunedModel())}
        self._loader = ModelLoader()

    def all(self) -> list[ChatModel]:
        """Every model but the checkpoints, which are listed with their job, and tuned ones whose base is gone."""
        tuned = []
        for job in self._jobs.all():
            if job.has_model:
                with contextlib.suppress(APIError):
                    tuned.append(self._tuned(job))
        return [*self._shipped.values(), *self._installed.all(), *tuned]

    def get(self, model_id: str) -> ChatModel:
        """The model or checkpoint of that name, or an `APIError` 404."""
        shipped = self._shipped.get(model_id) or self._installed.find(model_id)
        if shipped is not None:
            return shipped
        job, checkpoint = self._find(model_id)
        if job is not None and checkpoint is not None:
            folder = self._jobs.checkpoint_folder(job, checkpoint)
            return TunedModel(model_id, checkpoint.created_at, folder, self._loader)
        if job is not None:
            return self._tuned(job)
        base = model_id.removesuffix(LOCAL_SUFFIX)
        known = any(job.is_adapter and job.base_model == base for job in self._jobs.all())
        if known and self._serving is not None:
            return ServedModel(base, self._serving)
        converted = self._installed.find(served_name(self._installed.store, base)) if known else None
        if converted is None:
            raise unknown_model(model_id)
        return converted

    def _find(self, model_id: str) -> tuple[Job | None, Checkpoint | None]:
        """The job that made a model, and the checkpoint if it is one; None for both where no job did."""
        for job in self._jobs.all():
            if job.has_model and job.model_name == model_id:
                return job, None
            for checkpoint in job.checkpoints if not job.model_deleted else ():
                if job.checkpoint_name(checkpoint) == model_id:
                    return job, checkpoint
        return None, None

    def tunable(self) -> list[str]:
        """The pocket GPT and the installed models. Folders and models of the hub can be tuned too."""
        return [BASE_MODEL, *(model.id for model in self._installed.all())]

    def start_of(self, model_id: str) -> Start:
        """What a job on this model begins with. Raises an `APIError` where it cannot be tuned."""
        job, checkpoint = self._find(model_id)
        base, folder = model_id, None
        if job is not None:
            base = job.base_model
            folder = self._jobs.checkpoint_folder(job, checkpoint) if checkpoint else self._jobs.model_folder(job)
        if base == BASE_MODEL:
            return Start(base, None, folder)
        if base in self._shipped:
            raise APIError(f"{base} cannot be tuned; {BASE_MODEL} can.", code="model_not_available", param="model")
        try:
            weights = find_base(self._installed.store, base, served_elsewhere=self._serving is not None)
        except NotFoundError as error:
            raise APIError(str(error), status=404, code="model_not_found", param="model") from None
        except FewshotError as error:
            raise APIError(str(error), code="model_not_available", param="model") from None
        return Start(base, weights, folder)

    async def delete(self, model_id: str) -> None:
        """Deletes a tuned model and its checkpoints. Its job remains and still names it."""
        job, checkpoint = self._find(model_id)
        if job is None or checkpoint is not None:
            self.get(model_id)  # raises 404 if there is no model of that name
            raise APIError("Only a finished tuned model can be deleted.", code="model_not_deletable", param="model")
        job.model_deleted, job.checkpoints = True, []
        self._jobs.save(job)
        await asyncio.to_thread(shutil.rmtree, self._jobs.folder(job) / RUN, ignore_errors=True)

    def _tuned(self, job: Job) -> ChatModel:
        folder, created = self._jobs.model_folder(job), job.finished_at or 0
        if not job.is_adapter:
            return TunedModel(job.model_name, created, folder, self._loader)
        if self._serving is not None:
            return ServedModel(job.model_name, self._serving, folder, created)
        base = served_name(self._installed.store, job.base_model)
        return self._installed.tuned(base, job.model_name, folder / ADAPTER_GGUF, created)
