"""What a person can do in Discord's client: slash commands, message menus, buttons, modals, messages."""

import base64
from typing import Any

from tests.wire import payloads, seeds
from tests.wire.access import has_permissions
from tests.wire.errors import Json
from tests.wire.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction, dispatch_interaction
from tests.wire.limits import BUTTON, LINK_STYLES, MENUS, TEXT_INPUT, TEXT_MENU, check_commands, walk
from tests.wire.messages import MessageBody, Upload, create_message, media_type, store_file
from tests.wire.state import State
from tests.wire.world import DM, HAS_SNAPSHOT, Channel, Message

GLOBAL = 0
SLASH, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE = 1, 2, 3, 4, 5, 6, 7, 8
MENTIONABLE, NUMBER, ATTACHMENT = 9, 10, 11
LONGEST_STRING = 6000


class ImpossibleError(Exception):
    """What the test asked for cannot be done by a person in Discord's client."""


def register_commands(state: State, scope: int, commands: list[Json]) -> list[Json]:
    """Replace the commands of a server, or the global ones (scope 0). A command with the same name keeps its id."""
    check_commands(commands, user_install=state.settings.user_install)
    old = {(one["type"], one["name"]): one["id"] for one in state.commands.get(scope, [])}
    kept = []
    for command in commands:
        kind, permissions = command.get("type", SLASH), command.get("default_member_permissions")
        known = old.get((kind, command["name"]))
        kept.append(
            {
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
                "default_member_permissions": None if permissions is None else str(permissions),
            }
            | ({"guild_id": str(scope)} if scope else {})
        )
    state.commands[scope] = kept
    state.world.touch()
    return kept


def find_command(state: State, kind: int, name: str, channel: Channel, user_id: int) -> Json:
    """The command with that name that this person sees in that channel; a server's own wins over a global one."""
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


class OptionFiller:
    """Builds the options of a slash command as Discord sends them, and `resolved`: what they refer to."""

    def __init__(self, state: State, channel: Channel, values: dict[str, Any], focused: str | None) -> None:
        self._state = state
        self._channel = channel
        self._values = dict(values)
        self._focused = focused
        self.resolved: dict[str, Json] = {}

    def options(self, command: Json, path: list[str]) -> list[Json]:
        """The options of a command; `path` names the group and subcommand."""
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
            attachment = upload_attachment(self._state, self._channel.id, value)
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
    """Raise `ImpossibleError` for a value that Discord's client does not let a person send."""
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


def upload_attachment(state: State, channel_id: int, file: Json) -> Json:
    """Store a person's file, given as name and base64."""
    name = file["name"]
    data = base64.b64decode(file["base64"])
    return store_file(state, channel_id, Upload(0, name, media_type(name), data))


def slash(state: State, user_id: int, channel: Channel, name: str, values: dict[str, Any], **more: Any) -> Interaction:
    """Uses a slash command; `name` holds its groups and subcommand, as in `racing ask`."""
    data = _command_data(state, user_id, channel, name, values, focused=None)
    return dispatch_interaction(state, COMMAND, name, user_id=user_id, channel=channel, data=data, **more)


def autocomplete(
    state: State, user_id: int, channel: Channel, name: str, values: dict[str, Any], focused: str
) -> Interaction:
    """Types into an option that offers choices; the others may be filled in or not."""
    data = _command_data(state, user_id, channel, name, values, focused=focused)
    return dispatch_interaction(state, AUTOCOMPLETE, name, user_id=user_id, channel=channel, data=data)


def _command_data(
    state: State, user_id: int, channel: Channel, name: str, values: dict[str, Any], focused: str | None
) -> Json:
    first, *path = name.split()
    command = find_command(state, SLASH, first, channel, user_id)
    filling = OptionFiller(state, channel, values, focused)
    data: Json = {"id": command["id"], "name": command["name"], "type": 1}
    data["options"] = filling.options(command, path)
    # Autocomplete comes without what its options refer to.
    if filling.resolved and focused is None:
        data["resolved"] = filling.resolved
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    return data


def message_menu(state: State, user_id: int, channel: Channel, name: str, message: Message, **more: Any) -> Interaction:
    """Uses a command of a message's context menu."""
    _must_see(message, user_id)
    command = find_command(state, MESSAGE_MENU, name, channel, user_id)
    resolved = {"messages": {str(message.id): payloads.message(state.world, message)}}
    data = {
        "id": command["id"],
        "name": name,
        "type": 3,
        "target_id": str(message.id),
        "resolved": resolved,
    }
    return dispatch_interaction(state, COMMAND, name, user_id=user_id, channel=channel, data=data, **more)


