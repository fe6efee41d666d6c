"""Texts of single rows: empty, too long, or with what no model may learn."""

import re
from collections.abc import Iterator, Sequence

from bot.core.i18n import N_
from bot.storage.datasets import PairRow
from bot.tuning.checks.finding import Finding
from bot.tuning.localized_text import kept

# Translators: kinds of faults in a dataset, as headings; a mention names people or channels.
EMPTY, TOO_LONG, SECRET, MENTION = N_("empty"), N_("too long"), N_("secret"), N_("mention")
# Tokens of an example that OpenAI takes (fine-tuning guide, 2026-11-22), at the least characters a token has.
MAX_CHARACTERS = 65_536 * 3
# Words that the pocket GPT takes in an answer; of a longer question it reads the last 48.
POCKET_ANSWER = 128
_SECRETS = re.compile(
    r"\bsk-[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\b[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,}"
    r"|\b(?:password|passwd|api[_ -]?key|secret)\s*[:=]\s*\S{6,}|\bBearer\s+[A-Za-z0-9._-]{20,}",
    re.IGNORECASE,
)
_MENTIONS = re.compile(r"<@[!&]?\d{5,}>|<#\d{5,}>|@everyone\b|@here\b|discord\.gg/\w+")


def check(pairs: Sequence[PairRow]) -> Iterator[Finding]:
    """What is wrong with the texts of each row."""
    for pair in pairs:
        line, both = pair.line, f"{pair.question}\n{pair.answer}"
        if not pair.question.strip() or not pair.answer.strip():
            asked = N_("Line {line} has an empty question.")
            message = asked if not pair.question.strip() else N_("Line {line} has an empty answer.")
            yield Finding(EMPTY, (line,), kept(message, line=line), fixable=True)
        if len(both) > MAX_CHARACTERS:
            text = kept(N_("Line {line} has {n:,} characters; no provider takes so many."), line=line, n=len(both))
            yield Finding(TOO_LONG, (line,), text)
        elif len(pair.answer.split()) > POCKET_ANSWER:
            message = N_("Line {line} has an answer of {n:,} words; the pocket GPT takes {most}.")
            text = kept(message, line=line, n=len(pair.answer.split()), most=POCKET_ANSWER)
            yield Finding(TOO_LONG, (line,), text)
        if _SECRETS.search(both):
            yield Finding(
                SECRET, (line,), kept(N_("Line {line} contains what looks like a key or a password."), line=line)
            )
        if _MENTIONS.search(both):
            text = kept(N_("Line {line} mentions people, channels or servers of Discord."), line=line)
            yield Finding(MENTION, (line,), text)
