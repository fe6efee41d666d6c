"""Which model answers: promoted by a person, never worse than the one before it unless forced with a reason."""

from dataclasses import dataclass

from bot.core.errors import NotAllowedError, NotFoundError
from bot.core.i18n import N_, _
from bot.storage import tuning as tuning_rows
from bot.storage.database import Database
from bot.tuning import lineage
from bot.tuning.scorecard import HELD, REFUSED_HELD, REFUSED_UNSEEN, Scorecard

# What a promoted model may not be worse at, and the lines of the card that tell.
JUDGED = (
    (N_("held-out questions {new:.0%} against {old:.0%}"), (HELD,)),
    (N_("refusals {new:.0%} against {old:.0%}"), (REFUSED_HELD, REFUSED_UNSEEN)),
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion or a rollback led to: the model that answers now, and the one that did."""

    model: str
    before: str | None


async def active(database: Database, corpus: str) -> tuning_rows.ModelRow | None:
    """The model that answers for a corpus."""
    held = await tuning_rows.promotions(database, corpus)
    return await tuning_rows.get_model(database, held[0].model) if held else None


async def promote(database: Database, name: str, user_id: int, force: str = "") -> Promotion:
    """Let a model answer for its corpus. Raises `NotAllowedError` where it is not scored, or scores worse than the
    active one on held-out questions or refusals, unless `force` gives a reason.
    """
    model = await lineage.model(database, name)
    if model.lesson:
        raise NotAllowedError("A lesson's model is there to be compared; it cannot be promoted.")
    now = await active(database, model.corpus)
    if not force.strip():
        _check(model, now)
    await tuning_rows.promote(database, model.corpus, model.name, user_id, force.strip())
    return Promotion(model.name, now.name if now else None)


async def rollback(database: Database, corpus: str) -> Promotion:
    """Let the model before the active one answer again. Raises `NotFoundError` where there is none before it."""
    held = await tuning_rows.promotions(database, corpus)
    if len(held) < 2:
        raise NotFoundError("There is no model before the active one of {corpus} to go back to.", corpus=corpus)
    await tuning_rows.undo_promotion(database, held[0].id)
    return Promotion(held[1].model, held[0].model)


def _check(model: tuning_rows.ModelRow, now: tuning_rows.ModelRow | None) -> None:
    if not model.scorecard:
        raise NotAllowedError("{model} is not scored yet; score it first, or force it with a reason.", model=model.name)
    if now is None or not now.scorecard or now.name == model.name or now.gone:
        return
    mine, theirs = Scorecard.from_json(model.scorecard), Scorecard.from_json(now.scorecard)
    worse = [
        _(sentence, new=new, old=old)
        for sentence, names in JUDGED
        if (new := mine.share(*names)) is not None and (old := theirs.share(*names)) is not None and new < old
    ]
    if worse:
        raise NotAllowedError(
            "{model} is worse than the active {active}: {how}. Force it with a reason if you must.",
            model=model.name,
            active=now.name,
            how=", ".join(worse),
        )
