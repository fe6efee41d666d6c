"""Fetching a model from the hub or from a file: resumed, checked, and written whole or not at all.

Everything here blocks: the command line calls it as it is, the bot in a thread. `progress` gets the bytes done and the
bytes in all, about ten times a second; what it raises ends the work, and what was fetched is kept for the next try.
"""

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bot.core.errors import ConfigError, InputError, StorageError
from bot.core.i18n import N_
from bot.engine import disk
from bot.engine.llama.catalog import recommended
from bot.engine.llama.gguf import Header, ModelFileError, read_header
from bot.engine.llama.store import WEIGHTS, Installed, ModelStore, name_of

Progress = Callable[[int, int], None]
# `hf:owner/repo/folder/file.gguf@revision`; the revision may be missing.
HUB = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)/(?P<file>[^@]+\.gguf)(@(?P<revision>[\w./-]+))?", re.IGNORECASE)
# Bytes to leave free on the disk, so that the database can still write.
SPARE = 256 * 1024 * 1024
PIECE = 4 * 1024 * 1024
# Seconds between two calls of `progress`.
PROGRESS_INTERVAL = 0.1
NEEDS_EXTRA = N_("Fetching from the hub needs huggingface_hub: pip install -e '.[local]'.")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from. `path` on this machine, else `repo`, `file` and `revision` on the hub."""

    name: str
    label: str
    license: str | None = None
    size: int | None = None
    sha256: str | None = None
    path: Path | None = None
    repo: str = ""
    file: str = ""
    revision: str = "main"

    @property
    def address(self) -> str:
        """The source in the form that people type."""
        return str(self.path) if self.path else f"hf:{self.repo}/{self.file}@{self.revision}"


def source_of(wanted: str) -> Source:
    """The source that a person named: a name of the table, `hf:owner/repo/file.gguf@revision`, or a path."""
    row = recommended().get(wanted.lower())
    if row is not None:
        return Source(
            row.name, row.label, row.license, row.size, row.sha256, repo=row.repo, file=row.file, revision=row.revision
        )
    if match := HUB.fullmatch(wanted):
        stem = Path(match["file"]).stem
        revision = match["revision"] or "main"
        return Source(name_of(stem), stem, repo=match["repo"], file=match["file"], revision=revision)
    path = Path(wanted).expanduser()
    if path.is_file():
        return Source(name_of(path.stem), path.stem, size=path.stat().st_size, path=path)
    names = ", ".join(recommended())
    raise InputError(
        "{wanted} is no model of the table ({names}), no hub address (hf:owner/repo/file.gguf) and no file.",
        wanted=wanted[:200],
        names=names,
    )


def fetch(store: ModelStore, source: Source, progress: Progress) -> Installed:
    """Install `source`, or return what is installed under its name already.

    Raises what `install` raises, and `ConfigError` where the hub cannot be reached.
    """
    write = _download if source.path is None else _copy
    return install(store, source, lambda folder: write(source, folder, progress))


def install(store: ModelStore, source: Source, write: Callable[[Path], str]) -> Installed:
    """Install what `write` puts into a model's folder as `WEIGHTS`, unless the model is there. It returns the sha256.

    Raises `ModelFileError` for a file that is no whole chat model, `StorageError` where the disk is too small, and
    `InputError` where another process installs the same model.
    """
    with _alone(store, source.name):
        if (installed := store.find(source.name)) is not None:
            return installed
        folder = store.folder / source.name
        disk.make_folder(folder)
        with _disk_errors():
            checksum = write(folder)
            try:
                header = read_header(folder / WEIGHTS)
                model = _checked(source, header, checksum)
            except ModelFileError:
                (folder / WEIGHTS).unlink()
                raise
            store.add(model)
        return model


@contextmanager
def _alone(store: ModelStore, name: str) -> Iterator[None]:
    disk.make_folder(store.folder)
    lock = FileLock(store.folder / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError("{name} is being fetched by another process. Wait for it to end.", name=name) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not disk.is_full(error):
            raise
        raise StorageError("The disk is full. Make room and fetch the model again: it goes on where it was.") from None


def check_disk(folder: Path, size: int) -> None:
    """Raise if the disk of `folder` has no room for `size` more bytes."""
    free = shutil.disk_usage(folder).free
    if size + SPARE > free:
        raise StorageError(
            "The model takes {size:,} bytes, and the disk has {free:,} free. Make room first.", size=size, free=free
        )


def _copy(source: Source, folder: Path, progress: Progress) -> str:
    """Copy a file into `folder`; returns its sha256."""
    assert source.path is not None
    assert source.size is not None
    read_header(source.path)  # before the copy, which takes its time
    check_disk(folder, source.size)
    part, digest, done = (folder / WEIGHTS).with_suffix(".part"), hashlib.sha256(), 0
    report = _Throttle(progress)
    try:
        with source.path.open("rb") as original, part.open("wb") as copy:
            while data := original.read(PIECE):
                copy.write(data)
                digest.update(data)
                done += len(data)
                report(done, source.size)
            copy.flush()
            os.fsync(copy.fileno())
        part.replace(folder / WEIGHTS)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def _download(source: Source, folder: Path, progress: Progress) -> str:
    """Download a file of the hub into `folder`, resuming an earlier attempt; returns its sha256.

    `hf_hub_download` deletes what an attempt that failed has fetched (huggingface_hub 2.4), so its `http_get` writes to
    a file that stays.
    """
    try:
        import huggingface_hub
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils._headers import build_hf_headers
    except ImportError:
        raise ConfigError(NEEDS_EXTRA) from None
    with hub_errors(source.address):
        url = huggingface_hub.hf_hub_url(source.repo, source.file, revision=source.revision)
        # This request is made first because it is not retried; the download itself retries a lost connection for half a
        # minute.
        on_hub = huggingface_hub.get_hf_file_metadata(url)
        etag = on_hub.etag or ""
        # A part of another revision of the file is not resumed.
        path = folder / f"{hashlib.sha256(etag.encode()).hexdigest()[:16]}.part"
        for other in folder.glob("*.part"):
            if other != path:
                other.unlink()
        with path.open("ab") as part:
            check_disk(folder, (on_hub.size or 0) - part.tell())
            http_get(
                url,
                part,
                resume_size=part.tell(),
                headers=build_hf_headers(),
                expected_size=on_hub.size,
                tqdm_class=_progress_bar(progress),
            )
    # The ETag of a large file is its sha256.
    expected = source.sha256 or etag
    found = sha256(path)
    if re.fullmatch(r"[0-9a-f]{64}", expected) and found != expected:
        path.unlink()
        raise ModelFileError(
            "{file} is damaged: its sha256 is {found}, and {expected} was expected. Fetch it again.",
            file=source.file,
            found=found[:12] + "…",
            expected=expected[:12] + "…",
        )
    path.replace(folder / WEIGHTS)
    return found


@contextmanager
def hub_errors(address: str) -> Iterator[None]:
    """Translate the hub's errors into sentences that say what to do, and silence the log of its client."""
    import httpx2
    from huggingface_hub import errors

    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    try:
        yield
    except errors.GatedRepoError:
        raise ConfigError(
            "{repo} asks for an account that has accepted its licence: set HF_TOKEN. Or fetch the file elsewhere, copy "
            "it here, and run: fewshot model get FILE.",
            repo=address,
        ) from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.RemoteEntryNotFoundError):
        raise ConfigError("The hub has no {address}.", address=address) from None
    except (
        errors.HfHubHTTPError,
        errors.LocalEntryNotFoundError,
        errors.FileMetadataError,
        httpx2.HTTPError,
        OSError,
    ) as error:
        if isinstance(error, OSError) and disk.is_full(error):
            raise
        raise ConfigError(
            "The hub cannot be reached or broke off ({kind}). Try again: it goes on where it was. Or fetch the file "
            "elsewhere, copy it here, and run: fewshot model get FILE.",
            kind=type(error).__name__,
        ) from None


