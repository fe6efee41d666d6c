"""`make catalogues` finds every sentence that is marked: gettext's reader sees none inside an f-string."""

import ast
from collections.abc import Iterator

from tests.catalogues import ROOMS, ROOT, SAYING, errors, template


def test_every_marked_sentence_is_collected() -> None:
    """A sentence that is marked where the collector does not look is named with its line."""
    collected = set(_collected())
    found = [f"{where}: {text!r}" for where, context, text in _marked() if (context, text) not in collected]
    assert not found, "\n".join(["marked, and not collected:", *found])


def _collected() -> Iterator[tuple[str, str]]:
    for message in template():
        texts = (message.id,) if isinstance(message.id, str) else message.id
        yield from ((message.context or "", text) for text in texts)


def _marked() -> Iterator[tuple[str, str, str]]:
    """Where, the context, and the text, of all that is given to what says a sentence."""
    saying = {*SAYING, *errors()}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or (name := ast.unparse(node.func)) not in saying:
                    continue
                literals = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
                context = literals[0] if name == "pgettext" else ""
                texts = literals[1:2] if name == "pgettext" else literals[: 2 if name == "ngettext" else 1]
                for text in texts:
                    if isinstance(text, str) and text:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", str(context), text
