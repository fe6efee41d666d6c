"""Plays the text adventure of the locked room, by rules: recognises it, reads the player's lines, and knows the world.

A state and a command give a new state and a text. Nothing is random and nothing is stored, so that a story that goes
back a turn, or branches, is consistent.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Literal

from bot.engine.rule_based.prompt import Prompt

# The world: a locked room, a hallway with a dog, a garden.

Room = Literal["chamber", "hallway", "garden"]


@dataclass(frozen=True, slots=True)
class State:
    """Everything in the world that can change."""

    room: Room = "chamber"
    bag: frozenset[str] = frozenset({"sandwich"})
    taken: frozenset[str] = frozenset()
    key_found: bool = False
    unlocked: bool = False
    door_open: bool = False
    dog_fed: bool = False
    tin_open: bool = False
    # The thing that "it" means: the last one that was found or handled.
    it: str = ""


Step = tuple[State, str]

THINGS: dict[Room, tuple[str, ...]] = {
    "chamber": ("table", "door", "key", "wall", "floor"),
    "hallway": ("dog", "cupboard", "tin", "biscuit", "stairs", "door", "lamp"),
    "garden": ("gate", "grass", "door"),
}
# Things that can be put into the bag.
CARRIED = ("key", "biscuit")


def present(state: State, thing: str) -> bool:
    """Whether the player can see or holds the thing."""
    if thing in state.bag:
        return True
    hidden = {"key": not state.key_found, "biscuit": not state.tin_open}
    return thing in THINGS[state.room] and not hidden.get(thing, False) and thing not in state.taken


def look(state: State, thing: str = "") -> Step:
    """A description of the room, or of one thing; looking at the table finds the key."""
    if not thing:
        return state, _ROOM_TEXTS[state.room](state)
    if thing == "table" and not state.key_found:
        found = replace(state, key_found=True, it="key")
        return found, "You run a hand along the underside of the table. A small brass key is tied there with thread."
    return state, _thing_text(state, thing)


def take(state: State, thing: str) -> Step:
    """Puts a thing that can be carried into the bag."""
    if thing in state.bag:
        return state, f"You already carry the {thing}."
    if thing not in CARRIED:
        return state, f"The {thing} stays where it is."
    taken = replace(state, bag=state.bag | {thing}, taken=state.taken | {thing})
    return taken, f"You pick up the {thing}."


def unlock(state: State) -> Step:
    """Turns the key in the chamber's door."""
    if state.room != "chamber":
        return state, "Nothing here is locked."
    if state.unlocked:
        return state, "The lock is undone already."
    if state.key_found and "key" not in state.taken:
        state = take(state, "key")[0]
    if "key" not in state.bag:
        return state, "You have nothing that fits the lock."
    opened = replace(state, unlocked=True, door_open=True, bag=state.bag - {"key"})
    return opened, "The brass key turns with a click and stays in the lock. The door swings out onto a hallway."


def open_(state: State, thing: str) -> Step:
    """Opens a door, the cupboard, the tin or the gate."""
    if thing == "door" and state.room == "chamber" and not state.unlocked:
        if "key" in state.bag:
            return unlock(state)
        return state, "You push. The door gives a finger's width and stops: somebody turned a key in it."
    if thing == "door":
        return replace(state, door_open=True), "The door stands open."
    if thing in ("cupboard", "tin") and "biscuit" in state.taken:
        return state, "The tin in the cupboard is empty now."
    if thing in ("cupboard", "tin"):
        return replace(
            state, tin_open=True, it="biscuit"
        ), "In the cupboard is a tin, and in the tin one last dog biscuit."
    if thing == "gate":
        return state, "The gate was never locked. Beyond it lies the road, and the end of this small story."
    return state, f"The {thing} does not open."


def go(state: State, where: str) -> Step:
    """Moves between the rooms, if the door is open and the dog is fed."""
    if state.room == "chamber":
        if not state.door_open:
            return state, "The only way is the door, and the door is shut."
        return _enter(state, "hallway")
    if state.room == "garden" or where in ("back", "west", "chamber", "room"):
        return _enter(state, "chamber" if state.room == "hallway" else "hallway")
    if not state.dog_fed:
        return state, "The dog lifts its head and growls. It will not have you on the stairs while it is hungry."
    return _enter(state, "garden")