def _progress_bar(progress: Progress) -> type:
    """A replacement for the progress bar class of the hub's client, which calls `progress`."""
    from tqdm.std import tqdm

    report = _Throttle(progress)

    class Bar(tqdm):  # type: ignore[misc]  # tqdm ships no types
        """Counts like the bar it replaces, and draws nothing."""

        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **options | {"disable": False, "gui": True})

        def update(self, n: float = 1) -> None:
            self.n += n
            if self.total:
                report(int(self.n), int(self.total))

        def display(self, *_: Any, **__: Any) -> None:
            """Draw nothing."""

    return Bar


class _Throttle:
    """Calls a `Progress` about ten times a second, and at the end."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._last = progress, 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last >= PROGRESS_INTERVAL or done >= total:
            self._last = now
            self._progress(done, total)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(source: Source, header: Header, checksum: str) -> Installed:
    """The manifest of a complete file. Raises `ModelFileError` for a model that cannot chat."""
    if not header.chat_template:
        raise ModelFileError(
            "{name} has no chat template: it is a base model, or its conversion left the template out. Choose a file "
            "whose name says instruct, it or chat.",
            name=source.name,
        )
    warning = ""
    if header.looks_like_base:
        warning = "It calls itself a base model: it continues texts and seldom follows instructions."
    license = source.license or header.license or "not stated in the file; look it up before you use it"
    return Installed(
        name=source.name,
        label=source.label,
        size=header.size,
        sha256=checksum,
        license=license,
        source=source.address,
        context=header.context,
        kv_bytes=header.kv_bytes,
        warning=warning,
    )
