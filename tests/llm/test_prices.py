"""Prices come from PRICES_FILE, else from the list of `genai-prices`, and apply to one model and its versions."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot.core.errors import ConfigError
from bot.llm.prices import FREE, Price, Prices, open_prices
from bot.llm.usage import Usage

LUNA = Price(Decimal("0.1"), Decimal("0.01"), Decimal("0.5"))


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-6-luna", LUNA),
        ("gpt-6-luna-2026-10-01", LUNA),
        ("ft:gpt-4o-mini-2024-07-18:org::abc", Price(Decimal("0.3"), Decimal("0.3"), Decimal("1.2"))),
        ("ft:pocket-gpt:local:racing:1", FREE),
        ("Qwen3.5 2B (local)", FREE),
        ("stand-in", FREE),
        ("gpt-6-lunatic", None),
        ("gpt-6-luna-pro", None),
        ("deepseek-r1:8b", None),
        ("somebodys-model", None),
        ("", None),
    ],
)
def test_a_model_has_the_price_of_its_own_name_and_versions_only(model: str, known: Price | None) -> None:
    assert Prices().of(model) == known


def test_the_operators_prices_come_first_and_a_price_may_depend_on_the_provider(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"gpt-6-luna": {"prompt": 0.2, "completion": 1}, "mine": {"prompt": 0, "completion": 0}}')
    prices = open_prices(file, {"openai/gpt-4o": "https://openrouter.ai/api/v1"})
    assert prices.of("gpt-6-luna-2026-10-01") == Price(Decimal("0.2"), Decimal("0.2"), Decimal(1))
    assert prices.cost("mine", Usage(1_000, 0, 1_000)) == 0
    assert prices.of("openai/gpt-4o") == Price(Decimal("2.5"), Decimal("1.25"), Decimal(10))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prompt: 1", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"m": 1}', "m: "),
        ('{"m": {"prompt": -1, "completion": 1}}', "m.prompt: Input should be greater than or equal to 0"),
        ('{"m": {"prompt": 1}}', "m.completion: Field required"),
        ('{"m": {"prompt": 1, "completion": 1, "output": 1}}', "m.output: Extra inputs are not permitted"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(content: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError) as refusal:
        open_prices(file)
    assert f"PRICES_FILE {file} cannot be" in str(refusal.value)
    assert said in str(refusal.value)


def test_more_cached_than_prompt_tokens_never_earns_money() -> None:
    assert Prices().cost("gpt-6-luna", Usage(prompt=10, cached=1_000_000)) == Decimal("0.01")
