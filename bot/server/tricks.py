"""The tricks that servers teach by example: used in prompts only, and never as training data."""

import json
import re
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from time import time

from bot.core.errors import InputError, NotFoundError
from bot.core.text import shorten
from bot.llm.completion import Answer
from bot.llm.template import ChatTemplate
from bot.server.trick import Example, Trick, settled, trick_of
from bot.storage import tricks as rows
from bot.storage.database import Database

MOST_TRICKS, MOST_EXAMPLES = 50, 20
# Corrections that may wait for a server's managers, so that nobody can bury them.
MOST_SUGGESTIONS = 100
# Characters of an example's input and of its answer: a message of Discord's. Eight of both fit into any prompt.
LONGEST_EXAMPLE = 2_000
LONGEST_INSTRUCTION, LONGEST_ABOUT, LONGEST_NAME = 4_000, 100, 32
NAME = re.compile(r"[^\W_]+(-[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A correction of an answer, and the trick that gave the answer, as it was then."""

    id: str
    user_id: int
    trick: Trick
    example: Example


class Tricks:
    """Reads and changes the tricks of servers; one for the process. `reserved` are names that no trick may have."""

    def __init__(self, database: Database, reserved: Collection[str]) -> None:
        self._database = database
        self.reserved = set(reserved)

    async def names(self, guild_id: int | None) -> list[str]:
        """The names of a server's tricks, in order; direct messages have none."""
        return await rows.names(self._database, guild_id) if guild_id is not None else []

    async def all(self, guild_id: int | None) -> dict[str, Trick]:
        """A server's tricks by name."""
        found = await rows.all_of(self._database, guild_id) if guild_id is not None else []
        return {trick.name: _trick(trick, examples) for trick, examples in found}

    async def get(self, guild_id: int, name: str) -> Trick:
        """The trick called `name`; raises `NotFoundError`."""
        found = await rows.find(self._database, guild_id, _folded(name))
        if found is None:
            raise NotFoundError(
                "This server has no trick called {name}; /trick list shows those it has.", name=shorten(name, 40)
            )
        return _trick(*found)

    async def teach(self, guild_id: int, user_id: int, name: str, instruction: str, example: Example) -> Trick:
        """Add a trick told by an instruction and one example.

        Raises `InputError` for a name that cannot be used or is taken, empty texts, and a server that is full.
        """
        instruction = instruction.strip()
        if not instruction:
            raise InputError("Say what the trick should do.")
        if len(instruction) > LONGEST_INSTRUCTION:
            raise InputError("Say it shorter: an instruction has up to {n:,} characters.", n=LONGEST_INSTRUCTION)
        trick = Trick(
            self.name(name),
            shorten(instruction, LONGEST_ABOUT),
            ({"role": "system", "content": instruction},),
            examples=(checked(example),),
        )
        return await self.add(guild_id, user_id, trick)

    async def add(self, guild_id: int, user_id: int, trick: Trick, *, suggestion: str = "") -> Trick:
        """Add `trick` as it is; the `suggestion` that it came from goes with that. Raises `InputError`."""
        if len(trick.examples) > MOST_EXAMPLES:
            raise InputError(
                "A trick has up to {most} examples; this one has {n}.", most=MOST_EXAMPLES, n=len(trick.examples)
            )
        body = json.dumps(trick.template(()).to_dict(), ensure_ascii=False)
        row = rows.TrickRow(_id(), guild_id, trick.name, user_id, time(), body)
        # A thousandth of a second apart, so that they keep their order.
        examples = [_row(example, user_id, row.at + place / 1000) for place, example in enumerate(trick.examples)]
        outcome = await rows.add(self._database, row, examples, most=MOST_TRICKS, suggestion=suggestion)
        if outcome == "taken":
            raise InputError("This server has a trick called {name} already; choose another name.", name=trick.name)
        if outcome == "full":
            raise InputError("A server has up to {n} tricks; remove one first.", n=MOST_TRICKS)
        if outcome == "gone":
            raise NotFoundError("Somebody has dealt with this suggestion already.")
        return trick

    async def add_example(
        self, guild_id: int, user_id: int, name: str, text: str, wanted: str, *, suggestion: str = ""
    ) -> Trick:
        """Add an input and its answer to a trick; the trick after it. Raises `InputError` or `NotFoundError`."""
        trick = await self.get(guild_id, name)
        checked(Example(text, wanted))
        example = Example(trick.framed(text.strip()), wanted.strip())
        outcome = await rows.add_example(
            self._database,
            guild_id,
            trick.name,
            _row(example, user_id, time()),
            most=MOST_EXAMPLES,
            suggestion=suggestion,
        )
        if outcome == "full":
            raise InputError(
                "{name} has {n} examples, which is as many as a trick may have.", name=trick.name, n=MOST_EXAMPLES
            )
        if outcome == "gone":
            raise NotFoundError("Somebody has removed it in the meantime.")
        return await self.get(guild_id, name)

    async def bring(self, guild_id: int, user_id: int, name: str, text: str) -> Trick:
        """Add a trick from the `text` of a template's file.

        Raises `InputError` or `TemplateError` that says what is wrong with it.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError("The file is not JSON; export a trick to see the form.") from None
        name = self.name(name)
        template = ChatTemplate.from_dict(data, name=name)
        trick = trick_of(template)
        for example in trick.examples:
            checked(example)
        if sum(len(message["content"]) for message in trick.system) > LONGEST_INSTRUCTION:
            raise InputError("The instruction is too long: up to {n:,} characters.", n=LONGEST_INSTRUCTION)
        if not trick.about:
            raise InputError('The file must say in "about" what the trick is for.')
        return await self.add(guild_id, user_id, trick)

    async def remove(self, guild_id: int, name: str) -> None:
        """Remove a trick with its examples; raises `NotFoundError`."""
        if not await rows.remove(self._database, guild_id, _folded(name)):
            raise NotFoundError("This server has no trick called {name}.", name=shorten(name, 40))

    async def suggest(self, answer: Answer, user_id: int) -> Suggestion:
        """Store the last example of `answer`'s template, a correction, for the managers of its server.

        Raises `InputError` where it cannot become a trick's example, or too many wait already.
        """
        if answer.template is None or answer.caller.guild_id is None or not answer.template.examples:
            raise InputError("Only a correction made in a server can be suggested to it.")
        if answer.caller.source is not None and answer.caller.source.author_id != user_id:
            raise InputError("That text is somebody else's, so it cannot become an example; suggest one of your own.")
        trick = trick_of(settled(answer.template, answer.values))
        example = checked(trick.examples[-1])
        body = json.dumps(trick.template(trick.examples[:-1]).to_dict(), ensure_ascii=False)
        row = rows.SuggestionRow(
            _id(), answer.caller.guild_id, user_id, time(), answer.request.name, body, example.given, example.wanted
        )
        if await rows.suggest(self._database, row, most=MOST_SUGGESTIONS) == "full":
            raise InputError("Many suggestions wait for the managers of this server already; try again another day.")
        return _suggestion(row)

    async def suggestions(self, guild_id: int) -> list[Suggestion]:
        """What waits for the managers, the oldest first."""
        return [_suggestion(row) for row in await rows.suggestions(self._database, guild_id)]

    async def suggestion(self, guild_id: int, suggestion_id: str) -> Suggestion:
        """One that waits; raises `NotFoundError`."""
        for suggestion in await self.suggestions(guild_id):
            if suggestion.id == suggestion_id:
                return suggestion
        raise NotFoundError("Somebody has dealt with this suggestion already.")

    async def drop(self, guild_id: int, suggestion_id: str) -> None:
        """Forget a suggestion; raises `NotFoundError`."""
        if not await rows.drop_suggestion(self._database, guild_id, suggestion_id):
            raise NotFoundError("Somebody has dealt with this suggestion already.")

    def name(self, name: str) -> str:
        """`name` as a trick may be called: letters, digits and hyphens; raises `InputError`."""
        name = _folded(name)
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise InputError(
                "A trick's name has up to {n} letters and digits, with hyphens between them if you like.",
                n=LONGEST_NAME,
            )
        if name in self.reserved:
            raise InputError("{name} is the name of something I do already; choose another.", name=name)
        return name


def checked(example: Example) -> Example:
    """`example`, stripped; raises `InputError` where a side of it is empty or too long."""
    given, wanted = example.given.strip(), example.wanted.strip()
    if not given or not wanted:
        raise InputError("An example needs both: an input and the answer to it.")
    if max(len(given), len(wanted)) > LONGEST_EXAMPLE:
        raise InputError("An example's input and answer have up to {n:,} characters each.", n=LONGEST_EXAMPLE)
    return Example(given, wanted)


def _trick(row: rows.TrickRow, examples: list[rows.ExampleRow]) -> Trick:
    return _parsed(row.name, row.body, tuple(Example(example.given, example.wanted) for example in examples))


def _parsed(name: str, body: str, examples: tuple[Example, ...] = ()) -> Trick:
    data: Mapping[str, object] = json.loads(body)
    trick = trick_of(ChatTemplate.from_dict(data, name=name))
    return replace(trick, examples=(*trick.examples, *examples))


def _suggestion(row: rows.SuggestionRow) -> Suggestion:
    return Suggestion(row.id, row.user_id, _parsed(row.template, row.body), Example(row.given, row.wanted))


def _row(example: Example, user_id: int, at: float) -> rows.ExampleRow:
    return rows.ExampleRow(_id(), user_id, at, example.given, example.wanted)


def _folded(name: str) -> str:
    """A name as it is kept: in lower case, with hyphens for spaces."""
    return unicodedata.normalize("NFC", "-".join(name.casefold().split()))


def _id() -> str:
    return secrets.token_hex(8)
