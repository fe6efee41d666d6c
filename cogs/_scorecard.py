"""A scorecard as lines and a picture, for the cards that show one."""

from bot.core.i18n import N_, _, format_number, ngettext, pgettext
from bot.core.text import escape_markdown
from bot.tuning.scoring import (
    BASE,
    BASE_WITH_FACTS,
    CORRECTED,
    HELD,
    NOISY,
    REFUSED_HELD,
    REFUSED_UNSEEN,
    TRAINED,
    Scorecard,
    ScoreLine,
)
from bot.ui.pictures import Picture, score_picture

PICTURE = "scores.png"
# The names of lines on a card; lines that are not here are shown with their own names.
NAMES = {
    TRAINED: N_("rows it was trained on"),
    HELD: N_("held-out wordings"),
    NOISY: N_("held-out wordings with typing errors"),
    REFUSED_HELD: N_("refusals, held-out wordings"),
    REFUSED_UNSEEN: N_("refusals, topics never seen"),
    CORRECTED: N_("answers that people corrected"),
    BASE: N_("base model"),
    BASE_WITH_FACTS: N_("base model with the facts"),
}


async def picture(card: Scorecard, title: str) -> Picture | None:
    """The scores of all lines that have questions; None if no line has any."""
    # Translators: on bars of a picture: the scores of the model itself, and of others to hold them against.
    own, others = _("this model"), _("for comparison")
    bars = {_name(mark): [(others if mark.note else own, mark.share)] for mark in card.marks if mark.total}
    return await score_picture(PICTURE, bars, title) if bars else None


def lines(card: Scorecard) -> str:
    """One line for each mark: how many answers are right, refused although the answer was trained, or wrong."""
    return "\n".join(_line(mark) for mark in card.marks)


def wrong(card: Scorecard, limit: int) -> str:
    """Up to `limit` wrong answers as a list; empty if there is none."""
    return "\n".join(
        _(
            "- {question}\n  → {answer} *(should be: {wanted})*",
            question=escape_markdown(bad.question),
            answer=escape_markdown(bad.said) or pgettext("in place of an answer", "nothing"),
            wanted=escape_markdown(bad.wanted),
        )
        for bad in card.wrong[:limit]
    )


def _line(mark: ScoreLine) -> str:
    name = _name(mark)
    if not mark.total:
        remark = mark.remark or _("nothing to ask")
        return f"{name}: {remark}"
    # Translators: of questions: so many were answered rightly, so many not answered, so many wrongly.
    parts = [ngettext("{n:,} of {total:,} right", "{n:,} of {total:,} right", mark.right, total=mark.total)]
    if mark.refused:
        parts.append(_("{n:,} refused", n=mark.refused))
    if mark.wrong:
        parts.append(_("{n:,} wrong", n=mark.wrong))
    note = f" *({mark.remark})*" if mark.note else ""
    return f"**{format_number(mark.share, '.0%')}** {name}: {', '.join(parts)}{note}"


def _name(mark: ScoreLine) -> str:
    return _(NAMES.get(mark.name, mark.name))