def press(state: State, user_id: int, message: Message, wanted: str) -> Interaction:
    """Presses a button, found by its custom id, label or emoji."""
    _must_see(message, user_id)
    button = _find(message, wanted, (BUTTON,))
    if button.get("style") in LINK_STYLES:
        raise ImpossibleError(f"The button {wanted!r} is a link.")
    return _component(state, user_id, message, button, {})


def select(state: State, user_id: int, message: Message, wanted: str | None, chosen: list[str]) -> Interaction:
    """Chooses from a menu, found by its custom id or placeholder, or the only one; options by label or value."""
    _must_see(message, user_id)
    menu = _find(message, wanted, MENUS)
    least, most = menu.get("min_values", 1), menu.get("max_values", 1)
    if not least <= len(chosen) <= most:
        raise ImpossibleError(f"The menu takes {least} to {most} values.")
    if menu["type"] == TEXT_MENU:
        values = [_option_value(menu, one) for one in chosen]
        return _component(state, user_id, message, menu, {"values": values})
    channel = state.world.channel(message.channel_id)
    kind = {5: USER, 6: ROLE, 7: MENTIONABLE, 8: CHANNEL}[menu["type"]]
    filling = OptionFiller(state, channel, {str(n): one for n, one in enumerate(chosen)}, None)
    known = [{"name": str(n), "type": kind} for n in range(len(chosen))]
    values = [option["value"] for option in filling.options({"options": known}, [])]
    return _component(state, user_id, message, menu, {"values": values, "resolved": filling.resolved})


def _component(state: State, user_id: int, message: Message, component: Json, more: Json) -> Interaction:
    if component.get("disabled"):
        raise ImpossibleError("The component is disabled.")
    custom_id = component["custom_id"]
    data = {"component_type": component["type"], "custom_id": custom_id, "id": component["id"]} | more
    channel = state.world.channel(message.channel_id)
    fields: Json = {"user_id": user_id, "channel": channel, "data": data, "source": message}
    return dispatch_interaction(state, COMPONENT, custom_id, **fields)


def _find(message: Message, wanted: str | None, kinds: tuple[int, ...]) -> Json:
    everything = [one for _, one in walk(message.components) if one["type"] in kinds]
    for key in ("custom_id", "label", "placeholder"):
        for component in everything:
            if wanted is not None and component.get(key) == wanted:
                return component
    for component in everything:
        if wanted is not None and (component.get("emoji") or {}).get("name") == wanted:
            return component
    if wanted is None and len(everything) == 1:
        return everything[0]
    seen = [one.get("label") or one.get("custom_id") for one in everything]
    raise ImpossibleError(f"The message has no {wanted!r}; it has {seen}.")


def _option_value(menu: Json, wanted: str) -> str:
    for key in ("value", "label"):
        for option in menu.get("options") or []:
            if option[key] == wanted:
                return str(option["value"])
    raise ImpossibleError(f"The menu has no option {wanted!r}.")


def _must_see(message: Message, user_id: int) -> None:
    if message.audience not in (None, user_id):
        raise ImpossibleError("This person does not see that message.")


def submit(state: State, parent: Interaction, values: dict[str, Any]) -> Interaction:
    """Fills in the modal that answered an interaction; fields by custom id or label, the rest as it stands."""
    modal = parent.modal
    if modal is None:
        raise ImpossibleError("The interaction was not answered with a modal.")
    filled = FormErrors(state, parent, dict(values))
    rows = [filled.row(row) for row in modal["components"]]
    if filled.values:
        raise ImpossibleError(f"The modal has no field {sorted(filled.values)[0]!r}.")
    data: Json = {"custom_id": modal["custom_id"], "components": rows}
    if filled.resolved:
        data["resolved"] = {"attachments": filled.resolved}
    channel = state.world.channel(parent.channel_id)
    return dispatch_interaction(
        state,
        MODAL_SUBMIT,
        modal["custom_id"],
        user_id=parent.user_id,
        channel=channel,
        data=data,
        source=parent.source,
        parent=parent,
    )


