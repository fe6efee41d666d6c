"""`Tuning`: corpora, datasets, jobs, models and corrections of the process, opened together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bot.core.settings import Settings
from bot.llm.template import ChatTemplate
from bot.server.ledger import Ledger
from bot.server.model_gateway import ModelGateway
from bot.storage.database import Database
from bot.tuning.corpus import Corpora
from bot.tuning.corrections import Corrections
from bot.tuning.datasets import Datasets
from bot.tuning.job_runner import JobTools
from bot.tuning.jobs import Jobs
from bot.tuning.labelled import with_one_input
from bot.tuning.models import Models
from bot.tuning.providers import Providers
from bot.tuning.scoring import Scorer
from bot.tuning.workers import Workers


@dataclass(frozen=True, slots=True)
class Tuning:
    """Everything that a command may do with corpora, datasets, jobs and tuned models."""

    corpora: Corpora
    providers: Providers
    datasets: Datasets
    jobs: Jobs
    models: Models
    corrections: Corrections
    workers: Workers
    # The names of everything that a model can be tuned for: corpora, and templates with one input.
    subjects: tuple[str, ...]

    async def work(self) -> None:
        """Be a worker until cancelled: follow and score jobs, and write datasets, for all processes."""
        await self.workers.serve(self.jobs.runner.run, self.datasets.write_requested)


@asynccontextmanager
async def open_tuning(
    settings: Settings,
    database: Database,
    gateway: ModelGateway,
    ledger: Ledger,
    templates: Mapping[str, ChatTemplate],
    *,
    is_worker: bool = False,
) -> AsyncIterator[Tuning]:
    """Tuning on a database; `gateway` asks the chat model. Jobs run once `jobs.runner` runs or watches them.

    Raises `ConfigError` for corpora with names that cannot be used.
    """
    async with AsyncExitStack() as stack:
        workers = Workers(database, is_worker=is_worker)
        corpora = Corpora(settings.corpora)
        providers = Providers(settings, stack, gateway)
        scorer = Scorer(database, templates, gateway, corpora)
        jobs = Jobs(settings, JobTools(database, templates, ledger, scorer, providers), workers)
        stack.push_async_callback(jobs.runner.close)
        subjects = (*corpora.names, *with_one_input(templates))
        datasets = Datasets(database, corpora, templates, gateway, workers)
        models = Models(database, corpora, templates, gateway, providers, scorer)
        yield Tuning(corpora, providers, datasets, jobs, models, Corrections(database), workers, subjects)
