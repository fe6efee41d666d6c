"""The world of the text adventure: a locked room, a hallway with a dog, a way out.

A state and a command give a new state and what the player is told; nothing is random and nothing is
remembered elsewhere, so that a story that goes back a turn, or branches, stays true to itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

Room = Literal["chamber", "hallway", "garden"]
ROOMS: tuple[Room, ...] = ("chamber", "hallway", "garden")


@dataclass(frozen=True, slots=True)
class State:
    """Everything that can change."""

    room: Room = "chamber"
    bag: frozenset[str] = frozenset({"sandwich"})
    taken: frozenset[str] = frozenset()
    key_found: bool = False
    unlocked: bool = False
    door_open: bool = False
    dog_fed: bool = False
    tin_open: bool = False
    # What "it" means: the thing that was found or handled last.
    it: str = ""


Step = tuple[State, str]

THINGS: dict[Room, tuple[str, ...]] = {
    "chamber": ("table", "door", "key", "wall", "floor"),
    "hallway": ("dog", "cupboard", "tin", "biscuit", "stairs", "door", "lamp"),
    "garden": ("gate", "grass", "door"),
}


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
    if thing not in ("key", "biscuit"):
        return state, f"The {thing} stays where it is."
    taken = replace(state, bag=state.bag | {thing}, taken=state.taken | {thing})
    return taken, f"You pick up the {thing}."


def unlock(state: State) -> Step:
    """Turns the key in the chamber's door."""
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
    """Moves between the rooms; the door and the dog may be in the way."""
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


def free_to_take(state: State) -> str:
    """What lies about that could be carried, if anything."""
    return next((thing for thing in ("key", "biscuit") if thing not in state.bag and present(state, thing)), "")


def inventory(state: State) -> Step:
    """What the player carries."""
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