class FormErrors:
    """A modal being filled in: takes out of `values` what a field used."""

    def __init__(self, state: State, parent: Interaction, values: dict[str, Any]) -> None:
        self._state = state
        self._parent = parent
        self.values = values
        self.resolved: Json = {}

    def row(self, row: Json) -> Json:
        """One row of the modal, as the submission sends it back."""
        sent = {"type": row["type"], "id": row.get("id", 0)}
        if row["type"] == 1:
            return sent | {"components": [self._field(one, one.get("label")) for one in row["components"]]}
        if row["type"] == 18:
            return sent | {"component": self._field(row["component"], row["label"])}
        return sent

    def _field(self, field: Json, label: str | None) -> Json:
        key = field["custom_id"] if field["custom_id"] in self.values else label
        given = self.values.pop(key, None) if key is not None else None
        sent = {"type": field["type"], "id": field.get("id", 0), "custom_id": field["custom_id"]}
        if field["type"] == TEXT_INPUT:
            return sent | {"value": _text(field, given)}
        if field["type"] == TEXT_MENU:
            defaults = [one["value"] for one in field["options"] if one.get("default")]
            chosen = defaults if given is None else [given] if isinstance(given, str) else given
            return sent | {"values": [_option_value(field, one) for one in chosen]}
        if field["type"] == 19:
            files = [upload_attachment(self._state, self._parent.channel_id, one) for one in given or []]
            self.resolved |= {file["id"]: file for file in files}
            return sent | {"values": [file["id"] for file in files]}
        if field["type"] == 21:
            default = next((one["value"] for one in field["options"] if one.get("default")), None)
            chosen = default if given is None else given
            if field.get("required", True) and chosen is None:
                raise ImpossibleError(f"The field {field['custom_id']!r} is required.")
            return sent | {"value": chosen and _option_value(field, chosen)}
        return sent | ({"value": given} if field["type"] == 23 else {"values": given or []})


def _text(field: Json, given: str | None) -> str:
    text = field.get("value") or "" if given is None else given
    least, most = field.get("min_length") or 0, field.get("max_length") or 4000
    if field.get("required", True) and not text:
        raise ImpossibleError(f"The field {field['custom_id']!r} is required.")
    if text and not least <= len(text) <= most:
        raise ImpossibleError(f"The field {field['custom_id']!r} takes {least} to {most} characters.")
    return text


def say(
    state: State,
    user_id: int,
    channel: Channel,
    text: str,
    *,
    reply_to: Message | None,
    ping: bool,
    files: list[Json],
    more: Json,
) -> Message:
    """Write a message in a channel, a thread or direct messages.

    `more` may have `embeds` and `components` (as bots send them) and `poll`: `{"question": …, "answers": […]}`.
    """
    word = "send_messages_in_threads" if channel.is_thread else "send_messages"
    if not has_permissions(state, channel, word, user_id=user_id):
        raise ImpossibleError("This person may not write there.")
    fields: Json = {"kind": 19 if reply_to else 0}
    if reply_to:
        _must_see(reply_to, user_id)
        fields["reference"] = {
            "type": 0,
            "channel_id": str(channel.id),
            "message_id": str(reply_to.id),
        }
    fields["attachments"] = [upload_attachment(state, channel.id, file) for file in files]
    allowed = {"parse": ["users", "roles", "everyone"], "replied_user": ping}
    poll = more.pop("poll", None)
    payload: Json = {"content": text, "allowed_mentions": allowed} | more
    if not text and (files or poll):
        payload["sticker_ids"] = ["0"]
    if poll:
        fields["poll"] = payloads.poll(poll["question"], poll["answers"], state.world.now())
    return create_message(state, channel, user_id, MessageBody(payload), **fields)


def forward(state: State, user_id: int, message: Message, channel: Channel) -> Message:
    """Forward a message to a channel: an empty message with the original in `message_snapshots`."""
    _must_see(message, user_id)
    reference = {"type": 1, "channel_id": str(message.channel_id), "message_id": str(message.id)}
    guild_id = state.world.channel(message.channel_id).guild_id
    fields: Json = {"reference": reference | ({"guild_id": str(guild_id)} if guild_id else {})}
    fields |= {"snapshots": message.snapshots or [payloads.snapshot(message)], "flags": HAS_SNAPSHOT}
    body = MessageBody({"content": "", "sticker_ids": ["0"]})
    return create_message(state, channel, user_id, body, **fields)


def open_channel(state: State, user_id: int, ref: str) -> Channel:
    """The channel that a test means: an id, a name of the first server, or `dm` for the person's own."""
    if ref == "dm":
        return seeds.dm_channel(state.world, user_id)
    if ref.isdigit():
        return state.world.channel(int(ref))
    for channel in state.world.channels.values():
        if channel.name == ref:
            return channel
    raise ImpossibleError(f"There is no channel {ref!r}.")
