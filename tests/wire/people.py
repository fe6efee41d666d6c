"""What a person can do in Discord's client: commands, menus, buttons, modals, messages."""

from typing import Any

from tests.wire import commands, payloads, seeds
from tests.wire.access import may
from tests.wire.commands import ImpossibleError
from tests.wire.components import BUTTON, LINK_STYLES, MENUS, TEXT_INPUT, TEXT_MENU, walk
from tests.wire.form import Json
from tests.wire.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction, begin
from tests.wire.posting import Draft, post
from tests.wire.state import State
from tests.wire.world import Channel, Message


def slash(state: State, user_id: int, channel: Channel, name: str, values: dict[str, Any], **more: Any) -> Interaction:
    """Uses a slash command; `name` holds its groups and subcommand, as in `racing ask`."""
    data = _command_data(state, user_id, channel, name, values, focused=None)
    return begin(state, COMMAND, name, user_id=user_id, channel=channel, data=data, **more)


def autocomplete(
    state: State, user_id: int, channel: Channel, name: str, values: dict[str, Any], focused: str
) -> Interaction:
    """Types into an option that offers choices; the others may be filled in or not."""
    data = _command_data(state, user_id, channel, name, values, focused=focused)
    return begin(state, AUTOCOMPLETE, name, user_id=user_id, channel=channel, data=data)


def _command_data(
    state: State, user_id: int, channel: Channel, name: str, values: dict[str, Any], focused: str | None
) -> Json:
    first, *path = name.split()
    command = commands.find(state, commands.SLASH, first, channel, user_id)
    filling = commands.Filling(state, channel, values, focused)
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
    command = commands.find(state, commands.MESSAGE_MENU, name, channel, user_id)
    resolved = {"messages": {str(message.id): payloads.message(state.world, message)}}
    data = {
        "id": command["id"],
        "name": name,
        "type": 3,
        "target_id": str(message.id),
        "resolved": resolved,
    }
    return begin(state, COMMAND, name, user_id=user_id, channel=channel, data=data, **more)


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
    kind = {5: commands.USER, 6: commands.ROLE, 7: commands.MENTIONABLE, 8: commands.CHANNEL}[menu["type"]]
    filling = commands.Filling(state, channel, {str(n): one for n, one in enumerate(chosen)}, None)
    known = [{"name": str(n), "type": kind} for n in range(len(chosen))]
    values = [option["value"] for option in filling.options({"options": known}, [])]
    return _component(state, user_id, message, menu, {"values": values, "resolved": filling.resolved})


def _component(state: State, user_id: int, message: Message, component: Json, more: Json) -> Interaction:
    if component.get("disabled"):
        raise ImpossibleError("The component is disabled.")
    custom_id = component["custom_id"]
    data = {"component_type": component["type"], "custom_id": custom_id, "id": component["id"]} | more
    channel = state.world.channel(message.channel_id)
    return begin(state, COMPONENT, custom_id, user_id=user_id, channel=channel, data=data, source=message)


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
    filled = Form(state, parent, dict(values))
    rows = [filled.row(row) for row in modal["components"]]
    if filled.values:
        raise ImpossibleError(f"The modal has no field {sorted(filled.values)[0]!r}.")
    data: Json = {"custom_id": modal["custom_id"], "components": rows}
    if filled.resolved:
        data["resolved"] = {"attachments": filled.resolved}
    channel = state.world.channel(parent.channel_id)
    return begin(
        state,
        MODAL_SUBMIT,
        modal["custom_id"],
        user_id=parent.user_id,
        channel=channel,
        data=data,
        source=parent.source,
    )


class Form:
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
            files = [commands.attach(self._state, self._parent.channel_id, one) for one in given or []]
            self.resolved |= {file["id"]: file for file in files}
            return sent | {"values": [file["id"] for file in files]}
        return sent | ({"value": given} if field["type"] in (21, 23) else {"values": given or []})


def _text(field: Json, given: str | None) -> str:
    text = field.get("value") or "" if given is None else given
    least, most = field.get("min_length") or 0, field.get("max_length") or 4000
    if field.get("required", True) and not text:
        raise ImpossibleError(f"The field {field['custom_id']!r} is required.")
    if text and not least <= len(text) <= most:
        raise ImpossibleError(f"The field {field['custom_id']!r} takes {least} to {most} characters.")
    return text


def say(
    state: State, user_id: int, channel: Channel, text: str, *, reply_to: Message | None, ping: bool, files: list[Json]
) -> Message:
    """Writes a message in a channel, a thread or a direct conversation."""
    word = "send_messages_in_threads" if channel.is_thread else "send_messages"
    if not may(state, channel, word, user_id=user_id):
        raise ImpossibleError("This person may not write there.")
    fields: Json = {"kind": 19 if reply_to else 0}
    if reply_to:
        _must_see(reply_to, user_id)
        fields["reference"] = {
            "type": 0,
            "channel_id": str(channel.id),
            "message_id": str(reply_to.id),
        }
    fields["attachments"] = [commands.attach(state, channel.id, file) for file in files]
    allowed = {"parse": ["users", "roles", "everyone"], "replied_user": ping}
    payload = {"content": text, "allowed_mentions": allowed}
    if not text and files:
        payload["sticker_ids"] = ["0"]
    return post(state, channel, user_id, Draft(payload), **fields)


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
