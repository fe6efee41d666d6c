"""Inputs of a template with known answers: those that ship with it, and an operator's file, which is checked and split.

Only such files are trained. Discord's policy forbids training on messages, and so on what members taught.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.core.errors import InputError, TemplateError
from bot.core.i18n import _
from bot.core.text import shorten
from bot.llm.template import ChatTemplate
from bot.server.evaluation import LABELLED, read_cases
from bot.server.prompt_files import FileRow
from bot.server.trick_tests import MAX_EXPECTED_LENGTH, listed, read_tests
from bot.storage.datasets import PairRow
from bot.tuning.rows import ANSWERABLE, ReadRows, read_rows
from bot.tuning.split import HELD_OUT, TRAIN, VALIDATION
from bot.tuning.subjects import TemplateSubject, is_template
from bot.tuning.words import digest, sentence_key

# One in so many rows is for validation, which decides when training stops.
ROWS_PER_VALIDATION = 10
# One in so many rows of an operator's file is held out, and no more than `MAX_HELD_OUT`: the tuned model and the
# few-shot prompt are asked all of them.
TESTED, MAX_HELD_OUT = 5, 200
# Rows of an operator's file. Of the fewest, 11 are trained; providers take no fewer than 10.
MIN_ROWS, MAX_ROWS = 15, 5_000
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """The pairs of an operator's file with their roles, and a sentence for each row that is left out."""

    pairs: list[PairRow]
    problems: list[str]


def with_one_input(templates: Mapping[str, ChatTemplate]) -> list[str]:
    """The names of the templates that a model can be tuned for."""
    found = (TemplateSubject(template) for name, template in templates.items() if is_template(templates, name))
    return [subject.name for subject in found if subject.has_one_input]


def labelled_files(name: str) -> tuple[Path, Path] | None:
    """The labelled inputs that ship for the template `name`: to train on, and to test with; None where none do."""
    training, test = LABELLED / f"{name}_train.jsonl", LABELLED / f"{name}.jsonl"
    return (training, test) if training.is_file() and test.is_file() else None


def labelled_pairs(subject: TemplateSubject, training: str, test: str) -> list[PairRow]:
    """Pairs of two files in JSON Lines with `input` and `wanted`; some of the first validate, the second is held out.

    An input of the test file is not trained. Raises `InputError` where a label is no answer of the template.
    """
    held, trained = read_cases(test), read_cases(training)
    tested = {sentence_key(case.text) for case in held}
    rows = [(case, _role(case.text)) for case in trained if sentence_key(case.text) not in tested]
    rows += [(case, HELD_OUT) for case in held]
    return [
        PairRow(line, "", ANSWERABLE, case.text, subject.answer(case.expected), role=role)
        for line, (case, role) in enumerate(rows, 1)
    ]


def _role(text: str) -> str:
    return VALIDATION if int(digest("label", text), 16) % ROWS_PER_VALIDATION == 0 else TRAIN


# --- an operator's file


def read_labelled(subject: TemplateSubject, name: str, text: str) -> LabelledFile:
    """The pairs of a file called `name`, in a form of `read_tests` or as chats, the form that providers take.

    A row is left out, with a sentence, if it is empty or too long, if the template has no such answer, or if its input
    is an example of the template or in an earlier row.

    Raises `InputError` for a file with too few or too many rows, and for a template with several inputs.
    """
    subject.request("")
    rows, problems = _rows(name, text)
    if len(rows) > MAX_ROWS:
        raise InputError("A file has up to {n:,} rows; this one has {there:,}.", n=MAX_ROWS, there=len(rows))
    examples = {sentence_key(question["content"]) for question, _answer in subject.template.examples}
    pairs = dict[Key, PairRow]()
    for row in rows:
        try:
            key, pair = _checked(subject, row)
            if key in examples:
                raise InputError("It is an example of the prompt, which would only have to copy the answer.")
            if key in pairs:
                there = shorten(pairs[key].answer, 60)
                raise InputError("The same input is there already, with the answer: {answer}", answer=there)
        except (InputError, TemplateError) as error:
            problems.append(_("Line {n}: {problem}", n=row.line, problem=error))
        else:
            pairs[key] = pair
    problems = listed(problems)
    if len(pairs) < MIN_ROWS:
        raise InputError(
            "Rows that can be used: {n}. At least {least} are needed, to train and to test.{problems}",
            n=len(pairs),
            least=MIN_ROWS,
            problems="".join(f"\n{problem}" for problem in problems),
        )
    return LabelledFile(_split(list(pairs.values())), problems)


def _rows(name: str, text: str) -> tuple[list[FileRow], list[str]]:
    """The rows of a file, and what is wrong with the lines of chats that hold none."""
    chats = read_rows(text.encode()) if text.lstrip().startswith("{") else ReadRows()
    if not chats.rows:
        return read_tests(text, name), []
    rows = [FileRow(pair.line, pair.question, pair.answer) for pair in chats.pairs]
    return rows, [finding.sentence for finding in chats.unreadable]


def _checked(subject: TemplateSubject, row: FileRow) -> tuple[Key, PairRow]:
    """A row as a pair, with a key that is equal for the same input. Raises `InputError` or `TemplateError`."""
    if not row.input:
        raise InputError("The input is empty.")
    if not row.expected:
        raise InputError("The expected answer is empty.")
    if len(row.expected) > MAX_EXPECTED_LENGTH:
        raise InputError("An expected answer has up to {n:,} characters.", n=MAX_EXPECTED_LENGTH)
    asked = subject.request(row.input).messages[-1]["content"]
    return sentence_key(asked), PairRow(row.line, "", ANSWERABLE, row.input, subject.answer(row.expected))


def _split(pairs: list[PairRow]) -> list[PairRow]:
    """The pairs with their roles, which are equal in every process."""
    drawn = sorted(pairs, key=lambda pair: digest("label", pair.question))
    held = min(len(pairs) // TESTED, MAX_HELD_OUT)
    roles = [HELD_OUT] * held + [VALIDATION] * (len(pairs) // ROWS_PER_VALIDATION)
    roles += [TRAIN] * (len(pairs) - len(roles))
    return sorted((replace(pair, role=role) for pair, role in zip(drawn, roles, strict=True)), key=lambda p: p.line)
