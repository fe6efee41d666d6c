"""What lies in the database is said in the language of whoever reads it."""

from datetime import UTC, datetime

from bot.core.errors import InputError
from bot.core.speech import N_, speaking
from bot.tuning.checks import between
from bot.tuning.told import kept, kept_error, told
from tests.tuning.test_checker import lines, read_rows, row

PAIRS = read_rows(lines([row("Who bakes?", "Baker 3", "who")] * 1_300)).pairs


def test_a_finding_is_worded_when_it_is_read() -> None:
    (finding,) = between.check(PAIRS)
    assert finding.sentence == "Lines 1, 2, 3, 4, 5, 6 and 1,294 more are the same pair."
    with speaking("de"):
        assert "1.294" in finding.sentence


def test_an_error_is_kept_with_its_values() -> None:
    note = kept(N_("The model was not scored: {why}"), why=kept_error(InputError("{n:,} tokens are left.", n=1_500)))
    assert told(note) == "The model was not scored: 1,500 tokens are left."
    with speaking("de"):
        assert "1.500" in told(note)


def test_an_error_whose_values_cannot_be_kept_is_kept_as_it_reads() -> None:
    frees = InputError("It frees up at {when:%H:%M}.", when=datetime(2026, 11, 22, 7, 30, tzinfo=UTC))
    assert told(kept_error(frees)) == "It frees up at 07:30."


def test_what_others_wrote_stands_as_it_is() -> None:
    assert told("The data has {braces}.") == "The data has {braces}."
