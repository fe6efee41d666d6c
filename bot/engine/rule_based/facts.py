"""Answers a question with a sentence of the facts in the prompt, word for word.

Facts are the lines under a heading such as `Facts:` or `Context:`, in a system message or in the last user message, up
to a line that begins with `Question:`; or the text between `<facts>` and `</facts>`. The sentence that shares most
words with the question is the answer; rare words count more.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass

from bot.core.words import WORD
from bot.engine.rule_based.prompt import Prompt

NO_ANSWER = "None of the facts given answers that."

# The share of the question's weight that the sentence and its paragraph must cover. Chosen on
# tests/engine/rule_based/test_facts.py: with a lower one, off-topic questions get a sentence.
MIN_COVERAGE = 0.55
# The weight of a word that is only in an earlier sentence of the paragraph ("In race 2 … She came third").
PARAGRAPH_WEIGHT = 0.6

_NAMES = "facts|context|sources?|documents?|excerpts?"
_HEADING = re.compile(rf"^[#* \t]*(?:[\w', ]{{0,40}}[ \t])?(?:{_NAMES})\b[^\n:]{{0,40}}:[* \t]*$", re.I | re.M)
_ELEMENT = re.compile(rf"<({_NAMES})>(.*?)</\1>", re.I | re.S)
_QUESTION_LINE = re.compile(r"^[^\w\n]{0,40}question[^\w\n]{0,40}:[^\w\n]*", re.I | re.M)
_ASKS = re.compile(r"\?\s*$|^\W*(?:who|what|which|where|when|why|how|did|was|were|is|are|does|do)\b", re.I)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“(]?[A-Z0-9])")

_STOPWORD_LIST = (
    "a an and are as at be been by came come did do does done finish for from get go had has have he her him his "
    "how i in into is it its me much my of on or our over please s she so tell than that the their them then "
    "there these they this to us was we were what when where which while who whom whose why will with you your"
)
_STOPWORDS = frozenset(_STOPWORD_LIST.split())
_SYNONYMS = {
    word: group[0]
    for group in (
        ("first", "win", "winner", "victory", "1st", "champion"),
        ("second", "2nd", "runner-up"),
        ("third", "3rd"),
        ("fourth", "4th"),
        ("fifth", "5th", "last"),
        ("pilot", "racer", "driver"),
        ("malfunction", "fail", "break", "problem"),
    )
    for word in group
}
_IRREGULAR = {"won": "win", "broke": "break", "broken": "break", "flew": "fly", "led": "lead", "drove": "drive"}


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    words: frozenset[str]
    earlier_words: frozenset[str]


def reply(prompt: Prompt) -> str | None:
    """The sentence that answers, or `NO_ANSWER`; None if the prompt has no facts or no question."""
    if not prompt.user:
        return None
    last = prompt.user[-1]
    block = "\n\n".join(part for text in (*prompt.system, last) for part in _facts_in(text))
    question = _question_in(last)
    if not block.strip() or not _ASKS.search(question):
        return None
    return _best(question, _sentences(block))


def _facts_in(text: str) -> list[str]:
    elements = [match.group(2) for match in _ELEMENT.finditer(text)]
    heading = _HEADING.search(text)
    if elements or heading is None:
        return elements
    below = text[heading.end() :]
    question = _QUESTION_LINE.search(below)
    return [below[: question.start()] if question else below]


def _question_in(text: str) -> str:
    """The text after `Question:`, else the last line outside the facts."""
    outside = _ELEMENT.sub("", text)
    lines = [line for line in _QUESTION_LINE.split(outside)[-1].splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _sentences(block: str) -> list[_Sentence]:
    found = []
    for paragraph in re.split(r"\n\s*\n", block):
        earlier_words: frozenset[str] = frozenset()
        for text in _SENTENCE_END.split(" ".join(paragraph.split())):
            words = _words(text)
            if words:
                found.append(_Sentence(text.strip(" -*#"), words, earlier_words))
            earlier_words |= words
    return found


def _words(text: str) -> frozenset[str]:
    plain = (word.lower().replace("’", "'").removesuffix("'s") for word in WORD.findall(text))
    return frozenset(_stem(word) for word in plain if word not in _STOPWORDS)


def _stem(word: str) -> str:
    """A word without its most common endings."""
    word = _IRREGULAR.get(word, word)
    if word in _SYNONYMS:
        return _SYNONYMS[word]
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word.removesuffix(ending)
            break
    return _SYNONYMS.get(word, word).removesuffix("e")


def _names(text: str) -> set[str]:
    """Stems of the capitalised words that do not begin the text."""
    return {_stem(name.lower()) for name in re.findall(r"(?<=\s)[A-Z][^\W\d_]+", text)}


def _best(question: str, sentences: list[_Sentence]) -> str:
    asked = _words(question)
    held = Counter(word for sentence in sentences for word in sentence.words)
    weight = {word: math.log(1 + len(sentences) / (held[word] or 0.5)) for word in asked}
    total = sum(weight.values())
    who = re.match(r"\W*who\b", question, re.I)
    if not total or any(not held[name] for name in _names(question) & asked):
        return NO_ANSWER

    def score(sentence: _Sentence) -> float:
        own = sum(weight[word] for word in asked & sentence.words)
        return own + PARAGRAPH_WEIGHT * sum(weight[word] for word in (asked & sentence.earlier_words) - sentence.words)

    candidates = [s for s in sentences if not s.text.endswith("?") and (not who or _names(s.text) - asked)]
    best = max(candidates, key=score, default=None)
    covered = best is not None and asked & best.words and score(best) / total >= MIN_COVERAGE
    return best.text if best is not None and covered else NO_ANSWER
