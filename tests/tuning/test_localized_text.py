"""What lies in the database is said in the language of whoever reads it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.core.errors import InputError
from bot.core.i18n import N_, _, use_locale
from bot.tuning.checks import DUPLICATE, LEAK, check_file, check_pairs
from bot.tuning.jobs import STATUSES
from bot.tuning.localized_text import localize, serialize, serialize_error
from bot.tuning.profiles import PROFILES
from bot.tuning.rows import read_rows
from tests.tuning.conftest import row
from tests.tuning.test_checker import lines

PAIRS = read_rows(lines([row("Who bakes?", "Baker 3", "who")] * 1_300)).pairs


def test_a_finding_is_worded_when_it_is_read() -> None:
    (finding,) = [found for found in check_pairs(PAIRS, {}).findings if found.kind == DUPLICATE]
    assert finding.sentence == "Lines 1, 2, 3, 4, 5, 6 and 1,294 more are the same pair."
    with use_locale("de"):
        assert "1.294" in finding.sentence


def test_an_error_is_kept_with_its_values() -> None:
    note = serialize(
        N_("The model was not scored: {why}"), why=serialize_error(InputError("{n:,} tokens are left.", n=1_500))
    )
    assert localize(note) == "The model was not scored: 1,500 tokens are left."
    with use_locale("de"):
        assert "1.500" in localize(note)


def test_an_error_whose_values_cannot_be_kept_is_kept_as_it_reads() -> None:
    frees = InputError("It frees up at {when:%H:%M}.", when=datetime(2026, 11, 22, 7, 30, tzinfo=UTC))
    assert localize(serialize_error(frees)) == "It frees up at 07:30."


def test_what_others_wrote_stands_as_it_is() -> None:
    assert localize("The data has {braces}.") == "The data has {braces}."


def test_one_row_is_said_as_one_in_every_language() -> None:
    report = check_file(lines([row("Who bakes?", "Baker 3", "who")]), title="bakers")
    assert report.text.startswith("bakers: 1 row, ")
    with use_locale("de"):
        assert report.text.startswith("bakers: 1 Zeile, ")
    with use_locale("fr"):
        assert report.text.startswith("bakers\u00a0: 1 ligne, ")


def test_a_held_out_question_that_is_trained_is_named_by_where_it_stands() -> None:
    one = lines([row("Who bakes?", "Baker 3", "who")])
    pairs = read_rows(one).pairs
    leaks = [found.sentence for found in check_file(one, held_out=pairs).findings if found.kind == LEAK]
    assert leaks == ["Line 1 has a held-out question: line 1 of the held-out file."]
    (leak,) = [
        found
        for found in check_pairs([*pairs, replace(pairs[0], line=7, role="held-out")], {}).findings
        if found.kind == LEAK
    ]
    assert leak.sentence == "Line 1 has the held-out question of line 7."


@pytest.mark.parametrize(
    ("language", "place", "head"),
    [
        ("en", "at the local engine", "The local engine: checking the files"),
        ("de", "bei der lokalen Engine", "Die lokale Engine: prüft die Dateien"),
        ("fr", "sur le moteur local", "Le moteur local\u00a0: vérifie les fichiers"),
    ],
)
def test_a_provider_is_named_as_its_place_in_the_sentence_wants(language: str, place: str, head: str) -> None:
    engine = PROFILES["engine"]
    with use_locale(language):
        assert _("**Lineage** {base}, tuned {place}", base="b", place=_(engine.at)).endswith(f" {place}")
        assert _("{provider}: {status}", provider=_(engine.title), status=_(STATUSES["validating_files"])) == head
