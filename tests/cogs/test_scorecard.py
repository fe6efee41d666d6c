"""The lines of a scorecard, as people read them."""

from bot.core.i18n import use_locale
from bot.tuning.scoring import HELD, Scorecard, ScoreLine
from cogs import _scorecard

CARD = Scorecard("ft:model", 0.0, (ScoreLine(HELD, 4, 0, 1, "ft:model"),))


def test_a_share_is_written_as_its_reader_writes_percentages() -> None:
    assert _scorecard.lines(CARD).startswith("**80%** ")
    with use_locale("de"):
        assert _scorecard.lines(CARD).startswith("**80\u00a0%** ")
