"""The test sets of tricks: inputs with the answers that are expected, each checked before it is stored."""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import time

from bot.core import tables
from bot.core.errors import InputError, NotFoundError
from bot.core.i18n import _
from bot.core.json_text import read_json
from bot.core.text import shorten
from bot.server.judging import check_expected, plain
from bot.server.prompt_files import FileRow
from bot.server.trick_form import Trick
from bot.server.tricks import REMOVED, Tricks
from bot.storage import trick_tests as rows
from bot.storage.database import Database

# Tests of a trick: as many as its server's managers may add, and as many as an operator may.
MAX_TESTS, MAX_TESTS_BY_OPERATORS = 50, 500
MAX_EXPECTED_LENGTH = 2_000
# Rows of a file: each takes some 20 µs on the event loop to be checked.
MAX_ROWS = 1_000
# Problems of a file that are named; the rest are counted.
MAX_PROBLEMS = 8
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True, slots=True)
class TrickTest:
    """An input with its expected answer, which is empty for an input that is only tried; and who wrote it.

    A stored run has the fields in this order. `bot.storage.erasure` looks for the author's id as the last one.
    """

    id: str
    input: str
    expected: str
    user_id: int = 0


def read_tests(text: str, name: str) -> list[FileRow]:
    """The rows of a file called `name`: JSON Lines, or a table, with `input` and `expected`.

    Raises `InputError` that says what is wrong with the file.
    """
    if name.casefold().endswith(JSON_SUFFIXES) or text.lstrip()[:1] == "{":
        return list(_json_rows(text))
    table = tables.read_table(text, "input", "expected")
    header = [cell.casefold() for cell in table.header]
    if "input" not in header or "expected" not in header:
        raise InputError("The first line of the table must name the columns “input” and “expected”.")
    given, wanted = header.index("input"), header.index("expected")
    return [
        FileRow(line, *(row[at].strip() if at < len(row) else "" for at in (given, wanted)))
        for line, row in enumerate(table.rows, 2)
    ]


def _json_rows(text: str) -> Iterator[FileRow]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            data = read_json(line)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise InputError(
                'Line {n} is not a JSON object with "input" and "expected"; each test has a line.', n=number
            )
        yield FileRow(number, _text(data.get("input")), _text(data.get("expected")))


def _text(value: object) -> str:
    """A text as it is, another value as JSON."""
    if isinstance(value, str):
        return value.strip()
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def listed(problems: list[str]) -> list[str]:
    """The first problems of a file, and how many more there are."""
    more = len(problems) - MAX_PROBLEMS
    return problems if more <= 0 else [*problems[:MAX_PROBLEMS], _("… and {n} more", n=more)]


def is_example(trick: Trick, text: str) -> bool:
    """Whether an input is that of an example: the model would only have to copy its answer."""
    given = plain(trick.user_message(text))
    return any(plain(example.given) == given for example in trick.examples)


class TestSet:
    """Accepts the tests of a `trick` one by one; `tests` are those that it has."""

    __test__ = False  # no test of pytest's

    def __init__(self, trick: Trick, tests: Iterable[rows.TestRow], limit: int) -> None:
        self._trick, self._limit = trick, limit
        self._examples = {plain(example.given) for example in trick.examples}
        self._answers = {plain(test.input): test.expected for test in tests}

    def accept(self, text: str, expected: str) -> None:
        """Add a test. Raises `InputError` that says why it cannot be one."""
        if not text.strip():
            raise InputError("The input is empty.")
        if len(text) > self._trick.max_length or len(expected) > MAX_EXPECTED_LENGTH:
            raise InputError(
                "An input has up to {most:,} characters, and its answer up to {longest:,}.",
                most=self._trick.max_length,
                longest=MAX_EXPECTED_LENGTH,
            )
        check_expected(self._trick, expected)
        if plain(self._trick.user_message(text)) in self._examples:
            raise InputError("It is an example of the trick: the model would only have to copy the answer.")
        there = self._answers.get(plain(text))
        if there is not None and plain(there) == plain(expected):
            raise InputError("This test exists already.")
        if there is not None:
            raise InputError("The same input has another answer already: {answer}", answer=shorten(there, 60))
        if len(self._answers) >= self._limit:
            raise InputError("A trick has up to {n} tests here.", n=self._limit)
        self._answers[plain(text)] = expected

    def accept_file(self, found: Sequence[FileRow]) -> tuple[list[FileRow], list[str]]:
        """Add the rows of a file; returns those that are tests, and a sentence for each of the others."""
        good, problems = [], []
        for row in found:
            try:
                self.accept(row.input, row.expected)
            except InputError as error:
                problems.append(_("Line {n}: {problem}", n=row.line, problem=error))
            else:
                good.append(row)
        return good, listed(problems)


class TrickTests:
    """Reads and changes the test sets of servers' tricks; one for the process."""

    def __init__(self, database: Database, tricks: Tricks) -> None:
        self._database, self._tricks = database, tricks

    async def all(self, guild_id: int, name: str) -> tuple[Trick, list[TrickTest]]:
        """A trick and its tests, oldest first. Raises `NotFoundError`."""
        trick = await self._tricks.get(guild_id, name)
        found = await rows.tests_of(self._database, guild_id, trick.name)
        return trick, [TrickTest(row.id, row.input, row.expected, row.user_id) for row in found]

    async def add(self, guild_id: int, user_id: int, name: str, text: str, expected: str, *, limit: int) -> int:
        """Add a test; returns the number of the trick's tests. Raises `InputError` or `NotFoundError`."""
        trick, there = await self.all(guild_id, name)

        def choose(tests: Sequence[rows.TestRow]) -> list[rows.TestRow]:
            TestSet(trick, tests, limit).accept(text.strip(), expected.strip())
            return [_row(text, expected, user_id)]

        await self._store(guild_id, trick.name, choose)
        return len(there) + 1

    async def import_rows(
        self, guild_id: int, user_id: int, name: str, found: Sequence[FileRow], *, limit: int
    ) -> tuple[int, list[str]]:
        """Add the rows of a file; returns how many are tests now, and what is wrong with the others."""
        if len(found) > MAX_ROWS:
            raise InputError("A file has up to {n:,} tests; this one has {there:,}.", n=MAX_ROWS, there=len(found))
        trick, _there = await self.all(guild_id, name)
        good: list[FileRow] = []
        problems: list[str] = []

        def choose(tests: Sequence[rows.TestRow]) -> list[rows.TestRow]:
            good[:], problems[:] = TestSet(trick, tests, limit).accept_file(found)
            now = time()
            return [_row(row.input, row.expected, user_id, now + at / 1000) for at, row in enumerate(good)]

        await self._store(guild_id, trick.name, choose)
        return len(good), problems

    async def remove(self, guild_id: int, test_id: str) -> None:
        """Delete a test; raises `NotFoundError`."""
        if not await rows.remove_test(self._database, guild_id, test_id):
            raise NotFoundError(REMOVED)

    async def _store(self, guild_id: int, name: str, choose: rows.Choose) -> None:
        if not await rows.add_tests(self._database, guild_id, name, choose):
            raise NotFoundError(REMOVED)


def _row(text: str, expected: str, user_id: int, at: float | None = None) -> rows.TestRow:
    return rows.TestRow(secrets.token_hex(8), user_id, time() if at is None else at, text.strip(), expected.strip())
