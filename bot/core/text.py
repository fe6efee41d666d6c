"""Text for Discord's messages: split, shortened and escaped.

Lengths are characters as Discord counts them: 2,000 in a message. All functions take time linear in the length of
their text.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

MESSAGE_LIMIT = 2_000
# Messages of an answer. A longer one is a file.
MAX_PIECES = 3
ZERO_WIDTH_SPACE = "\u200b"
# Where a text may be cut, best first. Without any of these, a word is cut.
BREAKS = ("\n\n", "\n", ". ", "! ", "? ", "; ", ", ", " ")
# A piece has at least this share of the limit, so that a good place to cut does not waste a message.
MIN_SHARE = 0.4
# Marks that Discord formats text with, in addition to backticks. Longer runs of asterisks or underscores are text.
ITALIC = ("*", "_", "***", "___")
MARKS = ("||", "***", "**", "*", "___", "__", "_", "~~")
_TOKEN = re.compile(r"\\[\s\S]|\|\||\*+|_+|~~")
_BACKTICKS = re.compile(r"`+")
# The name of a code block's language, as Discord accepts it.
_LANGUAGE = re.compile(r"[A-Za-z0-9_+\-.#]{1,30}(?=\n)")
_QUOTE_BLOCK = re.compile(r"^(?:[ \t]{0,40}>(?: [^\n]*)?(?:\n|\Z))+", re.MULTILINE)
_QUOTE_TO_END = re.compile(r"^>>> ", re.MULTILINE)
# What can come before the text of a line: indentation, quote, list item, heading, small text.
_PREFIX = re.compile(r"[ \t]{0,40}(?:> )?[ \t]{0,40}(?:[-*+] |\d{1,9}\. )?(?:#{1,3} |-# )?")
# What a line that is cut in the middle repeats.
_REPEATED_PREFIX = re.compile(r"[ \t]{0,40}> |-# ")
# Links, mentions, emoji and timestamps, which a cut would break.
_ATOMIC = re.compile(
    r"\[[^\[\]\n]{1,200}\]\(<?https?://[^\s()<>]{1,800}>?\)"
    r"|<(?:[@#:]|a:|t:|/)[^<>\n]{1,80}>|https?://[^\s<>]{1,800}"
)
_ATOMIC_LENGTH = 1_100


# What Discord reads as Markdown: marks inside a line, the middle of a masked link, and the signs of headings, quotes
# and lists at the start of a line. Addresses come first, because escaping would break them.
MARKDOWN = re.compile(
    r"(?P<address><[a-z][a-z0-9+.-]{0,20}:/[^ <>\n]{1,2000}>|(?:https?|steam)://[^\s<\]]*[^<.,:;\"'\]\s])"
    r"|(?P<mark>[_\\~|*`]|\](?=\()|^(?:\#|>(?=\s|>>\s)))"
    r"|(?P<indent>^[ \t]*)-",
    re.MULTILINE,
)


def split_message(text: str, limit: int = MESSAGE_LIMIT, max_pieces: int = MAX_PIECES) -> list[str] | None:
    """Split `text` into at most `max_pieces` pieces of at most `limit` characters; None if it does not fit.

    Formatting that a cut goes through (code, spoilers, bold and so on, also nested, in lists and in quotes) is closed
    in one piece and opened again in the next, so that every piece looks as in the whole text. Only white space at a
    cut is lost.
    """
    text = text.strip()
    if len(text) <= limit:
        return [text] if text else []
    # Only white space is lost at cuts, so a text of this length does not fit.
    if len("".join(text.split())) > max_pieces * limit:
        return None
    spans = _spans(text, unclosed=False)
    pieces: list[str] = []
    start, opening = 0, ""
    while start < len(text):
        if len(pieces) == max_pieces:
            return None
        if len(opening) + len(text) - start <= limit:
            pieces.append(opening + text[start:])
            break
        cut = _cut(text, spans, start, limit - len(opening))
        pieces.append(opening + text[start : cut.end].rstrip() + cut.closing)
        start, opening = cut.next_start, cut.opening
    return pieces


def close_markup(text: str) -> str:
    """`text`, which has not ended yet or was cut off, with its open code, spoilers and other formatting closed."""
    open_spans = [span for span in _spans(text, unclosed=True) if span.end == len(text) == span.after]
    # Discord reads no italic mark as a closer after white space, and joins it with a mark before it.
    skipped = ITALIC if text[-1:].isspace() or text[-1:] in "*_" else ()
    return text + "".join(span.closer for span in reversed(open_spans) if span.closer not in skipped)


def excerpt(text: str, limit: int) -> str:
    """`text`; where it is longer than `limit` characters, its beginning, with its formatting closed and an ellipsis."""
    return text if len(text) <= limit else close_markup(text[:limit].rstrip()) + " …"


def has_spoiler(text: str) -> bool:
    """Whether Discord would hide a part of `text`."""
    return any(span.closer == "||" for span in _spans(text, unclosed=False))


def shorten(text: str, limit: int) -> str:
    """`text` on one line in at most `limit` characters, with an ellipsis where something is left out."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def code_block(text: str, language: str = "") -> str:
    """`text` in a code fence that its own backticks cannot close.

    Discord ends a code block at the next three backticks, however many began it, so longer runs inside are
    parted by spaces of no width.
    """
    inside = re.sub(r"`{3,}", lambda run: ZERO_WIDTH_SPACE.join(run[0]), text)
    return f"```{language}\n{inside}\n```"


