"""Any sequence of moves gives the same tree as a simple model of it."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import InputError
from bot.play import Story
from bot.play.adventures import Adventures
from bot.play.history import FORWARD, RETRY, SWITCH, UNDO
from tests.migrated import migrated
from tests.play.harness import ANN, Harness, harness

MOVES = st.one_of(
    st.tuples(st.just("act"), st.integers(0, 9)),
    st.tuples(st.sampled_from(["undo", "back", "forward", "again"]), st.just(0)),
    st.tuples(st.just("branch"), st.integers(0, 3)),
    st.tuples(st.just("switch"), st.integers(0, 9)),
)


@dataclass
class Plain:
    """A story as a dict of parents and a head; nodes are numbered as they are made."""

    parents: dict[int, int] = field(default_factory=dict)
    words: dict[int, str] = field(default_factory=dict)
    branches: dict[str, int] = field(default_factory=dict)
    head: int = 0

    def grow(self, parent: int, words: str) -> None:
        node = len(self.parents) + 1
        self.parents[node], self.words[node], self.head = parent, words, node

    def siblings(self) -> list[int]:
        return [node for node, parent in self.parents.items() if parent == self.parents[self.head]]

    def step(self, by: int) -> bool:
        places = self.siblings()
        at = places.index(self.head) + by
        if at < 0:
            return False
        if at == len(places):
            self.grow(self.parents[self.head], self.words[self.head])
        else:
            self.head = places[at]
        return True

    def path(self) -> list[str]:
        path, node = [], self.head
        while node:
            path.append(self.words[node])
            node = self.parents[node]
        return path[::-1]


async def _refused(at: Harness, story: Story, verb: str) -> None:
    try:
        await at.move(story, verb)
    except InputError:
        return
    raise AssertionError(f"{verb} was possible and should not have been")


async def _make(at: Harness, story: Story, plain: Plain, move: str, number: int) -> None:
    """The same move on both."""
    if move == "act":
        plain.grow(plain.head, f"line {number}")
        await at.act(story, f"line {number}")
    elif move == "branch":
        plain.branches[f"branch {number}"] = plain.head
        await at.adventures.name_branch(story, ANN, f"branch {number}")
    elif move == "switch":
        await _switch(at.adventures, at, story, plain, number)
    elif plain.head == 0:
        await _refused(at, story, move if move != "again" else FORWARD)
    elif move == "undo":
        plain.head = plain.parents[plain.head]
        await at.move(story, UNDO)
    elif move == "again":
        plain.grow(plain.parents[plain.head], plain.words[plain.head])
        await at.move(story, RETRY)
    elif plain.step(-1 if move == "back" else 1):
        await at.move(story, move)
    else:
        await _refused(at, story, move)


async def _switch(adventures: Adventures, at: Harness, story: Story, plain: Plain, number: int) -> None:
    """To one of the branches, by its name; a switch to where one is moves nothing."""
    if not plain.branches:
        return
    name = sorted(plain.branches)[number % len(plain.branches)]
    _, named = await adventures.tree(story)
    plain.head = plain.branches[name]
    await at.move(story, SWITCH, to=next(one.turn_id for one in named if one.name == name))


async def _play(moves: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'play.sqlite3'}"
        await migrated(url)
        async with harness(url) as at:
            story, plain = await at.story(), Plain()
            for move, number in moves:
                await _make(at, story, plain, move, number)
                assert [turn.words for turn in await at.path(story)] == plain.path()
            tree, named = await at.adventures.tree(story)
            nodes = {turn.id: number for number, turn in enumerate(tree, 1)}
            assert {nodes[turn.id]: nodes.get(turn.parent_id or 0, 0) for turn in tree} == plain.parents
            assert {one.name: nodes.get(one.turn_id or 0, 0) for one in named} == plain.branches
            assert all(turn.reply == "All is well." for turn in tree)


@settings(max_examples=25)
@given(st.lists(MOVES, max_size=25))
def test_any_moves_leave_the_path_of_a_plain_model(moves: list[tuple[str, int]]) -> None:
    asyncio.run(_play(moves))
