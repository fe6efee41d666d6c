"""Every function that takes text from people or models takes time in proportion to its length.

Regular expressions and loops that look back may take quadratic time for texts that repeat one shape. So each function
gets texts of each shape in two lengths, one four times the other, and may take at most `GROWTH` times as long for
the longer one. This compares two times of one machine; no time itself is asserted.
"""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from bot.core import tables
from bot.core.errors import FewshotError
from bot.core.json_text import without_surrogates
from bot.core.languages import suggestions
from bot.core.text import close_markup, code_block, escape_markdown, has_spoiler, shorten, split_message
from bot.core.words import WORD
from bot.engine.pocket.tokenizer import split_words
from bot.engine.rule_based.model import StandIn
from bot.engine.rule_based.prompt import Prompt
from bot.llm.output_parsers import parse
from bot.llm.template import ChatTemplate, fill
from bot.llm.thinking import ThinkingFilter
from bot.play.action_parser import is_exit, parse_action, roll_dice
from bot.server.judging import compare
from bot.server.prompt_files import read_prompt_file
from bot.server.similarity import nearest
from bot.server.trick_form import read_trick
from bot.server.trick_tests import read_tests
from bot.tuning import words
from bot.tuning.checks import unsupported
from bot.tuning.corpus import chunks_of
from bot.tuning.questions import exact
from bot.tuning.rows import read_rows
from bot.tuning.scoring import noisy
from bot.tuning.words import squeezed

# Characters of the longer text: what a slash option takes, and an answer that is much longer than three messages.
OPTION, ANSWER = 6_000, 12_000
# Characters of a long stream, and of its pieces: a quadratic step at each piece shows late.
STREAM, PIECE = 200_000, 40
# Four times the length takes four times as long in linear time, and sixteen times in quadratic time.
GROWTH = 10
# Seconds of CPU below which a function is fast enough whatever its growth, and which a clock measures badly.
FAST = 0.02
ATTEMPTS = 3

SHAPES = [
    "[](", "](", "[", "(", "((((", "<FACTS ", '<FACTS entity="', "<FACT>", "<!--", "&amp;", "<@1>", "<a:b",
    "https://a.b/", "http://", "a", "A ", "1", "_a", "-", "é", "e\u0301", "\u0301", "\u200b", "\u200d",
    "\ufe0f", "日本", "😀", "\ud83d", "*", "**", "**a ", "*a *", "_", "__", "~~", "||", "||a", "`", "``", "```",
    "```\n", "> ", "> ||", ">>> ", "- ", "1. ", "#", "\\", "{", '{"a":', '{"a": [', '"', "'", "[1,", "/* ",
    "// x\n", "\n", "\r\n", " ", " \n", "\t", "\u00a0", ",", ";", "“", "a, b; c. ", "no. ", "<think>",
    "</think>", "\n</think>\n", "<|channel|>", "5: ", "4", "４：", "Rating: ", "4.5", "roll 1d6 ", "d20+", "1d", "to ",
    'say "', 'I say "a" and ', "exit ", "question: ", "Facts:\n", "{{a}}", "{{", "a? ", "\x00", "\x1e",
]  # fmt: skip


def _rule_based(text: str) -> object:
    return StandIn.reply(Prompt((f"Facts:\n{text}",), (f"{text}?",), ()))


def _in_pieces(text: str) -> object:
    thinking = ThinkingFilter()
    for at in range(0, len(text), PIECE):
        thinking.feed(text[at : at + PIECE])
    return thinking.flush("length")


def _quoted_in_yaml(text: str) -> object:
    prompt = json.dumps(f"{text} {{{{a}}}}", ensure_ascii=False)
    return read_trick(read_prompt_file(f"prompts: [{prompt}]").template, "trick")


