"""Text for Discord's messages: split at paragraphs with code fences whole, shortened, made harmless.

Lengths are characters as Discord counts them: 2,000 in a message.
"""

import re

MESSAGE_LIMIT = 2_000
# Fences as people and models write them; a longer "language" is text, not a fence.
FENCE = re.compile(r"^(`{3,8})([^`\n]{0,20})$", re.MULTILINE)
NO_WIDTH = "\u200b"
# Room for closing a fence at the end of a piece.
CLOSING = 9
# Where a text may be cut, best first; a cut in the middle of a word is the last resort.
BREAKS = ("\n\n", "\n", ". ", "! ", "? ", "; ", ", ", " ")
# A piece that ends this early for the sake of a better place to cut would waste a message.
LEAST = 0.4


# What Discord reads as Markdown: marks inside a line, the middle of a masked link, and the signs of headings, quotes
# and lists at the start of a line. Addresses come first, because escaping would break them.
MARKDOWN = re.compile(
    r"(?P<address><[a-z][a-z0-9+.-]{0,20}:/[^ <>\n]{1,2000}>|(?:https?|steam)://[^\s<\]]*[^<.,:;\"'\]\s])"
    r"|(?P<mark>[_\\~|*`]|\](?=\()|^(?:\#|>(?=\s|>>\s)))"
    r"|(?P<indent>^[ \t]*)-",
    re.MULTILINE,
)


def split_message(text: str, limit: int = MESSAGE_LIMIT, most: int = 3) -> list[str] | None:
    """`text` in at most `most` pieces of at most `limit` characters; None where it does not fit.

    A code fence that a cut goes through is closed in one piece and opened again, in its language, in the
    next, so every piece renders on its own. Nothing but the blank space at a cut is lost.
    """
    pieces: list[str] = []
    rest, opening = text.strip(), ""
    while rest:
        if len(pieces) == most:
            return None
        whole = opening + rest
        if len(whole) <= limit:
            pieces.append(whole)
            break
        piece = whole[: _cut(whole, limit - CLOSING, len(opening))]
        rest = whole[len(piece) :].lstrip("\n") if _open_fence(piece) else whole[len(piece) :].strip()
        fence = _open_fence(piece)
        opening = f"{fence}\n" if fence else ""
        pieces.append(_closed(piece.rstrip()))
    return pieces


def close_markup(text: str) -> str:
    """`text` with a code fence that is still open closed, for showing a text that has not ended yet."""
    return _closed(text)


def shorten(text: str, limit: int) -> str:
    """`text` on one line in at most `limit` characters, with an ellipsis where something is left out."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def code_block(text: str, language: str = "") -> str:
    """`text` in a code fence that its own backticks cannot close.

    Discord ends a code block at the next three backticks, however many began it, so longer runs inside are
    parted by spaces of no width.
    """
    inside = re.sub(r"`{3,}", lambda run: NO_WIDTH.join(run[0]), text)
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


def _cut(text: str, limit: int, least: int) -> int:
    """Where to cut `text` so that the piece has at most `limit` characters and more than `least`."""
    floor = max(int(limit * LEAST), least + 1)
    for mark in BREAKS:
        at = text.rfind(mark, floor, limit)
        if at >= 0:
            return at + len(mark)
    return _whole_character(text, limit)


def _whole_character(text: str, at: int) -> int:
    """`at`, or a little before it where it would part an emoji from what is joined to it."""
    joiners = "\u200d\ufe0f\u20e3"
    start = at
    while at > start - 16 and at > 1 and (text[at] in joiners or text[at - 1] == "\u200d" or _modifier(text[at])):
        at -= 1
    return at


def _modifier(char: str) -> bool:
    """A skin tone, or a combining mark of the common block."""
    return "\U0001f3fb" <= char <= "\U0001f3ff" or "\u0300" <= char <= "\u036f"


def _open_fence(text: str) -> str:
    """The line that opened the fence in which `text` ends; empty outside a fence."""
    opened = ""
    for marks, language in FENCE.findall(text):
        if not opened:
            opened = marks + language
        elif not language.strip():
            opened = ""
    return opened


def _closed(text: str) -> str:
    fence = _open_fence(text)
    return f"{text}\n{fence[: len(fence) - len(fence.lstrip('`'))]}" if fence else text


def without_surrogates(text: str) -> str:
    """`text` with each half of a surrogate pair replaced by U+FFFD; whole pairs become the character that they encode.

    JSON may hold the escape of half an emoji. Python reads it, and no encoding can write it.
    """
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
