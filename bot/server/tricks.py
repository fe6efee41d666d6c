"""The tricks of servers: templates that they teach by example. They are used in prompts only, never as training data.

Every change makes a version with its author, time and note. An older version comes back as a new one.
"""

import asyncio
import json
import logging
import re
import secrets
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from time import time
from typing import Any

from bot.core.errors import FewshotError, InputError, NotFoundError
from bot.core.i18n import N_
from bot.core.json_text import read_json
from bot.core.text import shorten
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.server.prompt_files import PromptFile, read_prompt_file
from bot.server.trick_form import (
    MAX_ABOUT_LENGTH,
    MAX_EXAMPLES,
    MAX_INSTRUCTION_LENGTH,
    Example,
    Trick,
    check_count,
    check_example,
    read_trick,
    to_trick,
    with_defaults,
)
from bot.storage import tricks as rows
from bot.storage.database import Database

_log = logging.getLogger(__name__)
MAX_TRICKS = 50
# Versions of a trick that are stored; older ones are deleted.
MAX_VERSIONS = 100
# Suggestions that may wait in a server, and those of one member among them.
MAX_SUGGESTIONS, MAX_SUGGESTIONS_PER_PERSON = 100, 10
# Characters of a trick's name, and of the note to a version.
MAX_NAME_LENGTH, MAX_NOTE_LENGTH = 32, 200
# The keys of a template that word the question; the others are its form and its parameters.
WORDING = frozenset({"messages", "about", "inputs"})
NAME = re.compile(r"[^\W_]+(-[^\W_]+)*")
REMOVED = N_("Somebody has removed it in the meantime.")
DECIDED = N_("Someone has already decided on this suggestion.")
NO_VERSION = N_("This version is not stored any more.")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A correction of an answer, and the trick as it was when it gave the answer."""

    id: str
    user_id: int
    trick: Trick
    example: Example


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a trick: who made it, when (seconds since 1970), and how (`bot.storage.tricks.Kind`).

    `note` is what its author typed, or for one that was brought back the number of the old one. `body` is the
    template's JSON without the examples.
    """

    number: int
    user_id: int
    at: float
    kind: rows.Kind
    note: str
    body: Mapping[str, Any]
    examples: tuple[Example, ...]

    def trick(self, name: str) -> Trick:
        """The trick as it was; raises `FewshotError` where its form is not allowed any more."""
        trick = to_trick(ChatTemplate.from_dict(self.body, name=name))
        return replace(trick, examples=self.examples, version=self.number)


@dataclass(frozen=True, slots=True)
class Differences:
    """What a version changed. `changed` are pairs of the old and the new example for one input."""

    added: tuple[Example, ...]
    removed: tuple[Example, ...]
    changed: tuple[tuple[Example, Example], ...]
    instruction: bool
    form: bool


def differences(old: Version, new: Version) -> Differences:
    """What `new` has changed in comparison with `old`."""
    removed = {example.given: example for example in old.examples if example not in new.examples}
    added = {example.given: example for example in new.examples if example not in old.examples}
    forms = [{name: value for name, value in each.body.items() if name not in WORDING} for each in (old, new)]
    return Differences(
        tuple(example for given, example in added.items() if given not in removed),
        tuple(example for given, example in removed.items() if given not in added),
        tuple((removed[given], example) for given, example in added.items() if given in removed),
        old.body.get("messages") != new.body.get("messages"),
        forms[0] != forms[1],
    )


