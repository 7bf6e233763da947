"""Prices and their sums."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from decimal import Decimal as D

from . import taxes
from .errors import *  # noqa: F403

CURRENCY = "EUR"
_SIGNS = {"€": "EUR", "$": "USD"}


@dataclass(frozen=True)
class Price:
    amount: D
    currency: str = CURRENCY

    @classmethod
    def zero(cls) -> Price:
        return cls(D(0))

    def __add__(self, other: Price) -> Price:
        if other.currency != self.currency:
            raise CurrencyMismatch(self.currency, other.currency)  # noqa: F405
        return Price(self.amount + other.amount, self.currency)

    def with_tax(self, country: str) -> Price:
        rate = taxes.rate_of(country)
        return Price(taxes.rounded(self.amount * (1 + rate)), self.currency)

    @property
    def cents(self) -> int:
        return int(self.amount * 100)

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"


def parse_price(text: str) -> Price:
    for sign, name in _SIGNS.items():
        if text.startswith(sign):
            return Price(D(text.removeprefix(sign)), name)
    try:
        return Price(D(text))
    except decimal.InvalidOperation as error:
        raise BadPrice(text) from error  # noqa: F405


def total(prices):
    return sum(prices, Price.zero())


def cheapest(prices: list[Price]) -> Price:
    return min(prices, key=lambda price: price.amount)
