"""What Discord refuses in a message, a modal, a list of choices or a list of commands.

The numbers are from Discord's API description, read on 2026-11-22. Types of components: 1 row, 2 button, 3 text menu,
4 text input, 5–8 menus of users, roles, both and channels, 9 section, 10 text, 11 thumbnail, 12 gallery, 13 file,
14 separator, 17 container, 18 label, 19 upload.
"""

import itertools
import json
import re
from collections.abc import Iterator

from tests.wire.errors import ApiError, FormErrors, Json, Path, api_error
from tests.wire.world import COMPONENTS_V2

BUTTON, TEXT_MENU, TEXT_INPUT = 2, 3, 4
MENUS = (3, 5, 6, 7, 8)
LINK_STYLES = (5, 6)
V2_COMPONENTS, V2_CHARACTERS = 40, 4000
TOP_LEVEL_V2 = (1, 9, 10, 12, 13, 14, 17)
ROWS = 5


def walk(components: list[Json], path: Path = ("components",)) -> Iterator[tuple[Path, Json]]:
    """Every component with its path, from the outside in."""
    for index, component in enumerate(components):
        here = (*path, index)
        yield here, component
        yield from walk(component.get("components") or [], (*here, "components"))
        for slot in ("accessory", "component"):
            if isinstance(component.get(slot), dict):
                yield (*here, slot), component[slot]


def number_components(components: list[Json]) -> None:
    """Gives each component without an id the next free one, as Discord does."""
    taken = {component["id"] for _, component in walk(components) if component.get("id")}
    free = (candidate for candidate in itertools.count(1) if candidate not in taken)
    for _, component in walk(components):
        component["id"] = component.get("id") or next(free)


