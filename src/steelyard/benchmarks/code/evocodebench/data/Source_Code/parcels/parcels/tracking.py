"""Where a parcel is: events as the carrier tells them."""

from parcels.rates import billed_grams

STATES = ("announced", "collected", "sorted", "delivered")


class Parcel:
    def __init__(self, number, grams):
        self.number = number
        self.grams = grams
        self.events = []

    def note(self, state):
        """Add an event. A state may be told twice, but none may come after a later one: ValueError; so is an unknown one."""
        if state not in STATES:
            raise ValueError(f"unknown state {state!r}")
        if self.events and STATES.index(state) < STATES.index(self.events[-1]):
            raise ValueError(f"{state} after {self.events[-1]}")
        self.events.append(state)

    def state(self):
        return self.events[-1] if self.events else STATES[0]

    def is_done(self):
        """Tell whether the parcel has been delivered, by its last event."""
        last = self.state()
        return last == STATES[-1]


def check_digit(number):
    """Return the check digit of a parcel's number (a text of digits).

    The digits are weighted 3, 1, 3, 1, ... from the right; the check digit makes their sum a multiple of ten.
    """
    total = 0
    for place, digit in enumerate(reversed(number)):
        total += int(digit) * (3 if place % 2 == 0 else 1)
    return (10 - total % 10) % 10


def load(parcels):
    """Return the billed grams of all parcels that are not delivered yet, together."""
    waiting = [parcel for parcel in parcels if not parcel.is_done()]
    return sum(billed_grams(parcel.grams) for parcel in waiting)
