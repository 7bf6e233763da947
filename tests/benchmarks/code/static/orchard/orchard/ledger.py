"""What was sold, by customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from . import VERSION, parse_price
from . import prices as p
from .util.log import note, timed

if TYPE_CHECKING:
    from .people import Customer


class Ledger:
    _books: ClassVar[dict[str, Ledger]] = {}

    def __init__(self):
        self.rows = []

    @classmethod
    def of(cls, customer: Customer) -> Ledger:
        if customer.name not in cls._books:
            cls._books[customer.name] = cls()
        return cls._books[customer.name]

    def write(self, fruit, price):
        self.rows.append((fruit, price))
        note(f"{fruit} for {price}")

    @timed
    def total(self):
        return p.total(parse_price(text) for _, text in self.rows)

    def header(self):
        return f"orchard {VERSION}, {len(self.rows)} rows"


async def publish(ledger: Ledger, sink):
    await sink.send(ledger.header())
    for row in ledger.rows:
        await sink.send(row)
