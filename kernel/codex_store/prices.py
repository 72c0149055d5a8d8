"""What tokens cost, as the user's settings say it. There are no prices but those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from codex_protocol.token_usage import TokenUsage

_MILLION = 1_000_000
_Amount = Annotated[float, Meta(ge=0)]


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """The price of a million tokens of one model."""

    input: _Amount
    """Price of a million tokens of input that was not cached."""
    output: _Amount
    """Price of a million tokens of output, reasoning included."""
    cached_input: _Amount | None = None
    """Price of a million tokens of input from the provider's cache. Default: as `input`."""
    currency: Annotated[str, Meta(min_length=1, max_length=8)] = "USD"
    """What the amounts are in; only shown, never converted."""

    def of(self, usage: TokenUsage) -> float:
        """What these tokens cost."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = max(0, usage.input_tokens - usage.cached_input_tokens)
        return (fresh * self.input + usage.cached_input_tokens * cached + usage.output_tokens * self.output) / _MILLION


Prices = Mapping[str, Price]
"""By the model's name."""


class Cost(msgspec.Struct, frozen=True):
    """An amount of money, or that it is not known."""

    amount: float | None
    """None: a model without a price took part, or the prices are in several currencies."""
    currency: str = ""

    def __add__(self, other: Cost) -> Cost:
        """Both together; nothing is added to what is not known."""
        if self.amount is None or other.amount is None:
            return UNKNOWN
        if self.currency and other.currency and self.currency != other.currency:
            return UNKNOWN
        return Cost(self.amount + other.amount, self.currency or other.currency)

    def __str__(self) -> str:
        if self.amount is None:
            return "unknown"
        return f"{self.amount:.2f} {self.currency}" if self.amount >= 0.1 else f"{self.amount:.4f} {self.currency}"


UNKNOWN = Cost(None)
NOTHING = Cost(0.0)


def cost(model: str, usage: TokenUsage, prices: Prices) -> Cost:
    """What a response of that model cost."""
    price = prices.get(model)
    return UNKNOWN if price is None else Cost(price.of(usage), price.currency)
