"""What a player's line means in the adventure's world: a verb, a thing, and the step they make."""

import re
from collections.abc import Callable

from bot.engine.standin import world
from bot.engine.standin.world import State, Step

HELP = (
    "This is a small world made by hand, played by rules. Try: look around, look at the table, take, use, open, "
    "go, give, eat, inventory."
)
NOT_UNDERSTOOD = "This small world has no rule for that. Say help to see what it understands."
# A line is cut after so many commands; more in one line is a slip of the keyboard.
MAX_COMMANDS = 8

_SPEAKER = re.compile(r"^\s*[^\s:][^:\n]{0,40}:\s+")
_BETWEEN = re.compile(r"(?:[.;!?\n]+|,|\bthen\b|\band\b)", re.I)
_FILLER = re.compile(
    r"\b(?:i|we|please|try to|want to|would like to|the|a|an|my|some|to|at|up|on|in|into|with|carefully|slowly)\b",
    re.I,
)
_NOUNS = {
    "table": "table", "desk": "table", "underside": "table", "door": "door", "lock": "door", "keyhole": "door",
    "key": "key", "sandwich": "sandwich", "bread": "sandwich", "food": "sandwich", "dog": "dog", "hound": "dog",
    "cupboard": "cupboard", "cabinet": "cupboard", "tin": "tin", "box": "tin", "biscuit": "biscuit",
    "stairs": "stairs", "stair": "stairs", "staircase": "stairs", "steps": "stairs", "lamp": "lamp",
    "gate": "gate", "grass": "grass", "wall": "wall", "walls": "wall", "floor": "floor",
}  # fmt: skip
_VERBS = {
    "look": "look", "examine": "look", "inspect": "look", "search": "look", "read": "look", "l": "look", "x": "look",
    "check": "look", "see": "look", "feel": "look", "take": "take", "get": "take", "pick": "take", "grab": "take",
    "use": "use", "put": "use", "turn": "use", "unlock": "unlock", "open": "open", "push": "open", "pull": "open",
    "go": "go", "walk": "go", "run": "go", "enter": "go", "leave": "go", "climb": "go", "follow": "go",
    "north": "go", "south": "go", "east": "go", "west": "go", "down": "go", "back": "go", "outside": "go",
    "eat": "eat", "bite": "eat", "taste": "eat", "give": "give", "feed": "give", "throw": "give", "offer": "give",
    "inventory": "inventory", "i": "inventory", "pockets": "inventory", "bag": "inventory",
    "help": "help", "wait": "wait", "continue": "wait", "rest": "wait", "pet": "pet", "stroke": "pet",
}  # fmt: skip


def play(lines: list[str]) -> str:
    """What the last of the player's lines brings about, after all the others. Pure: the lines are all there is."""
    state, told = State(), HELP
    for line in lines:
        state, told = _line(state, line)
    return told


def _line(state: State, line: str) -> Step:
    told = []
    for command in [part for part in _BETWEEN.split(_SPEAKER.sub("", line)) if part.strip()][:MAX_COMMANDS]:
        state, text = _command(state, command)
        told.append(text)
    return state, " ".join(dict.fromkeys(told)) or NOT_UNDERSTOOD


def _command(state: State, command: str) -> Step:
    bare = command.strip().lower()
    if bare in ("i", "inv"):
        return world.inventory(state)
    words = re.findall(r"[a-z]+", _FILLER.sub(" ", bare))
    if {"inventory", "pockets", "bag", "carrying"} & set(words):
        return world.inventory(state)
    verb = next((_VERBS[word] for word in words if word in _VERBS), None)
    things = [_NOUNS[word] for word in words if word in _NOUNS]
    if verb is None:
        return state, NOT_UNDERSTOOD
    absent = next((thing for thing in things if not world.present(state, thing)), None)
    if absent is not None:
        return state, f"There is no {absent} that you can see."
    where = next((word for word in ("back", "west", "room", "chamber") if word in words), "")
    return _act(state, verb, things, where)


def _act(state: State, verb: str, things: list[str], where: str) -> Step:
    thing = things[0] if things else ""
    if verb == "use":
        return _use(state, things)
    if verb == "unlock" or (verb == "open" and "key" in things):
        return world.unlock(state) if state.room == "chamber" else (state, "Nothing here is locked.")
    if verb == "give":
        return world.give(state, next((thing for thing in things if thing != "dog"), "food"))
    plain: dict[str, Callable[[State], Step]] = {
        "inventory": world.inventory,
        "help": lambda state: (state, HELP),
        "wait": lambda state: (state, "Time passes. Nothing in this small world moves unless you do."),
        "go": lambda state: world.go(state, where),
    }
    if verb in plain:
        return plain[verb](state)
    if verb == "look":
        return world.look(state, thing)
    if verb == "pet":
        return state, "A friendly hand changes nothing here."
    if not thing:
        return state, f"What do you want to {verb}?"
    return {"take": world.take, "open": world.open_, "eat": world.eat}[verb](state, thing)


def _use(state: State, things: list[str]) -> Step:
    if "key" in things:
        return world.unlock(state) if state.room == "chamber" else (state, "Nothing here is locked.")
    if "dog" in things and len(things) > 1:
        return world.give(state, next(thing for thing in things if thing != "dog"))
    if things and things[0] in ("door", "gate", "cupboard", "tin"):
        return world.open_(state, things[0])
    if things and things[0] in ("sandwich", "biscuit"):
        return world.eat(state, things[0])
    if things and things[0] == "stairs":
        return world.go(state, "")
    return state, "You cannot think of a use for that."
