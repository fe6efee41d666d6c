"""Stop sequences, in a whole text and in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.stop_sequences import StopFilter, truncate_at_stop


@given(st.text("abX", max_size=40), st.lists(st.text("abX", min_size=1, max_size=4), max_size=3), st.data())
def test_pieces_are_cut_where_the_whole_text_is(text: str, stops: list[str], data: st.DataObject) -> None:
    filter_, shown, rest = StopFilter(stops), "", text
    while rest and not filter_.stopped:
        size = data.draw(st.integers(1, len(rest)))
        shown += filter_.feed(rest[:size])
        rest = rest[size:]
    assert shown + filter_.flush() == truncate_at_stop(text, stops)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["one ", "two ", "three"], ["one ", "two ", "three"]),
        (["one E", "N", "D two"], ["one ", "", ""]),
        (["one E", "N", "ough"], ["one ", "", "ENough"]),
    ],
)
def test_only_text_that_may_begin_a_stop_sequence_is_withheld(pieces: list[str], shown: list[str]) -> None:
    stops = StopFilter(["END"])
    assert [stops.feed(piece) for piece in pieces] == shown
