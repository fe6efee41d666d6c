"""`python -m tests.bench.corpus`: questions for 200 files (2 MB), generated and checked by `fewshot dataset build`.

The command runs in a process of its own, the scripted model in this one. Prints time, calls and peak memory.
"""

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.fake_model import FakeModel

FILES, BYTES = 200, 2_000_000
# Limit of the process's memory in megabytes; about 100 are its libraries.
BOUND = 300
NOUNS = ["baker", "miller", "smith", "potter", "weaver", "tanner", "cooper", "fletcher", "mason", "carter"]
DEEDS = ["bakes", "grinds", "forges", "throws", "weaves", "tans", "binds", "carves", "lays", "drives"]
_SENTENCE = re.compile(r"The \w+ (\w+) of (\w+) (\w+) item(\d+) each morning\.")


def text(number: int, size: int) -> str:
    """A text of about `size` characters: paragraphs of sentences with one fact each."""
    chance = random.Random(number)
    said, length = [], 0
    while length < size:
        at = chance.randrange(len(NOUNS))
        item = chance.randrange(10**6)
        said.append(f"The old {NOUNS[at]} of town{number} {DEEDS[at]} item{item} each morning.")
        length += len(said[-1]) + 1
    return "\n\n".join(" ".join(said[at : at + 8]) for at in range(0, len(said), 8))


def reply(body: dict[str, Any]) -> str:
    """Twenty pairs about five facts of the text in the prompt; all claims are supported."""
    asked = body["messages"][-1]["content"]
    if "The claims:" in asked:
        return '{"verdicts": []}'
    facts = []
    for match in list(_SENTENCE.finditer(asked))[:5]:
        who, town, deed, item = match.groups()
        questions = [
            f"What does the {who} of {town} do each morning?",
            f"{town}, the {who}: which item{item[:2]}?",
            f"Which item comes from the {who} in {town}, item{item[:3]} or so?",
            f"Tell me what is made by {town}'s {who} when it is early, {item[:2]}.",
        ]
        facts.append(
            {"fact": f"{who}-{item}", "answer": f"{deed} item{item}", "quote": match[0], "questions": questions}
        )
    return json.dumps({"facts": facts, "unanswerable": [f"How old is the {who} of {town}?"] if facts else []})


async def measure(files: int, size: int) -> tuple[float, int, float, str]:
    """Seconds, calls, peak megabytes, and the command's output."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "texts").mkdir()
        for number in range(files):
            (folder / "texts" / f"{number:03}.txt").write_text(text(number, size // files), encoding="utf-8")
        async with FakeModel() as model:
            model.says(reply, delay=0.02)
            kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYTHONPATH")}
            settings = {"DATA_DIR": str(folder / "data"), "CORPORA": f"towns={folder / 'texts'}"}
            settings |= {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": model.token, "CHAT_MODEL": "fake-model"}
            settings |= {"DAILY_TOKENS": "100000000"}
            began = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "dataset", "build", "towns"),
                env=kept | settings,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            watching = asyncio.create_task(_peak(process))
            out, _ = await process.communicate()
            return time.monotonic() - began, len(model.calls), await watching, out.decode()


async def _peak(process: asyncio.subprocess.Process) -> float:
    """The peak memory of a process in megabytes, once it has ended."""
    peak = 0.0
    while process.returncode is None:
        try:
            peak = max(peak, psutil.Process(process.pid).memory_info().rss / 1e6)
        except psutil.Error:
            break
        await asyncio.sleep(0.05)
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--bytes", type=int, default=BYTES)
    options = parser.parse_args()
    seconds, calls, megabytes, said = asyncio.run(measure(options.files, options.bytes))
    print(said.strip())
    print(f"{options.files} files, {options.bytes:,} bytes: {seconds:.1f} s, {calls} calls, {megabytes:.0f} MB at most")
    if megabytes > BOUND:
        sys.exit(f"more than {BOUND} MB")


if __name__ == "__main__":
    main()