class Tricks:
    """Reads and changes the tricks of servers; one for the process. `reserved` are names that no trick may have."""

    def __init__(self, database: Database, reserved: Collection[str]) -> None:
        self._database = database
        self.reserved = set(reserved)

    async def names(self, guild_id: int | None) -> list[str]:
        """The names of a server's tricks, in order; direct messages have none."""
        return await rows.names(self._database, guild_id) if guild_id is not None else []

    async def all(self, guild_id: int | None) -> dict[str, Trick]:
        """A server's tricks by name, without those that cannot be used."""
        found = await rows.all_of(self._database, guild_id) if guild_id is not None else []
        tricks: dict[str, Trick] = {}
        for row, examples in found:
            try:
                tricks[row.name] = _trick(row, examples)
            except FewshotError as error:  # Stored by an earlier version, which allowed more.
                _log.warning("the trick %s of the server %s cannot be used: %s", row.id, guild_id, error)
        return tricks

    async def get(self, guild_id: int, name: str) -> Trick:
        """The trick called `name`.

        Raises `NotFoundError`, or `InputError` for one that an earlier version stored and that is not allowed today.
        """
        found = await rows.find(self._database, guild_id, _normalized(name))
        if found is None:
            raise _no_trick(name)
        try:
            return _trick(*found)
        except FewshotError as error:
            raise InputError(
                "The trick {name} cannot be used: {problem} A manager can remove it with /trick remove.",
                name=found[0].name,
                problem=str(error),
            ) from error

    async def teach(
        self,
        guild_id: int,
        user_id: int,
        name: str,
        instruction: str,
        example: Example,
        *,
        given_by: int | None = None,
    ) -> Trick:
        """Add a trick from an instruction and one example, whose input is from a message of `given_by`.

        Raises `InputError` for a name that cannot be used or is taken, empty texts, and a server that is full.
        """
        instruction = instruction.strip()
        if not instruction:
            raise InputError("Say what the trick should do.")
        if len(instruction) > MAX_INSTRUCTION_LENGTH:
            raise InputError("Say it shorter: an instruction has up to {n:,} characters.", n=MAX_INSTRUCTION_LENGTH)
        trick = Trick(
            self.name(name),
            shorten(instruction, MAX_ABOUT_LENGTH),
            ({"role": "system", "content": instruction},),
            examples=(check_example(example),),
        )
        return await self.add(guild_id, user_id, trick, "taught", given_by=given_by)

    async def add(
        self,
        guild_id: int,
        user_id: int,
        trick: Trick,
        kind: rows.Kind,
        *,
        suggestion: str = "",
        accepted_by: int | None = None,
        given_by: int | None = None,
    ) -> Trick:
        """Store `trick`, by `user_id`, and remove the `suggestion` that it came from, which a manager accepted.

        Raises `InputError` or `NotFoundError`.
        """
        check_count(trick)
        now = time()
        row = rows.TrickRow(_id(), guild_id, trick.name, user_id, now, _body(trick), 1)
        change = rows.Change(
            user_id if accepted_by is None else accepted_by,
            now,
            kind,
            "",
            row.body,
            user_id,
            [replace(row, given_by=given_by) for row in _rows(trick.examples, user_id, now)],
        )
        outcome = await rows.add(self._database, row, change, limit=MAX_TRICKS, suggestion=suggestion)
        if outcome == "taken":
            raise InputError("This server has a trick called {name} already; choose another name.", name=trick.name)
        if outcome == "full":
            raise InputError("A server has up to {n} tricks; remove one first.", n=MAX_TRICKS)
        if outcome == "gone":
            raise NotFoundError(DECIDED)
        return replace(trick, version=1)

    async def add_example(
        self,
        guild_id: int,
        user_id: int,
        name: str,
        text: str,
        wanted: str,
        *,
        note: str = "",
        given_by: int | None = None,
    ) -> Trick:
        """Add an input and its answer to a trick; returns the trick. Raises `InputError` or `NotFoundError`.

        `given_by` wrote the message that the input is from, where that is not the person.
        """
        trick = await self.get(guild_id, name)
        check_example(Example(text, wanted))
        example = Example(trick.user_message(text.strip()), wanted.strip())
        return await self._append(guild_id, user_id, trick.name, example, "example", note=note, given_by=given_by)

    async def accept(self, guild_id: int, user_id: int, suggestion: Suggestion) -> Trick:
        """Add the suggested example to the trick of its name, and remove the suggestion; returns the trick."""
        trick, example = await self.get(guild_id, suggestion.trick.name), suggestion.example
        text = suggestion.trick.input_of(example)
        if text is not None:
            example = replace(example, given=trick.user_message(text))
        return await self._append(
            guild_id,
            user_id,
            trick.name,
            check_example(example),
            "accepted",
            author_id=suggestion.user_id,
            suggestion=suggestion.id,
        )

    async def _append(
        self,
        guild_id: int,
        user_id: int,
        name: str,
        example: Example,
        kind: rows.Kind,
        *,
        author_id: int | None = None,
        note: str = "",
        suggestion: str = "",
        given_by: int | None = None,
    ) -> Trick:
        """Add an example by `author_id` (default: the one who acts) as a new version."""
        now = time()
        row = replace(_row(example, user_id if author_id is None else author_id, now), given_by=given_by)

        def make(trick: rows.TrickRow, examples: Sequence[rows.ExampleRow]) -> rows.Change:
            if len(examples) >= MAX_EXAMPLES:
                raise InputError(
                    "{name} has {n} examples, which is as many as a trick may have.", name=trick.name, n=MAX_EXAMPLES
                )
            return rows.Change(
                user_id, now, kind, shorten(note, MAX_NOTE_LENGTH), trick.body, trick.user_id, [*examples, row]
            )

        return await self._change(guild_id, name, make, suggestion=suggestion)

    async def import_file(self, guild_id: int, user_id: int, name: str, text: str) -> tuple[Trick, PromptFile]:
        """Add a trick from the `text` of a file, or make it the next version of the trick of that name.

        Examples that were there keep their authors. Returns what else the file has, too. Raises `InputError` or
        `TemplateError` that says what is wrong with it.
        """
        found = await asyncio.to_thread(read_prompt_file, text)
        trick, now = read_trick(found.template, self.name(name)), time()
        if trick.name not in await self.names(guild_id):
            return await self.add(guild_id, user_id, trick, "imported"), found

        def make(_trick: rows.TrickRow, examples: Sequence[rows.ExampleRow]) -> rows.Change:
            new = _rows(trick.examples, user_id, now)
            for place, row in enumerate(new):
                if old := next((old for old in examples if (old.given, old.wanted) == (row.given, row.wanted)), None):
                    new[place] = replace(row, user_id=old.user_id, given_by=old.given_by)
            return rows.Change(user_id, now, "imported", "", _body(trick), user_id, new)

        return await self._change(guild_id, trick.name, make), found

    async def history(self, guild_id: int, name: str) -> tuple[str, list[Version]]:
        """The name of a trick and its versions, the newest first. Raises `NotFoundError`."""
        found = await rows.history(self._database, guild_id, _normalized(name))
        if found is None:
            raise _no_trick(name)
        trick, versions, examples = found
        return trick.name, [_version(version, examples) for version in versions]

    async def revert(self, guild_id: int, user_id: int, name: str, number: int) -> Trick:
        """Make the version `number` of a trick its newest one.

        Raises `InputError` where its form is not allowed any more or it equals the newest one, or `NotFoundError`.
        """
        found = await rows.history(self._database, guild_id, _normalized(name))
        old = next((version for version in found[1] if version.number == number), None) if found else None
        if found is None or old is None:
            raise NotFoundError(NO_VERSION)
        name, newest = found[0].name, _version(found[1][0], found[2])
        chosen = _version(old, found[2])
        try:
            chosen.trick(name)
        except FewshotError as error:
            raise InputError(
                "Version {n} of {name} cannot come back: {problem}", n=number, name=name, problem=str(error)
            ) from error
        if (chosen.body, chosen.examples) == (newest.body, newest.examples):
            raise InputError("{name} is as it was in version {n} already.", name=name, n=number)
        wanted = rows.examples_at(found[2], number)

        def make(_trick: rows.TrickRow, examples: Sequence[rows.ExampleRow]) -> rows.Change:
            current = {example.id for example in examples}
            back = [row if row.id in current else replace(row, id=_id()) for row in wanted]
            return rows.Change(user_id, time(), "reverted", str(number), old.body, old.author_id, back)

        return await self._change(guild_id, name, make)

    async def drop_examples(self, guild_id: int, user_id: int, name: str, version: int, places: Set[int]) -> Trick:
        """Remove the examples at `places` (from 0) of the `version`, which must be the newest one.

        Raises `InputError` or `NotFoundError`.
        """

        def make(trick: rows.TrickRow, examples: Sequence[rows.ExampleRow]) -> rows.Change:
            if trick.version != version:
                raise InputError("{name} has changed since version {n}; test it again.", name=trick.name, n=version)
            kept = [example for place, example in enumerate(examples) if place not in places]
            return rows.Change(user_id, time(), "dropped", "", trick.body, trick.user_id, kept)

        return await self._change(guild_id, name, make)

    async def _change(
        self,
        guild_id: int,
        name: str,
        make: Callable[[rows.TrickRow, Sequence[rows.ExampleRow]], rows.Change],
        *,
        suggestion: str = "",
    ) -> Trick:
        """Store what `make` makes of the newest version; returns the trick. Raises what `make` raises."""
        outcome = await rows.change(
            self._database, guild_id, _normalized(name), make, keep=MAX_VERSIONS, suggestion=suggestion
        )
        if outcome == "gone":
            raise NotFoundError(REMOVED)
        return await self.get(guild_id, name)

    async def remove(self, guild_id: int, name: str) -> int:
        """Delete a trick with its examples; returns their number. Raises `NotFoundError`."""
        examples = await rows.remove(self._database, guild_id, _normalized(name))
        if examples is None:
            raise NotFoundError("This server has no trick called {name}.", name=shorten(name, 40))
        return examples

    async def suggest(self, answer: Answer, user_id: int) -> Suggestion:
        """Store the last example of `answer`'s template, a correction, for the managers of its server.

        Raises `InputError` where it cannot become a trick's example, or too many suggestions wait.
        """
        if answer.template is None or answer.caller.guild_id is None or not answer.template.examples:
            raise InputError("Only a correction made in a server can be suggested to it.")
        if answer.caller.source is not None and answer.caller.source.author_id != user_id:
            raise InputError("That text is somebody else's, so it cannot become an example; suggest one of your own.")
        trick = to_trick(with_defaults(answer.template, answer.values))
        example = check_example(trick.examples[-1])
        body = json.dumps(trick.template(trick.examples[:-1]).to_dict(), ensure_ascii=False)
        row = rows.SuggestionRow(
            _id(), answer.caller.guild_id, user_id, time(), answer.request.name, body, example.given, example.wanted
        )
        outcome = await rows.suggest(
            self._database, row, limit=MAX_SUGGESTIONS, limit_per_person=MAX_SUGGESTIONS_PER_PERSON
        )
        if outcome == "mine":
            raise InputError(
                "{n} of your suggestions wait for the managers of this server; suggest more when they have decided.",
                n=MAX_SUGGESTIONS_PER_PERSON,
            )
        if outcome == "full":
            raise InputError("Many suggestions wait for the managers of this server already; try again another day.")
        return _suggestion(row)

    async def suggestions(self, guild_id: int) -> list[Suggestion]:
        """The suggestions that wait, the oldest first, without those that cannot be used."""
        found = []
        for row in await rows.suggestions(self._database, guild_id):
            try:
                found.append(_suggestion(row))
            except FewshotError as error:  # Stored by an earlier version, which allowed more.
                _log.warning("the suggestion %s of the server %s cannot be used: %s", row.id, guild_id, error)
        return found

    async def suggestion(self, guild_id: int, suggestion_id: str) -> Suggestion:
        """A suggestion that waits; raises `NotFoundError`."""
        for suggestion in await self.suggestions(guild_id):
            if suggestion.id == suggestion_id:
                return suggestion
        raise NotFoundError(DECIDED)

    async def drop_suggestion(self, guild_id: int, suggestion_id: str) -> None:
        """Delete a suggestion; raises `NotFoundError`."""
        if not await rows.drop_suggestion(self._database, guild_id, suggestion_id):
            raise NotFoundError(DECIDED)

    def name(self, name: str) -> str:
        """`name` in the form that is stored: letters, digits and hyphens. Raises `InputError` for another form."""
        name = _normalized(name)
        if not NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
            raise InputError(
                "A trick's name has up to {n} letters and digits, with hyphens between them if you like.",
                n=MAX_NAME_LENGTH,
            )
        if name in self.reserved:
            raise InputError("{name} is the name of something I do already; choose another.", name=name)
        return name