RNG = random.Random(1)
TEMPLATE = ChatTemplate.from_dict({"messages": [{"role": "user", "content": "{{a}} and {{b}}"}]})
FUNCTIONS: dict[str, tuple[int, Callable[[str], object]]] = {
    "split_message": (ANSWER, lambda text: split_message(text, max_pieces=100_000)),
    "close_markup": (ANSWER, close_markup),
    "has_spoiler": (ANSWER, has_spoiler),
    "shorten": (ANSWER, lambda text: shorten(text, 100)),
    "code_block": (ANSWER, code_block),
    "escape_markdown": (ANSWER, escape_markdown),
    "without_surrogates": (ANSWER, without_surrogates),
    "words": (ANSWER, WORD.findall),
    "text reply": (ANSWER, lambda text: parse(text, "text")),
    "rating reply": (ANSWER, lambda text: parse(text, "rating")),
    "facts reply": (ANSWER, lambda text: parse(text, "facts")),
    "JSON reply": (ANSWER, lambda text: parse(text, "json", {"type": "object"})),
    "thinking": (ANSWER, lambda text: ThinkingFilter().feed(text)),
    "thinking in pieces": (STREAM, _in_pieces),
    "placeholder values": (ANSWER, lambda text: TEMPLATE.fill({"a": text, "b": text})),
    "placeholders": (OPTION, lambda text: fill(text, {"a": "x"})),
    "template": (ANSWER, lambda text: ChatTemplate.from_dict(json.loads(text))),
    "action": (OPTION, lambda text: parse_action(text, RNG)),
    "dice": (OPTION, lambda text: roll_dice(text, RNG)),
    "exit": (OPTION, is_exit),
    "similarity": (OPTION, lambda text: nearest(text, [text[:4_000]] * 20, 8)),
    "language suggestions": (OPTION, lambda text: suggestions(text, "de")),
    "table": (ANSWER, lambda text: tables.read_table(text, "review")),
    "entries of CSV": (ANSWER, lambda text: tables.entries(text, "a.csv", column="review", max_length=10**7)),
    "entries of text": (ANSWER, lambda text: tables.entries(text, "a.txt", column="review", max_length=10**7)),
    "prompt file": (ANSWER, read_prompt_file),
    "list in a prompt file": (ANSWER, lambda text: read_prompt_file(f"prompts:\n- x\ntests: [{text}")),
    "prompt in a prompt file": (OPTION, _quoted_in_yaml),
    "tests of CSV": (ANSWER, lambda text: read_tests(f"input,expected\n{text}", "a.csv")),
    "tests of JSON": (ANSWER, lambda text: read_tests(text, "a.jsonl")),
    "judge of texts": (ANSWER, lambda text: compare("contains", text, text, text[:2_000] + "x")),
    "judge of numbers": (ANSWER, lambda text: compare("within-one", text, text, text[:2_000])),
    "judge of fields": (ANSWER, lambda text: compare("fields", text, text, text[:2_000])),
    "dataset rows": (ANSWER, lambda text: read_rows(text.encode(errors="replace"))),
    "corpus chunks": (ANSWER, lambda text: list(chunks_of("a.txt", text))),
    "quote in a text": (ANSWER, lambda text: exact(text, text[:2_000] + "x")),
    "grounding": (ANSWER, lambda text: unsupported(text, text)),
    "squeezed": (ANSWER, squeezed),
    "sentence key": (ANSWER, words.sentence_key),
    "noisy question": (OPTION, noisy),
    "rule-based answer": (OPTION, _rule_based),
    "pocket GPT words": (OPTION, split_words),
}  # fmt: skip


def seconds(function: Callable[[str], object], text: str) -> float:
    started = time.process_time()
    with suppress(FewshotError, ValueError, RecursionError):
        function(text)
    return time.process_time() - started


def grows_too_fast(function: Callable[[str], object], shape: str, length: int) -> bool:
    """Whether it does in all attempts; the first one may include work that is done once in a process."""
    longer = (shape * (length // len(shape) + 1))[:length]
    for _ in range(ATTEMPTS):
        long = seconds(function, longer)
        if long < FAST:
            return False
        short = seconds(function, longer[: length // 4])
        if long < GROWTH * max(short, FAST / GROWTH):
            return False
    return True


@pytest.mark.parametrize("name", FUNCTIONS)
def test_time_grows_with_the_length_of_the_text(name: str) -> None:
    length, function = FUNCTIONS[name]
    assert [shape for shape in SHAPES if grows_too_fast(function, shape, length)] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nested_and_mixed_shapes_are_no_worse(name: str) -> None:
    length, function = FUNCTIONS[name]
    nested = [
        f"{opener * 50}a{closer * 50}"
        for opener, closer in (("(", ")"), ("[", "]"), ("{", "}"), ("**||", "||**"), ("<a>", "</a>"))
    ]
    mixed = ["".join(random.Random(seed).choices(SHAPES, k=40)) for seed in range(10)]
    assert [shape for shape in nested + mixed if grows_too_fast(function, shape, length)] == []
