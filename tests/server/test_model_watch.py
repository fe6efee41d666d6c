"""When the tests of a server are due."""

from datetime import date

import pytest

from bot.server.model_watch import MAX_VERSIONS, Seen, Why, due, known

TODAY = date(2026, 11, 28)
LUNA = Seen("luna", "Luna", ("luna-1",))


@pytest.mark.parametrize(
    ("seen", "now", "why"),
    [
        (Seen("luna", "Luna", tuple(map(str, range(MAX_VERSIONS)))), Seen("luna", "Luna", ("luna-99",)), None),
        (None, LUNA, None),
        (LUNA, LUNA, None),
        (LUNA, Seen("luna", "Renamed", ("luna-1",)), None),
        (LUNA, Seen("mini", "Mini"), "model"),
        (LUNA, Seen("luna", "Luna", ("luna-2",)), "version"),
        (LUNA, Seen("luna", "Luna"), None),
        (Seen("luna", "Luna"), LUNA, None),
        (Seen("luna", "Luna", ("luna-1", "luna-2")), LUNA, None),
        (LUNA, Seen("luna", "Luna", last_day="2026-12-20"), "shutdown"),
        (LUNA, Seen("luna", "Luna", last_day="2026-11-01T00:00:00Z"), "shutdown"),
        (LUNA, Seen("luna", "Luna", last_day="2027-03-01"), None),
        (LUNA, Seen("luna", "Luna", last_day="soon"), None),
    ],
)
def test_tests_are_due_once_for_what_is_new(seen: Seen | None, now: Seen, why: Why | None) -> None:
    assert due(seen, now, TODAY) == why
    assert due(known(seen, now, why), now, TODAY) is None
