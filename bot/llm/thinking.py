"""Removes thinking that a model writes in tags before its answer, where its server did not remove it.

Known forms: `<think>…</think>`, `<think by="…">…</think>`, `<|think|>…<|/think|>`, `[THINK]…[/THINK]`,
`<seed:think>…</seed:think>`, `◁think▷…◁/think▷`, `<|START_THINKING|>…<|END_THINKING|>`,
`<|begin_of_thought|>…<|end_of_thought|>`, `<unused94>…<unused95>`, `<details type="reasoning">…</details>`, the
channels of gpt-oss, and a closing tag alone on a line where the chat format has already written the opening one.
"""

import re
from collections.abc import Sequence

NAMES = r"think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|inner_monologue|chain_of_thought"
OPENING = re.compile(
    rf"""\s*(?P<tag>
        <\|?(?:\w+:|begin_of_)?(?P<name>{NAMES})(?:\s+[\w-]+=[^<>]{{0,80}})?\|?>
      | \[(?P<square>think(?:ing)?)\]
      | ◁(?P<diamond>think)▷
      | <\|start_(?P<upper>thinking)\|>
      | <\|channel\|>\s*(?:analysis|commentary)\b
      | (?P<harmony><\|channel\|>\s*final\b[^<]{{0,40}}<\|message\|>)
      | <unused94>
      | <details\s+type="reasoning"[^>]{{0,80}}>
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# Characters that may still become an opening tag; the longest is that of `<details …>`.
MAX_TAG = 120
MAYBE_OPENING = re.compile(r"\s*(?:[<\[◁][^>\]▷\n]*|<\|channel\|>[^<]{0,60})\Z")
# A line that is a closing tag and nothing else.
CLOSING_LINE = re.compile(rf"^[ \t]*(?:</(?:\w+:)?(?:{NAMES})>|\[/think(?:ing)?\]|◁/think▷)[ \t]*$", re.I | re.M)
# The longest closing tag, so that one that is cut by two pieces is found.
MAX_CLOSING = 80


class ThinkingFilter:
    """Removes thinking from a text that arrives in pieces. `thought` is true once there was any.

    A tag that `asked` (the prompt) contains is part of the answer: the model was asked to write it.
    """

    def __init__(self, asked: Sequence[str] = ()) -> None:
        self._asked = [text.lower() for text in asked]
        self._pending = ""  # what has arrived and is not yet known to be answer or thinking
        self._thinking: list[str] = []  # the thinking of an open tag, with the tag
        self._closing: re.Pattern[str] | None = None
        self._answer: list[str] | None = None  # the pieces of the answer once it has begun
        self._line = ""  # its last line
        self._is_answer = False  # whether a closing tag in it belongs to it
        self.thought = False
        self.retracted = False

    def feed(self, piece: str) -> str:
        """The part of the answer that is known after `piece`.

        `retracted` is true where everything that was returned before turned out to be thinking.
        """
        self.retracted = False
        if self._answer is not None:
            return self._after_bare_thinking(piece)
        self._pending += piece
        while True:
            if self._closing is not None and not self._close():
                return ""
            opening = OPENING.match(self._pending)
            if opening and not any(opening["tag"].lower() in text for text in self._asked):
                self._open(opening)
            elif len(self._pending) < MAX_TAG and (not self._pending.strip() or MAYBE_OPENING.match(self._pending)):
                return ""
            else:
                return self._begin()

    def flush(self, finish: str = "stop") -> str:
        """The rest of the answer, once the text has ended.

        If the model ended by itself, a tag that was not closed is part of the answer, which mentions the tag.
        """
        if self._answer is not None:
            return ""
        if self._closing is not None and finish == "stop":
            self._pending, self._closing = "".join([*self._thinking, self._pending]), None
        elif self._closing is not None:
            return ""
        return self._begin()

    def _begin(self) -> str:
        text = self._pending.lstrip() if self.thought else self._pending
        if not text:
            return ""
        self._pending, self._answer = "", []
        return self._after_bare_thinking(text)

    def _open(self, opening: re.Match[str]) -> None:
        self.thought = True
        if opening["harmony"]:
            self._pending = self._pending[opening.end() :]
            return
        name = opening["name"] or opening["square"] or opening["diamond"] or opening["upper"]
        if name:
            closing = rf"[<\[◁]\|?(?:/|end_(?:of_)?)(?:\w+:)?{name}\|?[>\]▷]"
        elif "unused" in opening["tag"]:
            closing = r"<unused95>"
        elif "details" in opening["tag"].lower():
            closing = r"</details>"
        else:
            closing = r"<\|channel\|>\s*final\b[^<]{0,40}<\|message\|>"
        self._closing = re.compile(closing, re.IGNORECASE)
        self._thinking, self._pending = [self._pending[: opening.end()]], self._pending[opening.end() :]

    def _close(self) -> bool:
        """Whether the open tag is closed. The text behind it is then pending."""
        assert self._closing is not None
        found = self._closing.search(self._pending)
        if not found:
            # What cannot begin a closing tag any more is not looked at again, so that the time is linear.
            keep = max(len(self._pending) - MAX_CLOSING, 0)
            self._thinking.append(self._pending[:keep])
            self._pending = self._pending[keep:]
            return False
        self._pending, self._thinking, self._closing = self._pending[found.end() :].lstrip(), [], None
        return True

    def _after_bare_thinking(self, piece: str) -> str:
        """`piece`; or what follows a closing tag alone on a line, where no tag was opened before."""
        assert self._answer is not None
        self._answer.append(piece)
        if self.thought or self._is_answer:
            return piece
        # Only the last line and the piece are searched, so that the time is linear.
        window = self._line + piece
        last = window.rpartition("\n")[2]
        self._line = last if len(last) <= MAX_CLOSING else "x"
        if not CLOSING_LINE.search(window):
            return piece
        text = "".join(self._answer)
        found = CLOSING_LINE.search(text)
        if not found or text[: found.start()].count("```") % 2 or re.search(rf"[<\[◁](?:\w+:)?(?:{NAMES})[>\]▷]", text):
            self._is_answer = True
            return piece
        self.thought = self.retracted = True
        rest = text[found.end() :].lstrip()
        self._answer = [rest] if rest else []
        return rest