def check_rows(form: FormErrors, components: list[Json]) -> None:
    """A message without the Components V2 flag holds up to five rows, and nothing else."""
    form.length(("components",), components, ROWS)
    for index, component in enumerate(components):
        if component.get("type") != 1:
            form.add(("components", index, "type"), "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')
    _check_all(form, components)


def check_components_v2(form: FormErrors, components: list[Json], file_names: list[str]) -> None:
    """Up to 40 components and 4,000 characters of text, and only files that came along."""
    everything = list(walk(components))
    if not components:
        form.required(("components",), None)
    if len(everything) > V2_COMPONENTS:
        wording = f"Must be {V2_COMPONENTS} or fewer in length."
        form.add(("components",), "BASE_TYPE_MAX_LENGTH", wording)
    total = sum(len(component.get("content") or "") for _, component in everything if component["type"] == 10)
    if total > V2_CHARACTERS:
        wording = f"The total length of displayable text must be {V2_CHARACTERS} or fewer."
        form.add(("components",), "COMPONENT_MAX_TOTAL_COMPONENTS_DISPLAYABLE_TEXT_SIZE_EXCEEDED", wording)
    for index, component in enumerate(components):
        if component.get("type") not in TOP_LEVEL_V2:
            allowed = ", ".join(map(str, TOP_LEVEL_V2))
            message = f'Value of field "type" must be one of ({allowed}).'
            form.add(("components", index, "type"), "UNION_TYPE_CHOICES", message)
    for path, component in everything:
        _check_media(form, path, component, file_names)
    _check_all(form, components)


def media_items(component: Json) -> list[Json]:
    """The media items that a thumbnail, gallery or file shows."""
    single = [component[key] for key in ("media", "file") if isinstance(component.get(key), dict)]
    return single + [item["media"] for item in component.get("items") or []]


def _check_media(form: FormErrors, path: Path, component: Json, file_names: list[str]) -> None:
    for item in media_items(component):
        scheme, _, name = item.get("url", "").partition("://")
        if scheme == "attachment" and name not in file_names:
            message = "The referenced attachment could not be found."
            form.add(path, "COMPONENT_ATTACHMENT_NOT_FOUND", message)


def _check_all(form: FormErrors, components: list[Json]) -> None:
    seen: set[str] = set()
    for path, component in walk(components):
        custom_id = component.get("custom_id")
        if custom_id is not None:
            form.length((*path, "custom_id"), custom_id, 100, least=1)
            if custom_id in seen:
                message = "Component custom id cannot be duplicated"
                form.add((*path, "custom_id"), "COMPONENT_CUSTOM_ID_DUPLICATED", message)
            seen.add(custom_id)
        _check_one(form, path, component)


def _check_one(form: FormErrors, path: Path, component: Json) -> None:
    kind = component.get("type")
    if kind == 1:
        _check_row(form, path, component)
    elif kind == BUTTON:
        form.length((*path, "label"), component.get("label"), 80)
        if not component.get("label") and not component.get("emoji"):
            form.required((*path, "label"), None)
        if component.get("style") not in LINK_STYLES:
            form.required((*path, "custom_id"), component.get("custom_id"))
    elif kind in MENUS:
        _check_menu(form, path, component)
    elif kind == 9:
        form.length((*path, "components"), component.get("components") or [], 3, least=1)
    elif kind == 10:
        form.length((*path, "content"), component.get("content") or "", V2_CHARACTERS, least=1)
    elif kind == 12:
        form.length((*path, "items"), component.get("items") or [], 10, least=1)
    elif kind == 17:
        form.length((*path, "components"), component.get("components") or [], V2_COMPONENTS, least=1)


def _check_row(form: FormErrors, path: Path, row: Json) -> None:
    serve_in_process = row.get("components") or []
    menus = [item for item in serve_in_process if item.get("type") in MENUS]
    form.length((*path, "components"), serve_in_process, 5, least=1)
    if menus and len(serve_in_process) > 1:
        message = "A row with a select menu cannot hold anything else."
        form.add((*path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)


def _check_menu(form: FormErrors, path: Path, menu: Json) -> None:
    options = menu.get("options") or []
    form.required((*path, "custom_id"), menu.get("custom_id"))
    form.length((*path, "placeholder"), menu.get("placeholder"), 150)
    if menu["type"] != TEXT_MENU:
        return
    form.length((*path, "options"), options, 25, least=1)
    values = [option.get("value") for option in options]
    for index, option in enumerate(options):
        for key in ("label", "value"):
            form.length((*path, "options", index, key), option.get(key) or "", 100, least=1)
        form.length((*path, "options", index, "description"), option.get("description"), 100)
        if option.get("value") in values[:index]:
            message = "The specified option value is already used"
            form.add((*path, "options", index, "value"), "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", message)


def check_modal_rows(form: FormErrors, components: list[Json]) -> None:
    """A modal has one to five rows, each with one text input, a label around one, or plain text."""
    form.length(("components",), components, ROWS, least=1)
    for path, component in walk(components):
        if component["type"] == TEXT_INPUT:
            form.length((*path, "label"), component.get("label"), 45)
            form.length((*path, "value"), component.get("value"), 4000)
            form.length((*path, "placeholder"), component.get("placeholder"), 100)
            if not 1 <= (component.get("max_length") or 4000) <= 4000:
                message = "int value should be between 1 and 4000."
                form.add((*path, "max_length"), "NUMBER_TYPE_MAX", message)
        elif component["type"] == 18:
            form.length((*path, "label"), component.get("label") or "", 45, least=1)
            form.length((*path, "description"), component.get("description"), 100)
        elif component["type"] in (21, 22):
            form.length((*path, "options"), component.get("options"), 10, least=2 if component["type"] == 21 else 1)
        elif component["type"] not in (1, 10, *MENUS, 19, 23):
            form.add((*path, "type"), "UNION_TYPE_CHOICES", "This component cannot stand in a modal.")
    _check_all(form, components)


CONTENT, EMBEDS, EMBED_TOTAL, FILES = 2000, 10, 6000, 10
# Not documented: above about this many bytes of Components V2, Discord answers 500 (seen on 2026-11-22).
V2_BYTES = 10_170
COMMAND_NAME = re.compile(r"[-_'\w]{1,32}")
GLOBAL_COMMANDS, MENUS_OF_A_KIND = 100, 5


def check_message(payload: Json, *, flags: int, file_names: list[str], prefix: Path = ()) -> None:
    """Raises 50035, 50006 or a 500 for a message that Discord would not take. `flags` are those it will have."""
    form = FormErrors(*prefix)
    content = payload.get("content")
    form.length(("content",), content, CONTENT)
    form.length(("embeds",), payload.get("embeds"), EMBEDS)
    form.length(("attachments",), payload.get("attachments"), FILES)
    if len(file_names) > FILES:
        form.add(("attachments",), "BASE_TYPE_MAX_LENGTH", f"Must be {FILES} or fewer in length.")
    for index, embed in enumerate(payload.get("embeds") or []):
        _check_embed(form, ("embeds", index), embed)
    components = payload.get("components") or []
    if flags & COMPONENTS_V2:
        for legacy in ("content", "embeds", "poll", "sticker_ids"):
            if payload.get(legacy):
                code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
                form.add((legacy,), code, f"The '{legacy}' field cannot be used when using Components V2")
        check_components_v2(form, components, file_names)
        if len(json.dumps(components, ensure_ascii=False).encode()) > V2_BYTES and not form.errors:
            raise ApiError(500, 0, "500: Internal Server Error")
    else:
        check_rows(form, components)
    form.close()


def check_not_empty(payload: Json, files: int) -> None:
    """A new message needs something in it, or error 50006."""
    if not files and not any(payload.get(key) for key in ("content", "embeds", "components", "poll", "sticker_ids")):
        raise api_error("empty_message")


def _check_embed(form: FormErrors, path: Path, embed: Json) -> None:
    fields = embed.get("fields") or []
    author = (embed.get("author") or {}).get("name")
    footer = (embed.get("footer") or {}).get("text")
    form.length((*path, "title"), embed.get("title"), 256)
    form.length((*path, "description"), embed.get("description"), 4096)
    form.length((*path, "fields"), fields, 25)
    form.length((*path, "author", "name"), author, 256)
    form.length((*path, "footer", "text"), footer, 2048)
    total = sum(len(text or "") for text in (embed.get("title"), embed.get("description"), author, footer))
    for index, field in enumerate(fields):
        for key, most in (("name", 256), ("value", 1024)):
            form.required((*path, "fields", index, key), field.get(key))
            form.length((*path, "fields", index, key), field.get(key), most)
            total += len(field.get(key) or "")
    if total > EMBED_TOTAL:
        form.add(path, "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {EMBED_TOTAL}")


def check_modal(data: Json) -> None:
    """Raises 50035 for a modal that Discord would not open."""
    form = FormErrors("data")
    form.required(("custom_id",), data.get("custom_id"))
    form.length(("custom_id",), data.get("custom_id"), 100)
    form.required(("title",), data.get("title"))
    form.length(("title",), data.get("title"), 45)
    check_modal_rows(form, data.get("components") or [])
    form.close()


def check_choices(form: FormErrors, path: Path, choices: list[Json]) -> None:
    """At most 25 choices; names of 1 to 100 characters, texts as values of at most 100."""
    form.length(path, choices, 25)
    for index, choice in enumerate(choices):
        form.length((*path, index, "name"), choice.get("name"), 100, least=1)
        if isinstance(choice.get("value"), str):
            form.length((*path, index, "value"), choice["value"], 100)


def check_commands(commands: list[Json], *, user_install: bool) -> None:
    """Raises 50035 for a list of commands that Discord would not register."""
    form = FormErrors()
    seen: set[tuple[int, str]] = set()
    kinds = [command.get("type", 1) for command in commands]
    if kinds.count(1) > GLOBAL_COMMANDS or max(kinds.count(2), kinds.count(3)) > MENUS_OF_A_KIND:
        form.add((), "APPLICATION_COMMANDS_MAX", "Maximum number of application commands reached")
    for index, command in enumerate(commands):
        key = (command.get("type", 1), command.get("name", ""))
        if key in seen:
            message = "Application command names must be unique"
            form.add((index,), "APPLICATION_COMMANDS_DUPLICATE_NAME", message)
        seen.add(key)
        _check_command(form, (index,), command, slash=key[0] == 1)
        if 1 in (command.get("integration_types") or []) and not user_install:
            message = "The application is not set up for that kind of installation"
            form.add((index, "integration_types"), "APPLICATION_INTEGRATION_TYPE_NOT_SUPPORTED", message)
    form.close()


def _check_command(form: FormErrors, path: Path, command: Json, *, slash: bool) -> None:
    name = command.get("name") or ""
    form.length((*path, "name"), name, 32, least=1)
    if slash:
        if not COMMAND_NAME.fullmatch(name) or name != name.lower():
            form.add((*path, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
        form.length((*path, "description"), command.get("description") or "", 100, least=1)
    elif command.get("description"):
        form.add((*path, "description"), "APPLICATION_COMMAND_DESCRIPTION", "Context menus have no description")
    options = command.get("options") or []
    form.length((*path, "options"), options, 25)
    optional_seen = False
    for index, option in enumerate(options):
        inner = (*path, "options", index)
        _check_command(form, inner, option, slash=True)
        check_choices(form, (*inner, "choices"), option.get("choices") or [])
        if option.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            form.add(inner, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen = optional_seen or not option.get("required")