def escape_markdown(text: str) -> str:
    """`text` with a backslash before all that Discord would read as Markdown; addresses stay as they are.

    Takes time linear in the length of the text. `discord.utils.escape_markdown` takes 20 s for `[](` times 2,600.
    """
    return MARKDOWN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    if match["address"]:
        return match["address"]
    if match["mark"]:
        return "\\" + match["mark"]
    return f"{match['indent']}\\-"


@dataclass(frozen=True, slots=True)
class _Span:
    """Formatted text: `opener` is at `start`, the content is from `inner` to `end`, the closer ends at `after`."""

    start: int
    inner: int
    end: int
    after: int
    opener: str
    closer: str
    # Indentation and quote marks before a code block; None for other marks.
    prefix: str | None = None
    # The span around it.
    outer: "_Span | None" = None


@dataclass(frozen=True, slots=True)
class _Cut:
    """A piece ends at `end` with `closing`; the next one begins with `opening` and the text from `next_start`."""

    end: int
    closing: str
    next_start: int
    opening: str


def _cut(text: str, spans: list[_Span], start: int, room: int) -> _Cut:
    """The cut that ends the piece which begins at `start` and has at most `room` characters."""
    budget = room
    while True:
        cut = _cut_at(text, spans, start, _break(text, start, start + max(budget, 1)))
        excess = len(text[start : cut.end].rstrip()) + len(cut.closing) - room
        if excess <= 0 or budget <= 1:
            return cut
        budget -= excess


def _break(text: str, start: int, limit: int) -> int:
    """The best place for a cut after `start` and at most at `limit`."""
    floor = start + max(int((limit - start) * MIN_SHARE), 1)
    for mark in BREAKS:
        at = text.rfind(mark, floor, limit)
        if at >= 0:
            return _outside_links(text, start, at + len(mark))
    return _whole_character(text, start, _outside_links(text, start, limit))


def _outside_links(text: str, start: int, at: int) -> int:
    """`at`, or the start of the link, mention or emoji that it would cut."""
    for match in _ATOMIC.finditer(text, max(start, at - _ATOMIC_LENGTH), at + _ATOMIC_LENGTH):
        if match.start() >= at:
            break
        if match.end() > at and match.start() > start:
            return match.start()
    return at


def _whole_character(text: str, start: int, at: int) -> int:
    """`at`, or a little before it where it would separate an emoji from its modifiers, or a backslash from its mark."""
    joiners = "\u200d\ufe0f\u20e3"
    last = at
    while (
        start + 1 < at < len(text)
        and at > last - 16
        and (text[at] in joiners or text[at - 1] in "\u200d\\" or _is_modifier(text[at]))
    ):
        at -= 1
    return at


def _is_modifier(char: str) -> bool:
    """Whether it is a skin tone, or a combining mark of the common block."""
    return "\U0001f3fb" <= char <= "\U0001f3ff" or "\u0300" <= char <= "\u036f"


def _cut_at(text: str, spans: list[_Span], start: int, at: int) -> _Cut:
    """The cut at `at`, moved to before a mark that it would separate from all of its text."""
    cut_spans = _spans_around(spans, at)
    for span in cut_spans:
        if span.start > start and _skip_space(text, span.inner) >= at:
            return _cut_at(text, spans, start, span.start)
    at = min([at, *(span.end for span in cut_spans)])
    next_start = _next_line(text, at)
    reopened: list[_Span] = []
    for span in reversed(cut_spans):
        if not reopened and _skip_space(text, next_start) >= span.end:
            # Nothing but white space is left of it: its own closer ends it.
            next_start = _next_line(text, span.after)
        else:
            reopened.append(span)
    closing = "".join(span.closer for span in reversed(cut_spans))
    return _Cut(at, closing, *_opening(text, next_start, reopened[::-1]))


def _spans_around(spans: list[_Span], at: int) -> list[_Span]:
    """The spans that a cut at `at` goes through, outer ones first."""
    place = bisect_left(spans, at, key=lambda span: span.start) - 1
    span = spans[place] if place >= 0 else None
    found = []
    while span is not None:
        if span.start < at < span.after:
            found.append(span)
        span = span.outer
    return found[::-1]


