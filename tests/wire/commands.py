"""The registered commands: kept as Discord keeps them, found by name, and filled in as a person would."""

import base64
from typing import Any

from tests.wire import payloads, seeds
from tests.wire.bodies import media_type
from tests.wire.form import Json
from tests.wire.limits import check_commands
from tests.wire.posting import Upload, store_file
from tests.wire.state import State
from tests.wire.world import DM, Channel

GLOBAL = 0
SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE = 1, 2, 3, 4, 5, 6, 7, 8
MENTIONABLE, NUMBER, ATTACHMENT = 9, 10, 11
LONGEST_STRING = 6000


class ImpossibleError(Exception):
    """What the test asked for cannot be done by a person in Discord's client."""


def register(state: State, scope: int, commands: list[Json]) -> list[Json]:
    """Puts a list in the place of a server's commands, or of the global ones; ids stay with their names."""
    check_commands(commands, user_install=state.settings.user_install)
    old = {(one["type"], one["name"]): one["id"] for one in state.commands.get(scope, [])}
    kept = []
    for command in commands:
        kind = command.get("type", SLASH)
        known = old.get((kind, command["name"]))
        kept.append(
            {
                "default_member_permissions": None,
                "contexts": None,
                "integration_types": [0],
                "nsfw": False,
                "description": "",
            }
            | {key: value for key, value in command.items() if value is not None}
            | {
                "id": known or str(state.world.snowflake()),
                "application_id": str(seeds.APPLICATION),
                "version": str(state.world.snowflake()),
                "type": kind,
            }
            | ({"guild_id": str(scope)} if scope else {})
        )
    state.commands[scope] = kept
    state.world.touch()
    return kept


def find(state: State, kind: int, name: str, channel: Channel, user_id: int) -> Json:
    """The command of that name that this person sees in that channel; a server's own before a global one."""
    lists = [state.commands.get(channel.guild_id or -1, []), state.commands.get(GLOBAL, [])]
    found = [one for commands in lists for one in commands if (one["type"], one["name"]) == (kind, name)]
    if not found:
        raise ImpossibleError(f"There is no command {name!r} here.")
    command = found[0]
    contexts = command.get("contexts")
    if contexts is not None and (1 if channel.kind == DM else 0) not in contexts:
        raise ImpossibleError(f"The command {name!r} is not offered here.")
    needed = command.get("default_member_permissions")
    if needed is not None and channel.guild_id:
        allowed = payloads.permissions_in(state.world, channel, user_id)
        # Zero hides a command from everybody but administrators.
        if int(needed) & allowed != int(needed) or (int(needed) == 0 and not allowed & 1 << 3):
            raise ImpossibleError(f"The command {name!r} is hidden from this person.")
    return command


class Filling:
    """A slash command being filled in: its options as Discord sends them, and what they refer to."""

    def __init__(self, state: State, channel: Channel, values: dict[str, Any], focused: str | None) -> None:
        self._state = state
        self._channel = channel
        self._values = dict(values)
        self._focused = focused
        self.resolved: dict[str, Json] = {}

    def options(self, command: Json, path: list[str]) -> list[Json]:
        """The options below a command, along the names of its groups and subcommand."""
        known = {option["name"]: option for option in command.get("options") or []}
        if path:
            if path[0] not in known or known[path[0]]["type"] not in (SUBCOMMAND, GROUP):
                raise ImpossibleError(f"There is no subcommand {path[0]!r}.")
            option = known[path[0]]
            inner = self.options(option, path[1:])
            return [{"type": option["type"], "name": option["name"], "options": inner}]
        if any(option["type"] in (SUBCOMMAND, GROUP) for option in known.values()):
            raise ImpossibleError("A subcommand must be named.")
        if unknown := self._values.keys() - known.keys():
            raise ImpossibleError(f"There is no option {sorted(unknown)[0]!r}.")
        given = {name: known[name] for name in self._values}
        missing = [name for name, option in known.items() if option.get("required") and name not in given]
        if missing and self._focused is None:
            raise ImpossibleError(f"The option {missing[0]!r} is required.")
        return [self._option(option, self._values[name]) for name, option in given.items()]

    def _option(self, option: Json, value: Any) -> Json:
        filled = {"name": option["name"], "type": option["type"]}
        if option["name"] == self._focused:
            if not option.get("autocomplete"):
                raise ImpossibleError(f"The option {option['name']!r} has no autocomplete.")
            return filled | {"value": value, "focused": True}
        if self._focused is None:
            _check_value(option, value)
        return filled | {"value": self._value(option["type"], value)}

    def _value(self, kind: int, value: Any) -> Any:
        if kind in (USER, MENTIONABLE):
            return self._refer_to_user(int(seeds.PEOPLE.get(value, value)))
        if kind == CHANNEL:
            channel = self._state.world.channel(int(seeds.CHANNELS.get(value, value)))
            about = payloads.channel(self._state.world, channel)
            allowed = payloads.permissions_in(self._state.world, channel, seeds.APPLICATION)
            self._keep("channels", channel.id, about | {"permissions": str(allowed)})
            return str(channel.id)
        if kind == ROLE:
            role = self._state.world.guild(self._channel.guild_id or 0).roles[int(value)]
            self._keep("roles", role.id, payloads.role(role, 0))
            return str(role.id)
        if kind == ATTACHMENT:
            attachment = attach(self._state, self._channel.id, value)
            self._keep("attachments", int(attachment["id"]), attachment | {"ephemeral": True})
            return attachment["id"]
        return value

    def _refer_to_user(self, user_id: int) -> str:
        world = self._state.world
        self._keep("users", user_id, payloads.user(world.users[user_id]))
        guild = world.guilds.get(self._channel.guild_id or 0)
        if guild and user_id in guild.members:
            member = payloads.member(world, guild, user_id, with_user=False)
            allowed = payloads.permissions_in(world, self._channel, user_id)
            self._keep("members", user_id, member | {"permissions": str(allowed)})
        return str(user_id)

    def _keep(self, kind: str, snowflake: int, payload: Json) -> None:
        self.resolved.setdefault(kind, {})[str(snowflake)] = payload


def _check_value(option: Json, value: Any) -> None:
    """What Discord's client does not let a person send."""
    name, kind = option["name"], option["type"]
    types: dict[int, tuple[type, ...]] = {STRING: (str,), INTEGER: (int,), BOOLEAN: (bool,), NUMBER: (int, float)}
    if kind in types and (not isinstance(value, types[kind]) or (kind != BOOLEAN and isinstance(value, bool))):
        raise ImpossibleError(f"The option {name!r} does not take {value!r}.")
    if kind == STRING:
        least, most = option.get("min_length") or 0, option.get("max_length") or LONGEST_STRING
        if not max(least, 1) <= len(value) <= most:
            raise ImpossibleError(f"The option {name!r} takes {least} to {most} characters.")
    if kind in (INTEGER, NUMBER):
        least, most = option.get("min_value"), option.get("max_value")
        if (least is not None and value < least) or (most is not None and value > most):
            raise ImpossibleError(f"The option {name!r} takes {least} to {most}.")
    choices = option.get("choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise ImpossibleError(f"The option {name!r} has no choice {value!r}.")


def attach(state: State, channel_id: int, file: Json) -> Json:
    """Uploads a person's file, given as its name and its bytes in base64."""
    name = file["name"]
    data = base64.b64decode(file["base64"])
    return store_file(state, channel_id, Upload(0, name, media_type(name), data))
