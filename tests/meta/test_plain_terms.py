"""Code and documentation use standard terms: names that were replaced do not come back."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bot", "cogs", "migrations", "tests")
SOURCES = sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "Makefile", ROOT / ".env.example"]

# Paths of modules whose names were replaced.
MODULES = (
    "bot/core/speech.py",
    "bot/ui/hearing.py",
    "bot/ui/frames.py",
    "bot/ui/safe.py",
    "bot/ui/work.py",
    "bot/ui/edits.py",
    "bot/llm/filling.py",
    "bot/llm/asking.py",
    "bot/tuning/asking.py",
    "cogs/corpus/asking.py",
    "bot/llm/selecting.py",
    "bot/llm/stopping.py",
    "bot/llm/refusals.py",
    "bot/llm/replies.py",
    "bot/llm/library.py",
    "bot/server/desk.py",
    "bot/server/measuring.py",
    "bot/server/nearest.py",
    "bot/storage/marks.py",
    "bot/storage/writer.py",
    "bot/storage/quotes.py",
    "bot/storage/migrating.py",
    "bot/play/taking.py",
    "bot/play/moving.py",
    "bot/play/telling.py",
    "bot/play/words.py",
    "bot/play/shape.py",
    "bot/play/rights.py",
    "bot/tuning/purse.py",
    "bot/tuning/holdings.py",
    "bot/tuning/told.py",
    "bot/tuning/wire.py",
    "bot/tuning/follow.py",
    "bot/tuning/cards.py",
    "bot/engine/jobs/book.py",
    "bot/engine/jobs/settle.py",
    "bot/engine/jobs/tail.py",
    "bot/engine/jobs/child.py",
    "bot/engine/standin",
    "bot/cli/keeping.py",
    "bot/workshop.py",
    "bot/client.py",
    "bot/storytelling.py",
    "cogs/adventure/stage.py",
    "cogs/adventure/listening.py",
    "cogs/adventure/playing.py",
    "cogs/finetune/choosing.py",
    "cogs/finetune/following.py",
)
# Names that no identifier may have, with the term to use.
IDENTIFIERS = {
    "hear": "set_locale",
    "aloud": "guild_locale",
    "undress": "remove_buttons",
    "redress": "render_buttons",
    "Seat": "StoryState",
    "Ticket": "EnqueueResult",
    "Scene": "TurnView",
    "Quoted": "SourceMessage",
    "worded": "to_user_error",
    "ladder": "shot_selector",
    "rung": "shots",
    "rungs": "shots",
    "RUNGS": "SHOTS",
    "climb": "rerun",
    "unasked": "dry_run",
    "descent": "ancestors",
    "lessons_of": "training_pairs",
    "exam": "test set",
    "Holdings": "Datasets",
    "Purse": "Billing",
    "purse": "billing",
    "DeskTeller": "ModelGateway",
    "DeskPurse": "Billing",
    "PromptPurse": "Billing",
    "Teller": "ModelGateway",
    "Payer": "Caller",
    "Told": "Answer",
    "Workshop": "Providers",
    "desk": "gateway",
    "evened": "newton_schulz",
    "Spelling": "detokenizer",
    "Recipe": "AugmentConfig",
    "Town": "BotHarness",
    "open_town": "open_harness",
    "bakery": "simulated_tuning",
    "open_works": "open_tuning_harness",
    "GONE": "NOT_STORED",
    "SHOWN": "MAX_SHOWN",
    "JUDGED": "JUDGE_NAMES",
    "SEEK_INTERVAL": "LIST_INTERVAL",
    "WATCH_INTERVAL": "POLL_INTERVAL",
    "FILE_PATIENCE": "FILE_TIMEOUT",
    "STEP_PATIENCE": "STEP_TIMEOUT",
    "STORAGE_PATIENCE": "STORAGE_TIMEOUT",
    "KeptPrompt": "StoredPrompt",
    "SETTLING": "ERASURE_GRACE",
    "CLOCK_DOUBT": "MAX_CLOCK_JUMP",
    "ENOUGH": "MIN_WORDINGS",
    "SPARED": "HELD_OUT_PER_VALIDATION",
    "acknowledged_in_time": "store_first",
    "_Trouble": "_Failures",
    "COHERENT": "MIN_COHERENCE",
    "TEXT_NAMES": "TEXT_COLUMN_ENDINGS",
    "HEAD_WORDS": "MAX_HEADER_WORDS",
}
# Phrases of the replaced vocabulary, in comments, docstrings, messages and documentation.
PHRASES = re.compile(
    r"serve it no longer|no prompt stands behind|a picture of dust|on the dear side|to nobody but the database|"
    r"nobody to hear it|lie in the database|the commands and the ears|wants a push|rooms? of the house|"
    r"a spoilt model|walks the matrices|every step told once|with its price and its end|is its law\b|is the law of",
    re.IGNORECASE,
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("module", MODULES)
def test_a_replaced_module_name_is_not_used_again(module: str) -> None:
    place = ROOT / module
    # A folder may be left behind with compiled files by an earlier version.
    assert not (any(place.glob("*.py")) if place.is_dir() else place.exists())


def test_no_identifier_has_a_replaced_name() -> None:
    any_of_them = re.compile(rf"\b({'|'.join(IDENTIFIERS)})\b")
    found = [
        (name_of(path), token.start[0], token.string, IDENTIFIERS[token.string])
        for path in SOURCES
        if any_of_them.search(text := path.read_text(encoding="utf-8"))  # tokenizing takes a hundred times as long
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and token.string in IDENTIFIERS
    ]
    assert found == []


def test_no_text_has_a_replaced_phrase() -> None:
    found = [
        (name_of(path), match[0])
        for path in [*SOURCES, *TEXTS]
        if path != Path(__file__).resolve()
        for match in PHRASES.finditer(re.sub(r"\s+", " ", path.read_text(encoding="utf-8")))
    ]
    assert found == []
