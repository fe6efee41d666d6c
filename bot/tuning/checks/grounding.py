"""Answers against their quotes, and quotes against their sources."""

from collections.abc import Iterator, Mapping, Sequence

from bot.core.i18n import N_
from bot.storage.datasets import PairRow
from bot.tuning.checks.finding import Finding
from bot.tuning.localized_text import kept
from bot.tuning.rows import ANSWERABLE
from bot.tuning.words import SMALL, words

UNSUPPORTED, NO_SUCH_QUOTE, NO_SUCH_SOURCE, NO_PROOF = (
    N_("unsupported"),
    N_("quote not in source"),
    N_("unknown source"),
    N_("no quote"),
)


def check(pairs: Sequence[PairRow], texts: Mapping[str, str] | None) -> Iterator[Finding]:
    """What is not proved. `texts` are the sources by name; without them quotes are only held against answers."""
    plain: dict[str, str] = {}
    for pair in pairs:
        if pair.kind != ANSWERABLE or not pair.answer.strip() or not (pair.quote or pair.source):
            continue
        yield from _source(pair, texts, plain)
        missing = unsupported(pair.answer, pair.quote) if pair.quote else []
        if missing:
            said = ", ".join(missing[:5])
            text = kept(N_("Line {line}: the quote does not say {words}."), line=pair.line, words=said)
            yield Finding(UNSUPPORTED, (pair.line,), text)


def _source(pair: PairRow, texts: Mapping[str, str] | None, plain: dict[str, str]) -> Iterator[Finding]:
    if not pair.quote:
        text = kept(N_("Line {line} names a source and quotes nothing from it."), line=pair.line)
        yield Finding(NO_PROOF, (pair.line,), text)
    elif texts is not None and pair.source not in texts:
        text = kept(N_("Line {line}: there is no source {name}."), line=pair.line, name=repr(pair.source[:60]))
        yield Finding(NO_SUCH_SOURCE, (pair.line,), text)
    elif texts is not None:
        if pair.source not in plain:
            plain[pair.source] = squeezed(texts[pair.source])
        if squeezed(pair.quote) not in plain[pair.source]:
            message = N_("Line {line}: {source} has no such sentence as its quote.")
            yield Finding(NO_SUCH_QUOTE, (pair.line,), kept(message, line=pair.line, source=pair.source))


def unsupported(answer: str, quote: str) -> list[str]:
    """The words of an answer that its quote does not hold, small ones apart, in their order."""
    there = set(words(quote))
    return [word for word in dict.fromkeys(words(answer)) if word not in there and word not in SMALL]


def squeezed(text: str) -> str:
    """`text` with single spaces, so that a line break inside a sentence makes no difference."""
    return " ".join(text.split())
