"""The limits of buttons, menus, modals and Components V2, and the ids that Discord gives to components.

Types: 1 row, 2 button, 3 text menu, 4 text input, 5–8 menus of users, roles, both and channels, 9 section,
10 text, 11 thumbnail, 12 gallery, 13 file, 14 separator, 17 container, 18 label, 19 upload.
"""

import itertools
from collections.abc import Iterator

from tests.wire.form import Form, Json, Path

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


def number(components: list[Json]) -> None:
    """Gives each component without an id the next free one, as Discord does."""
    taken = {component["id"] for _, component in walk(components) if component.get("id")}
    free = (candidate for candidate in itertools.count(1) if candidate not in taken)
    for _, component in walk(components):
        component["id"] = component.get("id") or next(free)


def check_legacy(form: Form, components: list[Json]) -> None:
    """A message without the Components V2 flag holds up to five rows, and nothing else."""
    form.length(("components",), components, ROWS)
    for index, component in enumerate(components):
        if component.get("type") != 1:
            form.add(("components", index, "type"), "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')
    _check_all(form, components)


def check_v2(form: Form, components: list[Json], file_names: list[str]) -> None:
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


def media(component: Json) -> list[Json]:
    """The media items that a thumbnail, gallery or file shows."""
    single = [component[key] for key in ("media", "file") if isinstance(component.get(key), dict)]
    return single + [item["media"] for item in component.get("items") or []]


def _check_media(form: Form, path: Path, component: Json, file_names: list[str]) -> None:
    for item in media(component):
        scheme, _, name = item.get("url", "").partition("://")
        if scheme == "attachment" and name not in file_names:
            message = "The referenced attachment could not be found."
            form.add(path, "COMPONENT_ATTACHMENT_NOT_FOUND", message)


def _check_all(form: Form, components: list[Json]) -> None:
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


def _check_one(form: Form, path: Path, component: Json) -> None:
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


def _check_row(form: Form, path: Path, row: Json) -> None:
    inside = row.get("components") or []
    menus = [item for item in inside if item.get("type") in MENUS]
    form.length((*path, "components"), inside, 5, least=1)
    if menus and len(inside) > 1:
        message = "A row with a select menu cannot hold anything else."
        form.add((*path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)


def _check_menu(form: Form, path: Path, menu: Json) -> None:
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


def check_modal_rows(form: Form, components: list[Json]) -> None:
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
        elif component["type"] not in (1, 10, *MENUS, 19, 21, 22, 23):
            form.add((*path, "type"), "UNION_TYPE_CHOICES", "This component cannot stand in a modal.")
    _check_all(form, components)
