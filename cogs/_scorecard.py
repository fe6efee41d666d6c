"""A scorecard as lines and a picture, for the cards that show one."""

import discord

from bot.tuning.scorecard import Mark, Scorecard
from bot.ui.charts import score_picture

PICTURE = "scores.png"
# What a line is called on a card; the others keep their names.
NAMES = {
    "train": "rows it was trained on",
    "held-out": "held-out wordings",
    "noisy": "the same, typed in haste",
    "refusals, held-out": "refusals, held-out wordings",
    "refusals, never seen": "refusals, topics never seen",
    "nearest question's answer": "nearest question's answer",
    "base": "base model",
    "base, with the facts": "base model with the facts",
}


async def picture(card: Scorecard, title: str) -> bytes | None:
    """A PNG of all lines that asked anything; None where none did."""
    bars = {
        _name(mark): [("beside it" if mark.note else "this model", mark.share)] for mark in card.marks if mark.total
    }
    return await score_picture(bars, title) if bars else None


def lines(card: Scorecard) -> str:
    """One line a mark: right, refused though known, wrong."""
    return "\n".join(_line(mark) for mark in card.marks)


def wrong(card: Scorecard, most: int) -> str:
    """Up to `most` of the wrong answers, for people to judge by; empty where there is none."""
    escape = discord.utils.escape_markdown
    return "\n".join(
        f"- {escape(bad.question)}\n  → {escape(bad.said or 'nothing')} *(should be: {escape(bad.wanted)})*"
        for bad in card.wrong[:most]
    )


def _line(mark: Mark) -> str:
    name = _name(mark)
    if not mark.total:
        return f"{name}: {mark.note or 'nothing to ask'}"
    parts = [f"{mark.right:,} of {mark.total:,} right"]
    if mark.refused:
        parts.append(f"{mark.refused:,} refused")
    if mark.wrong:
        parts.append(f"{mark.wrong:,} wrong")
    note = f" *({mark.note})*" if mark.note else ""
    return f"**{mark.share:.0%}** {name}: {', '.join(parts)}{note}"


def _name(mark: Mark) -> str:
    return NAMES.get(mark.name, mark.name)
