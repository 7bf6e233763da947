"""Berths, who lies there and what it costs."""

from dataclasses import dataclass, field

RATES = {10: 12, 15: 20, 25: 45}
LONGEST = 25
OPENING = range(6, 22)
_names = {}


class Full(Exception):
    pass


@dataclass
class Berth:
    number: int
    length: float
    depth: float
    bookings: dict = field(default_factory=dict)

    def fits(self, length, draught):
        """Whether a ship of this length and draught can lie here; half a metre must stay below its keel."""
        return length <= self.length and draught + 0.5 <= self.depth

    def free(self, days):
        """Those of the days on which the berth is not booked."""
        return [day for day in days if day not in self.bookings]

    def guest(self, name):
        """The sorted days that a guest has booked."""
        return sorted(day for day, who in self.bookings.items() if who == name)

    def book(self, name, days):
        """Book the days for a name. Raises Full, and books nothing, where one of them is taken."""
        if len(self.free(days)) < len(days):
            raise Full(f"berth {self.number} is taken")
        for day in days:
            self.bookings[day] = name


def fee(length, days):
    """What a ship pays: the rate of the first class that it fits into, times the days; a week costs six days."""
    if length > LONGEST:
        raise ValueError("no berth is that long")
    rate = next(rate for longest, rate in sorted(RATES.items()) if length <= longest)
    return rate * (days - days // 7)


def is_open(hour):
    """Whether the office is open at an hour of the day, given as any whole number of hours."""
    return hour % 24 in OPENING


def nickname(berth):
    """A berth's nickname, which is made once and kept: "north 1", "south 2", by odd and even numbers."""
    if berth.number not in _names:
        side = "north" if berth.number % 2 else "south"
        _names[berth.number] = f"{side} {berth.number}"
    return _names[berth.number]