def eat(state: State, thing: str) -> Step:
    """Eats what is in the bag."""
    if thing not in state.bag:
        return state, f"You have no {thing} in your hands."
    if thing == "key":
        return state, "Brass does not agree with you."
    if thing == "biscuit":
        return state, "It was baked for a dog. You think better of it."
    return replace(state, bag=state.bag - {thing}), f"You eat the {thing}. It was good, and now it is gone."


def give(state: State, thing: str) -> Step:
    """Gives a thing from the bag to the dog."""
    if state.room != "hallway":
        return state, "There is nobody here to give it to."
    if thing not in state.bag:
        return state, f"You have no {thing} to give."
    if thing not in ("sandwich", "biscuit"):
        return state, f"The dog sniffs at the {thing} and turns away."
    fed = replace(state, bag=state.bag - {thing}, dog_fed=True)
    return fed, f"The dog takes the {thing}, thinks well of you, and rolls off the lowest stair."


def inventory(state: State) -> Step:
    """The things that the player carries."""
    held = " and ".join(f"a {thing}" for thing in sorted(state.bag))
    return state, f"You carry {held}." if held else "Your pockets are empty."


def _enter(state: State, room: Room) -> Step:
    moved = replace(state, room=room)
    return moved, _ROOM_TEXTS[room](moved)


def _chamber(state: State) -> str:
    door = "stands open" if state.door_open else "is shut"
    key = " A brass key hangs under the table." if state.key_found and "key" not in state.taken else ""
    return f"A bare chamber. There is a heavy table in it, and a door to the east that {door}.{key}"


def _hallway(state: State) -> str:
    dog = "A contented dog lies beside" if state.dog_fed else "A large dog lies across"
    return f"A long hallway under one lamp. A cupboard stands by the wall. {dog} the stairs that lead down."


def _garden(state: State) -> str:
    return "Cool air: a walled garden, wet grass, and a gate to the road. You are out."


_ROOM_TEXTS: dict[Room, Callable[[State], str]] = {"chamber": _chamber, "hallway": _hallway, "garden": _garden}


def _thing_text(state: State, thing: str) -> str:
    door = "It stands open." if state.door_open else "Oak, iron-bound, with a small brass keyhole."
    dog = "It wags its tail at you." if state.dog_fed else "Big, and by the look of it unfed since yesterday."
    texts = {
        "table": "A heavy table, older than the house. The thread under it is cut." if state.key_found else "",
        "door": door,
        "key": "Small, brass, and worn by many fingers.",
        "sandwich": "Cheese and pickle. The bread has seen better days.",
        "dog": dog,
        "cupboard": "A narrow cupboard with a tin in it.",
        "stairs": "They lead down, towards a smell of grass.",
    }
    return texts.get(thing) or f"Nothing about the {thing} strikes you."


# The meaning of a line: a verb, things, and the step that they make.

HELP = (
    "This is a small world made by hand, played by rules. Try: look around, look at the table, take, use, open, "
    "go, give, eat, inventory."
)
NOT_UNDERSTOOD = "This small world has no rule for that. Say help to see what it understands."
# The commands of one line that are played; the rest is ignored.
MAX_COMMANDS = 8

_FIXED_REPLIES = {
    "idle": "You do. Nothing else in the room takes an interest.",
    "talk": "Your voice comes back from the walls. Nobody here has a word to say: this world is played by rules.",
    "force": "It hurts you more than it hurts the oak and the iron.",
}
_ASKS_HELP = re.compile(r"\bwhat (?:can|could|should|shall|do) (?:i|we) do\b|\bhow (?:do|does)\b|\bhint\b")
_SPEAKER = re.compile(r"^\s*[^\s:][^:\n]{0,40}:\s+")
_IT = re.compile(r"\b(?:it|that|this)\b", re.I)
_SEPARATOR = re.compile(r"(?:[.;!?\n]+|,|\bthen\b|\band\b)", re.I)
_FILLER = re.compile(
    r"\b(?:i|we|please|try to|want to|would like to|the|a|an|my|some|to|at|up|on|in|into|with|carefully|slowly"
    r"|am|do|does|is)\b",
    re.I,
)