def _opening(text: str, at: int, spans: list[_Span]) -> tuple[int, str]:
    """Where the next piece continues, and what it begins with to open `spans` again."""
    line = text.rfind("\n", 0, at) + 1
    quote = _QUOTE_TO_END.search(text, 0, at)
    marks = "".join(span.opener for span in spans)
    code = spans[-1].prefix if spans else None
    if code is not None:
        return at, code + marks + (code if at > line else "")
    if at > line:
        repeated = _REPEATED_PREFIX.match(text, line, at)
        return at, (">>> " if quote else repeated[0] if repeated else "") + marks
    prefix = ">>> " if quote else ""
    if not marks:
        return at, prefix
    found = _PREFIX.match(text, at)
    return (found.end(), prefix + found[0] + marks) if found else (at, prefix + marks)


def _next_line(text: str, at: int) -> int:
    """The index of the next text after `at`: white space is skipped, except for the indentation of its line."""
    first = _skip_space(text, at)
    line = text.rfind("\n", at - 1 if at else 0, first) + 1
    return max(line, at) if line else first


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _spans(text: str, *, unclosed: bool) -> list[_Span]:
    """The formatted parts of `text`, outer ones first; with `unclosed`, also those that the text's end leaves open.

    As in Discord, a mark ends at the next mark of its kind, and what is inside is formatted separately. A code block
    that is never closed lasts to the end of the text.
    """
    runs = [(match.start(), len(match[0])) for match in _BACKTICKS.finditer(text)]
    # No token that a backslash escapes is a mark.
    marks = ((match.start(), match[0]) for match in _TOKEN.finditer(text) if match[0] in MARKS)
    tokens = sorted([*((at, "`" * length) for at, length in runs), *marks])
    closers: dict[str, list[int]] = {mark: [] for mark in MARKS}
    for at, mark in tokens:
        if mark in closers and _can_close(text, at, mark):
            closers[mark].append(at)
    backticks: dict[int, list[int]] = {1: [], 2: [], 3: []}
    for at, length in runs:
        backticks[min(length, 3)].append(at)
    quotes = [match.span() for match in _QUOTE_BLOCK.finditer(text)]
    quote_starts = [first for first, _last in quotes]
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    escaped = {match.start() + 1 for match in _TOKEN.finditer(text) if match[0][0] == "\\"}

    spans: list[_Span] = []
    stack: list[_Span] = []
    code_end = 0
    for at, mark in tokens:
        while stack and at >= stack[-1].after:
            stack.pop()
        if at < code_end or at in escaped or any(at >= span.end or span.closer == mark for span in stack):
            continue
        limit = stack[-1].end if stack else len(text)
        block = bisect_right(quote_starts, at) - 1
        if block >= 0 and at < quotes[block][1]:
            limit = min(limit, quotes[block][1])
        inner = at + len(mark)
        is_code = mark[0] == "`"
        if not is_code and not _can_open(text, at, mark):
            continue
        candidates = backticks[min(len(mark), 3)] if is_code else closers[mark]
        found = bisect_right(candidates, inner)
        end = candidates[found] if found < len(candidates) else len(text)
        if end >= limit:
            if limit < len(text) or not (unclosed or (is_code and len(mark) >= 3)):
                continue
            end = after = len(text)
        else:
            after = end + (len(_BACKTICKS.match(text, end)[0]) if is_code else len(mark))  # type: ignore[index]
        outer = stack[-1] if stack else None
        if is_code and len(mark) >= 3:
            span = _code_block(text, lines[bisect_right(lines, at) - 1], at, inner, end, after, outer)
        else:
            span = _Span(at, inner, end, after, mark, mark, outer=outer)
        spans.append(span)
        if is_code:
            code_end = after
        else:
            stack.append(span)
    return spans


def _code_block(text: str, line: int, at: int, inner: int, end: int, after: int, outer: _Span | None) -> _Span:
    """The span of a code block whose opener is at `at`, in the line that begins at `line`."""
    found = _LANGUAGE.match(text, inner, end)
    language = found[0] if found else ""
    before = text[line : min(at, line + 40)]
    found = _PREFIX.match(before)
    prefix = found[0] if found else ""
    # List items and headings become indentation, so that they are not repeated.
    prefix = "".join(char if char in "> \t" else " " for char in prefix)
    if prefix.strip() == "" and len(prefix) < len(before):
        prefix = ""
    return _Span(at, inner + len(language), end, after, f"```{language}\n", f"\n{prefix}```", prefix, outer)


def _can_open(text: str, at: int, mark: str) -> bool:
    following = text[at + len(mark) : at + len(mark) + 1]
    if mark in ITALIC and (not following or following.isspace()):
        return False
    return bool(following) and not (mark[0] == "_" and at > 0 and text[at - 1].isalnum())


def _can_close(text: str, at: int, mark: str) -> bool:
    if mark in ITALIC and (at == 0 or text[at - 1].isspace()):
        return False
    return not (mark[0] == "_" and text[at + len(mark) : at + len(mark) + 1].isalnum())
