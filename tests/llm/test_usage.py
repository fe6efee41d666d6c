"""Prices are data with a date and a source, and apply to one model and its versions."""

from datetime import date
from decimal import Decimal

import pytest

from bot.llm.usage import PRICES, Usage, cost, price_of


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-6-luna", "gpt-6-luna"),
        ("gpt-6-luna-2026-10-01", "gpt-6-luna"),
        ("ft:gpt-4o-mini-2024-07-18:org::abc", "ft:gpt-4o-mini"),
        ("ft:pocket-gpt:local:racing:1", "ft:pocket-gpt"),
        ("gpt-6-lunatic", None),
        ("gpt-6-luna-pro", None),
        ("gpt-4o-mini", None),
        ("", None),
    ],
)
def test_a_model_has_the_price_of_its_own_name_and_versions_only(model: str, known: str | None) -> None:
    assert price_of(model) == (PRICES[known] if known else None)


def test_every_price_has_a_date_and_a_source() -> None:
    for price in PRICES.values():
        assert date.fromisoformat(price.as_of)
        assert price.source


def test_local_models_are_free_and_unknown_models_have_no_price() -> None:
    assert cost("stand-in", Usage(1_000, 0, 1_000)) == 0
    assert cost("somebodys-model", Usage(1_000, 0, 1_000)) is None


def test_more_cached_than_prompt_tokens_never_earns_money() -> None:
    assert cost("gpt-6-luna", Usage(prompt=10, cached=1_000_000)) == Decimal("0.01")


def test_usages_add_up_and_an_estimate_stays_one() -> None:
    assert Usage(1, 2, 3) + Usage(10, 20, 30, estimated=True) == Usage(11, 22, 33, estimated=True)