def _by_word(groups: dict[str, str]) -> dict[str, str]:
    """A dictionary from every word of a group to the group's meaning."""
    return {word: meaning for meaning, words in groups.items() for word in words.split()}


_NOUNS = _by_word(
    {
        "table": "table desk underside",
        "door": "door lock keyhole",
        "key": "key",
        "sandwich": "sandwich bread food",
        "dog": "dog hound",
        "cupboard": "cupboard cabinet",
        "tin": "tin box",
        "biscuit": "biscuit",
        "stairs": "stairs stair staircase steps",
        "lamp": "lamp",
        "gate": "gate",
        "grass": "grass",
        "wall": "wall walls",
        "floor": "floor",
    }
)
_VERBS = _by_word(
    {
        "look": "look examine inspect search read l x check see feel where",
        "take": "take get pick grab",
        "use": "use put turn",
        "unlock": "unlock",
        "open": "open push pull",
        "go": "go walk run enter leave climb follow out north south east west down back outside",
        "eat": "eat bite taste",
        "give": "give feed throw offer",
        "inventory": "inventory i pockets bag",
        "help": "help",
        "wait": "wait continue rest",
        "idle": "pet stroke sit stand jump dance sing sleep listen",
        "talk": "say ask talk shout tell",
        "force": "knock kick break force smash hit",
    }
)


def play(lines: list[str]) -> str:
    """The text that answers the last of the player's lines, when all lines are played in order."""
    state, text = State(), HELP
    for line in lines:
        state, text = _play_line(state, line)
    return text


def shortest_commands(lines: list[str]) -> list[str]:
    """The fewest commands of `lines` that lead to the same state.

    Commands that change nothing, or that a later one reverts, are left out.
    """
    state, kept = State(), list[tuple[State, str]]()
    for command in (command for line in lines for command in _commands(line)):
        # "It" is replaced here, because the command that it refers to may be left out.
        explicit = _IT.sub(state.it, command) if state.it else command
        state, _ = _play_command(state, command)
        world_now = replace(state, it="")
        seen = [known for known, _ in kept]
        if world_now == State():
            kept = []
        elif world_now in seen:
            kept = kept[: seen.index(world_now) + 1]
        else:
            kept.append((world_now, explicit.strip()))
    return [command for _, command in kept]


def _commands(line: str) -> list[str]:
    return [part for part in _SEPARATOR.split(_SPEAKER.sub("", line)) if part.strip()][:MAX_COMMANDS]


def _play_line(state: State, line: str) -> Step:
    texts = []
    for command in _commands(line):
        state, text = _play_command(state, command)
        texts.append(text)
    return state, " ".join(dict.fromkeys(texts)) or NOT_UNDERSTOOD


def _play_command(state: State, command: str) -> Step:
    bare = command.strip().lower()
    if bare in ("i", "inv"):
        return inventory(state)
    if _ASKS_HELP.search(bare):
        return state, HELP
    words = re.findall(r"[a-z]+", _FILLER.sub(" ", bare))
    if {"inventory", "pockets", "bag", "carrying", "have", "carry"} & set(words):
        return inventory(state)
    verb = next((_VERBS[word] for word in words if word in _VERBS), None)
    things = _things(state, words)
    if verb is None:
        return state, NOT_UNDERSTOOD
    absent = next((thing for thing in things if not present(state, thing)), None)
    if absent is not None:
        return state, f"There is no {absent} that you can see."
    where = next((word for word in ("back", "west", "room", "chamber") if word in words), "")
    if things:
        state = replace(state, it=things[0])
    return _act(state, verb, things, where)


def _things(state: State, words: list[str]) -> list[str]:
    """The things that a command names. "It" is the last one, "everything" a thing that can be carried."""
    named = [_NOUNS[word] for word in words if word in _NOUNS]
    if state.it and {"it", "that", "this"} & set(words):
        named.insert(0, state.it)
    if not named and {"all", "everything", "whatever", "anything"} & set(words):
        named = [thing for thing in CARRIED if thing not in state.bag and present(state, thing)][:1]
    return named


