"""The text of a PDF, read by a child process that is killed after a time: a small file can take hours to read.

`python -m bot.core.pdf_text CHARACTERS` is that process. It reads the file from its standard input and writes JSON: the
text, the number of pages and the number of pages read, or why there is no text. If it fails, the file is broken.
"""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from bot.core.errors import InputError
from bot.core.i18n import N_
from bot.core.json_text import without_surrogates

# Seconds, bytes of memory and pages for a file. A page of prose takes about 30 ms.
MAX_SECONDS, MAX_MEMORY, MAX_PAGES = 15.0, 1_500_000_000, 200
BROKEN = N_("The PDF {name} is broken; save it again and send it once more.")
PROBLEMS = {
    "encrypted": N_("The PDF {name} is encrypted; send one that is not."),
    "empty": N_("The PDF {name} has no text, only pictures of pages; send a picture of the page that you mean."),
}


@dataclass(frozen=True, slots=True)
class PdfText:
    """The text of the first `read` of so many `pages`, cut from so many `characters`."""

    text: str
    characters: int
    pages: int
    read: int


async def read_pdf(data: bytes, name: str, max_characters: int) -> PdfText:
    """The text of the PDF in `data`, page by page up to `max_characters` or `MAX_PAGES`.

    Raises `InputError` for a file that is broken or encrypted, has no text, or takes longer than `MAX_SECONDS`.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.core.pdf_text", str(max_characters)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(MAX_SECONDS):
            written, _errors = await child.communicate(data)
    except TimeoutError:
        raise InputError("The PDF {name} takes too long to read; send a part of it, or its text.", name=name) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise InputError(BROKEN, name=name)
    found = json.loads(written)
    if "problem" in found:
        raise InputError(PROBLEMS[found["problem"]], name=name)
    return PdfText(found["text"], found["characters"], found["pages"], found["read"])


def _extract(data: bytes, max_characters: int) -> dict[str, Any]:
    """What the child process writes."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    reader = PdfReader(BytesIO(data))
    try:
        # Many files can be read by everybody, and only changing them needs a password.
        if reader.is_encrypted and not reader.decrypt(""):
            return {"problem": "encrypted"}
    except DependencyError:  # A cipher that needs a further package.
        return {"problem": "encrypted"}
    texts: list[str] = []
    for page in reader.pages[:MAX_PAGES]:
        texts.append(page.extract_text())
        if sum(map(len, texts)) > max_characters:
            break
    text = without_surrogates("\n\n".join(text for text in texts if text.strip()).replace("\0", ""))
    if not text:
        return {"problem": "empty"}
    # One page may have any length.
    found = {"text": text[:max_characters], "characters": len(text)}
    return {**found, "pages": len(reader.pages), "read": len(texts)}


if __name__ == "__main__":
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    sys.stdout.write(json.dumps(_extract(sys.stdin.buffer.read(), int(sys.argv[1]))))
