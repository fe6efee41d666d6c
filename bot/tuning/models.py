"""Tuned models: which there are, which one answers, its scorecard, and questions to it.

A model is promoted by a person, and never a worse one than the active model unless a reason is given.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from bot.core.caller import Caller
from bot.core.errors import ModelError, NotAllowedError, NotFoundError
from bot.core.i18n import N_, _
from bot.llm.completion import Answer
from bot.llm.request import Request
from bot.llm.template import ChatTemplate
from bot.server.model_gateway import ModelGateway
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.storage.tuning import ModelRow
from bot.tuning import inference, lineage
from bot.tuning.corpus import Corpora
from bot.tuning.inference import (
    TUNED,
    Comparison,
    DeletedModelError,
    Question,
    SimilarRow,
    for_model,
    question_values,
)
from bot.tuning.providers import Providers
from bot.tuning.questions import Progress, no_progress
from bot.tuning.retrieval import NearestQuestions, facts_of
from bot.tuning.scoring import HELD, REFUSED_HELD, REFUSED_UNSEEN, Scorecard, Scorer
from bot.tuning.subjects import check_subject, is_template

__all__ = ["ModelRow", "Models", "Promotion"]

# The shares in which a promoted model may not be worse, with the lines of the card that they are from.
COMPARED_SHARES = (
    (N_("held-out questions {new:.0%} against {old:.0%}"), (HELD,)),
    (N_("refusals {new:.0%} against {old:.0%}"), (REFUSED_HELD, REFUSED_UNSEEN)),
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """The result of a promotion or a rollback: the model that answers for `corpus` now, and the one before it."""

    corpus: str
    model: str
    before: str | None


class Models:
    """The tuned models of all corpora; one for the process. `gateway` asks the chat model."""

    def __init__(
        self,
        database: Database,
        corpora: Corpora,
        templates: Mapping[str, ChatTemplate],
        gateway: ModelGateway,
        providers: Providers,
        scorer: Scorer,
    ) -> None:
        self._database, self._corpora, self._templates = database, corpora, templates
        self._gateway, self._providers, self._scorer = gateway, providers, scorer
        self._indexes: dict[str, NearestQuestions] = {}

    async def all(self, corpus: str | None = None) -> list[ModelRow]:
        """Tuned models, newest first."""
        return await tuning_rows.models_of(self._database, corpus)

    async def find(self, name: str) -> ModelRow | None:
        """The tuned model of that name."""
        return await tuning_rows.get_model(self._database, name)

    async def ancestors(self, name: str) -> list[ModelRow]:
        """A tuned model and those that it was tuned from, the oldest last."""
        return await lineage.ancestors(self._database, name)

    async def newest_scored(self, corpus: str) -> tuple[str, Scorecard | None]:
        """The newest scored model of a corpus at the provider in use, with its card; empty and None where none is."""
        for row in await self.all(corpus):
            if row.scorecard and not row.gone and row.provider == self._providers.default.name:
                return row.name, Scorecard.from_json(row.scorecard)
        return "", None

    async def score(self, name: str, user_id: int, progress: Progress = no_progress) -> Scorecard:
        """Score a model again; a question that it has answered is not asked again."""
        model = await lineage.get_model(self._database, name)
        provider = await self._providers.get(model.provider)
        return await self._scorer.score(model, provider, Caller(user_id), progress)

    # --- promotion

    async def active(self, corpus: str) -> ModelRow | None:
        """The model that answers for a corpus."""
        promoted = await tuning_rows.promotions(self._database, check_subject(self._templates, self._corpora, corpus))
        return await tuning_rows.get_model(self._database, promoted[0].model) if promoted else None

    async def promote(self, name: str, user_id: int, force: str = "") -> Promotion:
        """Let a model answer for its corpus.

        Raises `NotAllowedError` where it is not scored, or scores worse than the active one on held-out questions or
        refusals, unless `force` gives a reason.
        """
        model = await lineage.get_model(self._database, name)
        if model.lesson:
            raise NotAllowedError("A lesson's model is only for comparison; it cannot be promoted.")
        now = await self.active(model.corpus)
        if not force.strip():
            _check_scores(model, now)
        await tuning_rows.promote(self._database, model.corpus, model.name, user_id, force.strip())
        return Promotion(model.corpus, model.name, now.name if now else None)

    async def rollback(self, corpus: str) -> Promotion:
        """Let the model before the active one answer again. Raises `NotFoundError` where there is none."""
        promoted = await tuning_rows.promotions(self._database, check_subject(self._templates, self._corpora, corpus))
        if len(promoted) < 2:
            raise NotFoundError("There is no model before the active one of {corpus} to go back to.", corpus=corpus)
        await tuning_rows.undo_promotion(self._database, promoted[0].id)
        return Promotion(corpus, promoted[1].model, promoted[0].model)

    async def tuned_template(self, request: Request) -> ChatTemplate | None:
        """The template of `request`, answered by the model that is promoted for it; None where there is none.

        Models are tuned for the questions of a corpus, in the template `TUNED`, or for the inputs of a template.
        """
        if request.template is None:
            return None
        template, subject = request.template.with_examples(0), request.name
        if subject == TUNED:
            subject = request.values.get("corpus", "")
            known = subject in self._corpora.names
        else:  # A server's trick may have the name of a shipped template.
            shipped = self._templates[subject] if is_template(self._templates, subject) else None
            known = shipped is not None and shipped.with_examples(0).messages == template.messages
        model = await self.active(subject) if known else None
        return None if model is None or model.gone else for_model(template, model.name)

    # --- questions

    async def gateway_for(self, template: ChatTemplate) -> ModelGateway:
        """The gateway of the model that `template` names: of a tuned model its provider's, else the chat model's."""
        name = template.parameters.get("model")
        row = await self.find(str(name)) if name else None
        return self._gateway if row is None else (await self._providers.get(row.provider)).gateway

    async def question(self, corpus: str, text: str) -> Question:
        """The question as the promoted model is asked it. Raises `NotTrainedError` where there is none."""
        model = await self.active(corpus)
        if model is None:
            raise inference.not_trained(corpus)
        dataset = await lineage.get_dataset(self._database, model.dataset_id)
        template = for_model(self._templates[TUNED], model.name)
        return Question(model, template, question_values(text, corpus, dataset.refusal))

    async def ask(self, question: Question, caller: Caller) -> Answer:
        """The promoted model's answer, without a stream. Raises the `ModelError` that `explained` returns."""
        try:
            return await (await self.gateway_for(question.template)).ask(caller, question.request)
        except ModelError as error:
            raise await self.explained(question, error) from error

    async def explained(self, question: Question, error: ModelError) -> ModelError:
        """`error` for the person who asked: a `DeletedModelError` where the provider has deleted the model."""
        from openai import NotFoundError as UnknownModelError

        if not isinstance(error.__cause__, UnknownModelError):
            return error
        model = question.model
        await tuning_rows.change_model(self._database, model.name, gone=True)
        deleted = DeletedModelError(
            "The model that answered for {corpus} is not there any more. The bot's operator can go back to the one "
            "before it with /finetune rollback, or `fewshot tune rollback {corpus}`.",
            corpus=model.corpus,
        )
        deleted.__cause__ = error
        return deleted

    async def similar(self, name: str, text: str) -> list[SimilarRow]:
        """The training rows nearest to a question that a model was asked: similar rows, not the cause."""
        row = await lineage.get_model(self._database, name)
        if name not in self._indexes:
            ids = await lineage.dataset_ids(self._database, row.dataset_id, row.parent)
            trained, _ = await lineage.training_pairs(self._database, ids)
            self._indexes[name] = await asyncio.to_thread(NearestQuestions, trained)
        found = await asyncio.to_thread(self._indexes[name].find, text)
        return await asyncio.to_thread(inference.similar_rows, self._corpora.get(row.corpus), found)

    async def compare(self, question: Question, caller: Caller) -> Comparison:
        """The question to the base model, to the base with the facts in its prompt, and to the tuned model."""
        model = question.model
        provider = await self._providers.get(model.provider)
        base = inference.base_of(model, self._gateway, provider.gateway)
        job = await tuning_rows.get_job(self._database, model.job_id)
        facts = await asyncio.to_thread(facts_of, self._corpora.get(model.corpus))
        price = job.nanodollars if job is not None else None
        return await inference.compare(question, caller, base, provider.gateway, facts, self._templates, price)


def _check_scores(model: ModelRow, now: ModelRow | None) -> None:
    """Raises `NotAllowedError` where `model` is not scored, or worse than the active model `now`."""
    if not model.scorecard:
        raise NotAllowedError("{model} is not scored yet; score it first, or force it with a reason.", model=model.name)
    if now is None or not now.scorecard or now.name == model.name or now.gone:
        return
    mine, theirs = Scorecard.from_json(model.scorecard), Scorecard.from_json(now.scorecard)
    worse = [
        _(sentence, new=new, old=old)
        for sentence, names in COMPARED_SHARES
        if (new := mine.share(*names)) is not None and (old := theirs.share(*names)) is not None and new < old
    ]
    if worse:
        raise NotAllowedError(
            "{model} is worse than the active {active}: {how}. Force it with a reason if you must.",
            model=model.name,
            active=now.name,
            how=", ".join(worse),
        )
