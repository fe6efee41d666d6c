"""Corpora: folders of texts by name, and their texts in chunks that know their source and span."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.core.errors import ConfigError, InputError, NotFoundError

# The corpus that is built in, and its folder.
RACING = "racing"
RACING_FOLDER = Path(__file__).resolve().parents[2] / "racing"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
# A corpus becomes a command of its name, so it may not have the name of another command.
_OURS = "adventure,ask,compare,facts,finetune,help,privacy,rewrite,sentiment,settings,translate,trick,usage"
TAKEN = frozenset(_OURS.split(","))
SUFFIXES = (".txt", ".md")
# Characters of a chunk, about 1,500 tokens of English: small models still use all of it.
CHUNK = 6_000
# Bytes of a text, and texts of a corpus, that are read.
MAX_TEXT = 16 * 1024 * 1024
MAX_TEXTS = 5_000
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])[\"'”’)」]*\s*")
_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a source; `start` and `end` count its characters."""

    source: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of texts under a name."""

    name: str
    folder: Path

    def files(self) -> tuple[list[Path], list[str]]:
        """The texts in order, and the names of the files that are skipped.

        Raises `InputError` if the folder does not exist or contains no text.
        """
        if not self.folder.is_dir():
            raise InputError("The corpus {corpus} has no folder: correct CORPORA.", corpus=self.name)
        inside = self.folder.resolve()
        texts: list[Path] = []
        skipped: list[str] = []
        for path in sorted(self.folder.rglob("*")):
            if not path.is_file() or any(part.startswith(".") for part in path.relative_to(self.folder).parts):
                continue
            # A link out of the folder may lead to private files.
            fits = path.suffix.lower() in SUFFIXES and path.resolve().is_relative_to(inside)
            if fits and path.stat().st_size <= MAX_TEXT and len(texts) < MAX_TEXTS:
                texts.append(path)
            elif path.suffix != ".jsonl":
                skipped.append(self.source_of(path))
        if not texts:
            raise InputError("The folder of the corpus {corpus} contains no .txt or .md file.", corpus=self.name)
        return texts, skipped

    def source_of(self, path: Path) -> str:
        """The name of a text in rows: its path below the folder."""
        return path.relative_to(self.folder).as_posix()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each source with its text, read one at a time; files that are not in UTF-8 are left out."""
        for path in self.files()[0]:
            text = _read(path)
            if text is not None:
                yield self.source_of(path), text

    def unreadable(self) -> list[str]:
        """The names of the texts that are not in UTF-8."""
        return [self.source_of(path) for path in self.files()[0] if _read(path) is None]

    def chunks(self) -> Iterator[Chunk]:
        """All texts in chunks, in order."""
        for source, text in self.texts():
            yield from chunks_of(source, text)

    def fingerprint(self) -> str:
        """Equal for equal texts under equal names."""
        seen = hashlib.sha256()
        for source, text in self.texts():
            seen.update(f"{source}\x1f{hashlib.sha256(text.encode()).hexdigest()}\n".encode())
        return seen.hexdigest()

    def shipped(self, name: str) -> Path | None:
        """The file `name` (`questions.jsonl`, `heldout.jsonl` or `draft.jsonl`) in the folder of the texts, or None."""
        path = self.folder / name
        return path if path.is_file() else None


class Corpora:
    """The corpora of the settings, and the racing season that is built in."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """Raises `ConfigError` for a name that cannot be a command's."""
        for name in folders:
            if not NAME.fullmatch(name):
                raise ConfigError(
                    "CORPORA: {name!r} is not a valid name; use lower-case letters, digits and hyphens, up to 32.",
                    name=name,
                )
            if name in TAKEN or name == RACING:
                raise ConfigError("CORPORA: {name} is the name of something else here; choose another.", name=name)
        self._corpora = {RACING: Corpus(RACING, RACING_FOLDER)}
        self._corpora |= {name: Corpus(name, folder) for name, folder in folders.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, racing first."""
        return tuple(self._corpora)

    def get(self, name: str) -> Corpus:
        """The corpus called `name`; raises `NotFoundError` that names those there are."""
        try:
            return self._corpora[name]
        except KeyError:
            raise NotFoundError(
                "There is no corpus {name}; there are: {names}.", name=name[:40], names=", ".join(self.names)
            ) from None


def chunks_of(source: str, text: str, size: int = CHUNK) -> Iterator[Chunk]:
    """`text` in chunks of whole paragraphs up to `size` characters; a longer paragraph is cut after a sentence."""
    begin, end = 0, 0
    for start, stop in _paragraphs(text, size):
        if end > begin and stop - begin > size:
            yield from _chunk(source, text, begin, end)
            begin = start
        end = stop
    yield from _chunk(source, text, begin, end)


def _chunk(source: str, text: str, start: int, end: int) -> Iterator[Chunk]:
    if text[start:end].strip():
        yield Chunk(source, start, end, text[start:end])


def _paragraphs(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Spans of paragraphs, none longer than `size`."""
    at = 0
    for match in _BLANK_LINE.finditer(text):
        yield from _pieces(text, at, match.start(), size)
        at = match.end()
    yield from _pieces(text, at, len(text), size)


def _pieces(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """The span cut into pieces: after the last sentence that fits, else at a space, else anywhere."""
    while end - start > size:
        window = text[start : start + size]
        ends = [match.end() for match in _SENTENCE_END.finditer(window) if match.end() > size // 2]
        cut = ends[-1] if ends else window.rfind(" ") + 1 or size
        yield start, start + cut
        start += cut
    yield start, end


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise InputError("{file} cannot be read: {reason}.", file=path.name, reason=error.strerror) from None
