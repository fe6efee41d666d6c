"""What Discord refuses in a message, a modal, a list of choices or a list of commands.

The numbers are those of Discord's API description, read on 2026-11-22.
"""

import json
import re

from tests.wire.components import check_legacy, check_modal_rows, check_v2
from tests.wire.form import ApiError, Form, Json, Path, refusal
from tests.wire.world import COMPONENTS_V2

CONTENT, EMBEDS, EMBED_TOTAL, FILES = 2000, 10, 6000, 10
# Not documented: above about this many bytes of Components V2, Discord answers 500 (seen on 2026-11-22).
V2_BYTES = 10_170
COMMAND_NAME = re.compile(r"[-_'\w]{1,32}")
GLOBAL_COMMANDS, MENUS_OF_A_KIND = 100, 5


def check_message(payload: Json, *, flags: int, file_names: list[str], prefix: Path = ()) -> None:
    """Raises 50035, 50006 or a 500 for a message that Discord would not take. `flags` are those it will have."""
    form = Form(*prefix)
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
        check_v2(form, components, file_names)
        if len(json.dumps(components, ensure_ascii=False).encode()) > V2_BYTES and not form.errors:
            raise ApiError(500, 0, "500: Internal Server Error")
    else:
        check_legacy(form, components)
    form.close()


def check_not_empty(payload: Json, files: int) -> None:
    """A new message needs something in it, or error 50006."""
    if not files and not any(payload.get(key) for key in ("content", "embeds", "components", "poll", "sticker_ids")):
        raise refusal("empty_message")


def _check_embed(form: Form, path: Path, embed: Json) -> None:
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
    form = Form("data")
    form.required(("custom_id",), data.get("custom_id"))
    form.length(("custom_id",), data.get("custom_id"), 100)
    form.required(("title",), data.get("title"))
    form.length(("title",), data.get("title"), 45)
    check_modal_rows(form, data.get("components") or [])
    form.close()


def check_choices(form: Form, path: Path, choices: list[Json]) -> None:
    """At most 25 choices; names of 1 to 100 characters, texts as values of at most 100."""
    form.length(path, choices, 25)
    for index, choice in enumerate(choices):
        form.length((*path, index, "name"), choice.get("name"), 100, least=1)
        if isinstance(choice.get("value"), str):
            form.length((*path, index, "value"), choice["value"], 100)


def check_commands(commands: list[Json], *, user_install: bool) -> None:
    """Raises 50035 for a list of commands that Discord would not register."""
    form = Form()
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


def _check_command(form: Form, path: Path, command: Json, *, slash: bool) -> None:
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
