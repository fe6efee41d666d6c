"""What a player's line means in the adventure's world: a verb, a thing, and the step they make."""

import re
from collections.abc import Callable
from dataclasses import replace

from bot.engine.rule_based import world
from bot.engine.rule_based.world import State, Step

HELP = (
    "This is a small world made by hand, played by rules. Try: look around, look at the table, take, use, open, "
    "go, give, eat, inventory."
)
NOT_UNDERSTOOD = "This small world has no rule for that. Say help to see what it understands."
# A line is cut after so many commands; more in one line is a slip of the keyboard.
MAX_COMMANDS = 8

_SAID = {
    "idle": "You do. Nothing else in the room takes an interest.",
    "talk": "Your voice comes back from the walls. Nobody here has a word to say: this world is played by rules.",
    "force": "It hurts you more than it hurts the oak and the iron.",
}
_ASKS_HELP = re.compile(r"\bwhat (?:can|could|should|shall|do) (?:i|we) do\b|\bhow (?:do|does)\b|\bhint\b")
_SPEAKER = re.compile(r"^\s*[^\s:][^:\n]{0,40}:\s+")
_IT = re.compile(r"\b(?:it|that|this)\b", re.I)
_BETWEEN = re.compile(r"(?:[.;!?\n]+|,|\bthen\b|\band\b)", re.I)
_FILLER = re.compile(
    r"\b(?:i|we|please|try to|want to|would like to|the|a|an|my|some|to|at|up|on|in|into|with|carefully|slowly"
    r"|am|do|does|is)\b",
    re.I,
)


def _by_word(groups: dict[str, str]) -> dict[str, str]:
    """Each word of a group, with the meaning that the group stands for."""
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
    """What the last of the player's lines brings about, after all the others. Pure: the lines are all there is."""
    state, told = State(), HELP
    for line in lines:
        state, told = _line(state, line)
    return told


def essence(lines: list[str]) -> list[str]:
    """As few commands as leave the world as `lines` leave it: those that changed nothing, or that a later one
    undid, are left out. Playing them plays the story so far.
    """
    state, kept = State(), list[tuple[State, str]]()
    for command in (command for line in lines for command in _commands(line)):
        # What "it" was is known only here.
        explicit = _IT.sub(state.it, command) if state.it else command
        state, _ = _command(state, command)
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
    return [part for part in _BETWEEN.split(_SPEAKER.sub("", line)) if part.strip()][:MAX_COMMANDS]


def _line(state: State, line: str) -> Step:
    told = []
    for command in _commands(line):
        state, text = _command(state, command)
        told.append(text)
    return state, " ".join(dict.fromkeys(told)) or NOT_UNDERSTOOD


def _command(state: State, command: str) -> Step:
    bare = command.strip().lower()
    if bare in ("i", "inv"):
        return world.inventory(state)
    if _ASKS_HELP.search(bare):
        return state, HELP
    words = re.findall(r"[a-z]+", _FILLER.sub(" ", bare))
    if {"inventory", "pockets", "bag", "carrying", "have", "carry"} & set(words):
        return world.inventory(state)
    verb = next((_VERBS[word] for word in words if word in _VERBS), None)
    things = _things(state, words)
    if verb is None:
        return state, NOT_UNDERSTOOD
    absent = next((thing for thing in things if not world.present(state, thing)), None)
    if absent is not None:
        return state, f"There is no {absent} that you can see."
    where = next((word for word in ("back", "west", "room", "chamber") if word in words), "")
    if things:
        state = replace(state, it=things[0])
    return _act(state, verb, things, where)


def _things(state: State, words: list[str]) -> list[str]:
    """The things that a command names; "it" is the last one, "everything" whatever can be carried."""
    named = [_NOUNS[word] for word in words if word in _NOUNS]
    if state.it and {"it", "that", "this"} & set(words):
        named.insert(0, state.it)
    if not named and {"all", "everything", "whatever", "anything"} & set(words):
        named = [thing for thing in [world.free_to_take(state)] if thing]
    return named


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
    if verb in _SAID:
        return state, _SAID[verb]
    if verb == "take" and thing == "door":
        return state, "You have nothing to pick a lock with, and nowhere to put a door."
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
