"""What the office does all day."""

from . import words
from .berth import Full, fee
from .words import checksum, shorten


class Office:
    def __init__(self, berths):
        self.berths = berths

    def place(self, name, length, draught, days):
        """Book the shortest berth that fits and is free on all days; its number, or None if there is none."""
        for berth in sorted(self.berths, key=lambda b: b.length):
            if not berth.fits(length, draught):
                continue
            try:
                berth.book(name, days)
            except Full:
                continue
            return berth.number
        return None

    def ticket(self, name, day):
        """A ticket: the slug of the name, the day and a check of both, joined by slashes."""
        slug = words.slug(name)
        return "/".join([slug, day, checksum([slug, day])])


def invoice(name, length, days):
    """One line of 30 characters: the name cut to 20, filled with dots, then the fee, right-aligned to 10."""
    return f"{shorten(name, 20):.<20}{fee(length, days):>10}"
