"""Corrections of a tuned model's answers: people send them, operators decide, and scorecards ask the confirmed ones.

They are never training rows: Discord's policy forbids training on what people write.
"""

import re
from time import time

from bot.core.caller import Caller
from bot.core.errors import InputError, LimitError, NotAllowedError, NotFoundError
from bot.core.i18n import N_
from bot.llm.completion import Answer
from bot.storage import corrections as correction_rows
from bot.storage.corrections import CONFIRMED, OPEN, REJECTED, CorrectionRow
from bot.storage.database import Database
from bot.storage.datasets import PairRow
from bot.tuning import lineage
from bot.tuning.rows import ANSWERABLE, UNANSWERABLE
from bot.tuning.split import HELD_OUT
from bot.tuning.words import same_answer, squeezed

__all__ = ["CorrectionRow", "Corrections"]

# Open corrections of one person: more would fill the operators' queue.
MAX_OPEN = 10
# The number of a correction, in a button.
NUMBER = re.compile("[0-9]{1,9}")
ALREADY_DECIDED = N_("This correction was decided already, or its writer has deleted it.")


class Corrections:
    """The corrections of all corpora. One for the process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, answer: Answer | None, caller: Caller) -> Answer:
        """`answer`, if `caller` may correct it. Raises `NotFoundError` or `NotAllowedError`."""
        # A follow-up has the values of the first question; a custom id can be forged.
        is_asked = answer is not None and answer.request.conversation is None and "question" in answer.values
        if answer is None or answer.template is None or not is_asked:
            raise NotFoundError("The question of this answer is no longer stored; ask it again.")
        if answer.caller.user_id != caller.user_id:
            raise NotAllowedError("Only the one who asked can correct this answer.")
        return answer

    async def send(self, answer: Answer, caller: Caller, correction: str) -> None:
        """Store what `caller` says is right in place of `answer`; empty: the texts do not say it.

        Raises `InputError` where that is what the model answered or the answer was corrected already, and
        `LimitError` where the person has `MAX_OPEN` open corrections.
        """
        model = await lineage.get_model(self._database, str(answer.request.parameters.get("model", "")))
        correction = squeezed(correction)
        refusal = (await lineage.get_dataset(self._database, model.dataset_id)).refusal
        if same_answer(answer.text, correction or refusal):
            raise InputError("That is what the model answered.")
        row = CorrectionRow(
            answer.id,
            model.corpus,
            model.name,
            caller.user_id,
            caller.guild_id,
            time(),
            answer.values["question"],
            answer.text,
            correction,
        )
        outcome = await correction_rows.add(self._database, row, limit=MAX_OPEN)
        if outcome == "known":
            raise InputError("You have corrected this answer already, and the operators have it.")
        if outcome == "full":
            raise LimitError("{n} of your corrections are not decided yet; send more when they are.", n=MAX_OPEN)

    async def open(self, corpus: str) -> list[CorrectionRow]:
        """The corrections that are not decided yet, oldest first."""
        return await correction_rows.of_corpus(self._database, corpus, OPEN)

    async def get(self, number: str) -> CorrectionRow:
        """The open correction with this number; raises `NotFoundError`."""
        row = await correction_rows.find(self._database, int(number)) if NUMBER.fullmatch(number) else None
        if row is None or row.state != OPEN:
            raise NotFoundError(ALREADY_DECIDED)
        return row

    async def confirm(self, row: CorrectionRow, correction: str) -> None:
        """Make it a question of the next scorecards, with `correction` as the right answer. Raises `NotFoundError`."""
        await self._decide(row, CONFIRMED, squeezed(correction))

    async def reject(self, row: CorrectionRow) -> None:
        """The model was right, or nobody can tell. Raises `NotFoundError`."""
        await self._decide(row, REJECTED, row.correction)

    async def _decide(self, row: CorrectionRow, state: str, correction: str) -> None:
        if not await correction_rows.decide(self._database, row.id, state, correction):
            raise NotFoundError(ALREADY_DECIDED)


async def confirmed_pairs(database: Database, corpus: str, refusal: str) -> list[PairRow]:
    """The confirmed corrections as questions of a scorecard, the newest answer to each question."""
    rows = await correction_rows.of_corpus(database, corpus, CONFIRMED)
    return list({row.question: _pair(row, refusal) for row in rows}.values())


def _pair(row: CorrectionRow, refusal: str) -> PairRow:
    kind = ANSWERABLE if row.correction else UNANSWERABLE
    answer = row.correction or refusal
    return PairRow(0, f"correction {row.id}", kind, row.question, answer, role=HELD_OUT)
