"""What the page adds to the simulator's: the bot's own name, its channels and people, and its own look."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

STATIC = Path(__file__).with_name("static")


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


# Address → content type and what to serve.
FILES: dict[str, tuple[str, Callable[[], str]]] = {
    "/fewshot.css": ("text/css", partial(_read, "fewshot.css")),
    "/fewshot.js": ("application/javascript", partial(_read, "fewshot.js")),
}

# What stands in the simulator's page, and what stands there in ours.
_CHANGES = (
    ("<title>SimCord Preview</title>", "<title>Fewshot</title>"),
    (
        '<link rel="stylesheet" href="/preview.css">',
        '<link rel="stylesheet" href="/preview.css">\n    <link rel="stylesheet" href="/fewshot.css">',
    ),
    (
        '<div class="preview-workspace" id="preview-workspace">',
        '<div class="preview-workspace" id="preview-workspace">\n'
        '        <nav id="places" aria-label="Channels and people"></nav>',
    ),
    (
        '<script type="module" src="/app.js"></script>',
        '<script type="module" src="/fewshot.js"></script>\n    <script type="module" src="/app.js"></script>',
    ),
)


def branded(page: str) -> str:
    """The simulator's page as ours. Raises `ValueError` when it is not the page that this was written for."""
    for theirs, ours in _CHANGES:
        if page.count(theirs) != 1:
            raise ValueError(f"the simulator's page has changed: {theirs!r} is not in it")
        page = page.replace(theirs, ours)
    return page.replace("SimCord preview", "Fewshot").replace("SimCord", "Fewshot")


def timezone() -> str:
    """The name of this machine's time zone; UTC where it has none to be found."""
    link = Path("/etc/localtime")
    for name in (os.environ.get("TZ", ""), str(link.resolve()).partition("zoneinfo/")[2]):
        try:
            if name:
                return ZoneInfo(name).key
        except (ZoneInfoNotFoundError, ValueError):
            continue  # A machine may name its zone in a way of its own; the next guess may do.
    return "UTC"
