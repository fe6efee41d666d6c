"""The prices of models: from PRICES_FILE, else from the package `genai-prices`. Local models are free."""

import asyncio
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from bot.core.errors import ConfigError
from bot.core.settings import LOCAL_SUFFIX, STAND_IN
from bot.llm.usage import Usage

# Models of the local engine, which run on this machine.
LOCAL = (STAND_IN, "pocket-gpt")
# `ft:BASE:local:…`, as the local engine names what it tunes; with OpenAI an organisation's name is in that place.
LOCALLY_TUNED = re.compile(r"ft:[^:]+:local:")
# A price with more digits before the point is a mistake, and the database could not count it.
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens. `cached` is the price of a prompt's tokens that came from a cache."""

    prompt: Decimal
    cached: Decimal
    completion: Decimal


FREE = Price(Decimal(0), Decimal(0), Decimal(0))


class Prices:
    """Finds the price of a model by its name, and keeps it. One for the process.

    `own` are the operator's prices, which come first. `addresses` are the servers of models: one model may have
    different prices at different providers.
    """

    def __init__(self, own: Mapping[str, Price] | None = None, addresses: Mapping[str, str] | None = None) -> None:
        self._own, self._addresses = own or {}, addresses or {}
        self._found: dict[str, Price | None] = {}

    async def load(self, models: Iterable[str]) -> None:
        """Find the prices of `models` in a thread: the first one takes the package's data into memory, about 0.2 s."""
        new = [model for model in models if model not in self._found]
        if new:
            await asyncio.to_thread(lambda: [self.of(model) for model in new])

    def of(self, model: str) -> Price | None:
        """The price of `model`; None where it is not known. On the event loop, `load` the model first."""
        if model not in self._found:
            self._found[model] = self._find(model)
        return self._found[model]

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """US dollars for `usage` on `model`; None where the price is not known."""
        price = self.of(model)
        if price is None:
            return None
        fresh = max(usage.prompt - usage.cached, 0)
        dollars = fresh * price.prompt + usage.cached * price.cached + usage.completion * price.completion
        return dollars / 1_000_000

    def _find(self, model: str) -> Price | None:
        own = max((name for name in self._own if _is_version(model, name)), key=len, default=None)
        if own is not None:
            return self._own[own]
        if (
            model.endswith(LOCAL_SUFFIX)
            or LOCALLY_TUNED.match(model)
            or any(_is_version(model, name) for name in LOCAL)
        ):
            return FREE
        return _listed(model, self._addresses.get(model))


def open_prices(file: Path | None, addresses: Mapping[str, str] | None = None) -> Prices:
    """Prices with those of PRICES_FILE, where it is set. Raises `ConfigError`."""
    if file is None:
        return Prices(addresses=addresses)
    try:
        entries = _FILE.validate_json(file.read_bytes())
    except ValidationError as error:
        problems = "; ".join(_problem(issue) for issue in error.errors(include_input=False, include_url=False)[:5])
        raise ConfigError("PRICES_FILE {file} cannot be used: {problems}.", file=file, problems=problems) from None
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ConfigError("PRICES_FILE {file} cannot be read: {reason}.", file=file, reason=reason) from None
    own = {
        name: Price(one.prompt, one.prompt if one.cached is None else one.cached, one.completion)
        for name, one in entries.items()
    }
    return Prices(own, addresses)


class _Entry(BaseModel, extra="forbid"):
    """A price in PRICES_FILE; without `cached`, a cache makes nothing cheaper."""

    prompt: Dollars
    completion: Dollars
    cached: Dollars | None = None


_FILE = TypeAdapter(dict[str, _Entry])


def _problem(issue: Any) -> str:
    place = ".".join(str(part) for part in issue["loc"])
    return f"{place}: {issue['msg']}" if place else issue["msg"]


def _listed(model: str, address: str | None) -> Price | None:
    """The price in the data of `genai-prices`: at the provider with this address, else at the one known for the model.

    Tuned models of OpenAI are in its list under names that belong to no provider by themselves. Where a long prompt has
    a price of its own (more than 200,000 tokens), the lower one is returned: the bot's prompts are shorter.
    """
    from genai_prices.data_snapshot import get_snapshot

    known = get_snapshot()
    places: list[tuple[str | None, str | None]] = [(None, address)] if address else []
    if ":" not in model or model.startswith("ft:"):  # `deepseek-r1:8b` is a name of Ollama's.
        places += [(None, None), ("openai", None)]
    for provider, url in places:
        try:
            _provider, found = known.find_provider_model(model, None, provider, url)
        except LookupError:
            continue
        listed = found.get_prices(datetime.now(UTC))
        prompt, completion = _base(listed.input_mtok), _base(listed.output_mtok)
        if prompt is None or completion is None:
            continue
        cached = _base(listed.cache_read_mtok)
        return Price(prompt, prompt if cached is None else cached, completion)
    return None


def _base(price: Any) -> Decimal | None:
    """A price without its steps for long prompts."""
    base: Decimal | None = getattr(price, "base", price)
    return base


def _is_version(model: str, name: str) -> bool:
    """Whether `model` is `name` itself, a dated version of it (`name-2026-…`), or tuned from it (`name:…`)."""
    rest = model.removeprefix(name)
    return rest != model and (not rest or rest[0] == ":" or rest[:3] == "-20")