def _no_trick(name: str) -> NotFoundError:
    return NotFoundError(
        "This server has no trick called {name}; /trick list shows those it has.", name=shorten(name, 40)
    )


def _trick(row: rows.TrickRow, examples: Sequence[rows.ExampleRow]) -> Trick:
    return replace(_parsed(row.name, row.body, _examples(examples)), version=row.version)


def _examples(found: Sequence[rows.ExampleRow]) -> tuple[Example, ...]:
    return tuple(Example(example.given, example.wanted) for example in found)


def _version(row: rows.VersionRow, examples: Sequence[rows.ExampleRow]) -> Version:
    shown = _examples(rows.examples_at(examples, row.number))
    return Version(row.number, row.user_id, row.at, row.kind, row.note, read_json(row.body), shown)


def _body(trick: Trick) -> str:
    return json.dumps(trick.template(()).to_dict(), ensure_ascii=False)


def _parsed(name: str, body: str, examples: tuple[Example, ...] = ()) -> Trick:
    data: Mapping[str, object] = read_json(body)
    trick = to_trick(ChatTemplate.from_dict(data, name=name))
    return replace(trick, examples=(*trick.examples, *examples))


def _suggestion(row: rows.SuggestionRow) -> Suggestion:
    return Suggestion(row.id, row.user_id, _parsed(row.template, row.body), Example(row.given, row.wanted))


def _row(example: Example, user_id: int, at: float) -> rows.ExampleRow:
    return rows.ExampleRow(_id(), user_id, at, example.given, example.wanted)


def _rows(examples: Sequence[Example], user_id: int, at: float) -> list[rows.ExampleRow]:
    """The rows of `examples`. Times one millisecond apart keep them in order."""
    return [_row(example, user_id, at + place / 1000) for place, example in enumerate(examples)]


def _normalized(name: str) -> str:
    """`name` as it is stored: in lower case, with hyphens for spaces."""
    return unicodedata.normalize("NFC", "-".join(name.casefold().split()))


def _id() -> str:
    return secrets.token_hex(8)
