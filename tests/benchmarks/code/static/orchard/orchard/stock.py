"""Crates of fruit."""

import typing as t
from collections import defaultdict

import orchard.prices
from orchard.prices import Price
from orchard.prices import parse_price as parse

from .people import Customer
from .util import log as journal


class Crate:
    capacity = 20

    def __init__(self, fruit: str, count: int = 0):
        self.fruit = fruit
        self.count = count

    def is_full(self) -> bool:
        return self.count >= self.capacity

    def fill(self, count):
        self.count = min(self.count + count, type(self).capacity)


class Stock:
    def __init__(self, owner: Customer):
        self.owner = owner
        self.crates: list[Crate] = []
        self._by_fruit = defaultdict(list)

    def add(self, fruit, count):
        crate = Crate(fruit, count)
        self.crates.append(crate)
        self._by_fruit[fruit].append(crate)
        journal.note(f"{self.owner.name}: {fruit}")

    def full(self):
        return [crate for crate in self.crates if crate.is_full()]

    def value(self, prices: t.Mapping[str, Price]) -> Price:
        result = Price.zero()
        for crate in self.crates:
            result += prices[crate.fruit]
        return result

    def biggest(self):
        def size(crate: Crate):
            return crate.count

        return max(self.crates, key=size)

    def label(self):
        return f"{self!r} of {self.owner}"

    def clear(self):
        self.crates = []
        self._by_fruit.clear()

    @staticmethod
    def cents(text):
        return parse(text).cents

    def sell(self, crate: Crate, price):
        from .ledger import Ledger

        book = Ledger.of(self.owner)
        book.write(crate.fruit, price)
        self.crates.remove(crate)

    def by_default(self, key):
        return getattr(self, key, None)


def merged(*stocks: Stock) -> Stock:
    result = Stock(stocks[0].owner)
    for stock in stocks:
        result.crates.extend(stock.crates)
    return result


def describe(thing):
    return orchard.prices.CURRENCY + str(thing)


def counter(start):
    count = start

    def advance(by=1):
        nonlocal count
        count += by
        return count

    return advance


def everyone(stocks: list[Stock]):
    return {stock.owner.name: len(stock.full()) for stock in stocks}