def _act(state: State, verb: str, things: list[str], where: str) -> Step:
    thing = things[0] if things else ""
    if verb == "use":
        return _use(state, things)
    if verb == "unlock" or (verb == "open" and "key" in things):
        return unlock(state)
    if verb == "give":
        return give(state, next((thing for thing in things if thing != "dog"), "food"))
    plain: dict[str, Callable[[State], Step]] = {
        "inventory": inventory,
        "help": lambda state: (state, HELP),
        "wait": lambda state: (state, "Time passes. Nothing in this small world moves unless you do."),
        "go": lambda state: go(state, where),
    }
    if verb in plain:
        return plain[verb](state)
    if verb == "look":
        return look(state, thing)
    if verb in _FIXED_REPLIES:
        return state, _FIXED_REPLIES[verb]
    if verb == "take" and thing == "door":
        return state, "You have nothing to pick a lock with, and nowhere to put a door."
    if not thing:
        return state, f"What do you want to {verb}?"
    return {"take": take, "open": open_, "eat": eat}[verb](state, thing)


def _use(state: State, things: list[str]) -> Step:
    if "key" in things:
        return unlock(state)
    if "dog" in things and len(things) > 1:
        return give(state, next(thing for thing in things if thing != "dog"))
    if things and things[0] in ("door", "gate", "cupboard", "tin"):
        return open_(state, things[0])
    if things and things[0] in ("sandwich", "biscuit"):
        return eat(state, things[0])
    if things and things[0] == "stairs":
        return go(state, "")
    return state, "You cannot think of a use for that."


# Prompts that are this adventure.

_GAME = re.compile(r"\b(?:text|interactive)[- ](?:based )?(?:adventure|fiction|game)\b|\badventure game\b", re.I)
_SUMMARY_TASK = re.compile(r"\bsummar(?:y|ise|ize)|\brecap\b", re.I)
# The prompt's setting must have these things, as the world here does. Any other story needs a model.
_SETTING = ("table", "door")
# The beginning of the message with the summary of earlier turns; `bot.play.memory` writes it.
SO_FAR = "What happened so far:"
# The heading of a summary made here: a list of commands, so that nobody mistakes it for a model's.
BY_RULES = "These commands, played by rules, lead here:"


def reply(prompt: Prompt) -> str | None:
    """The world's answer to the last line, or None if the prompt is not this adventure.

    Every user message is played in order, the examples' too: those only look around, try the locked door and check
    the pockets, which changes nothing.
    """
    instructions = "\n".join(prompt.system)
    if not prompt.user or not _GAME.search(instructions) or _SUMMARY_TASK.search(prompt.system[-1]):
        return None
    setting = f"{instructions}\n{' '.join(prompt.assistant)}".lower()
    if not all(thing in setting for thing in _SETTING):
        return None
    return play([line for message in prompt.user for line in _lines_of(message)])


def summary(prompt: Prompt) -> str | None:
    """A summary of this adventure: the commands that lead to its present state. None for any other request.

    The players' lines begin with ">". The earlier summary must be empty or one that was made here.
    """
    instructions = "\n".join(prompt.system)
    if not prompt.user or not _GAME.search(instructions) or "summarise" not in instructions.lower():
        return None
    asked = prompt.user[-1]
    lines = [line[1:].strip() for line in asked.splitlines() if line.startswith(">")]
    ours = BY_RULES in asked or ("Nothing yet." in asked and all(thing in asked.lower() for thing in _SETTING))
    if not lines or not ours:
        return None
    return "\n".join([BY_RULES, *(f"- {command}" for command in shortest_commands([*_listed_commands(asked), *lines]))])


def _lines_of(message: str) -> list[str]:
    """The commands in a summary, or any other message as it is."""
    return _listed_commands(message) if message.startswith(SO_FAR) else [message]


def _listed_commands(text: str) -> list[str]:
    """The list items directly under the summary's heading."""
    lines = text.partition(f"{BY_RULES}\n")[2].splitlines()
    return [line[2:] for line in takewhile(lambda line: line.startswith("- "), lines)]
