"""Departures from a station over the day."""

from .network import NoWay


def clock(minutes):
    """Minutes since midnight as hh:mm; midnight starts again at 00:00."""
    hours, rest = divmod(minutes, 60)
    return f"{hours % 24:02d}:{rest:02d}"


def minutes_of(text):
    """hh:mm as minutes since midnight."""
    hours, _, minutes = text.partition(":")
    if not 0 <= int(minutes) < 60:
        raise ValueError(f"no time: {text}")
    return int(hours) * 60 + int(minutes)


class Timetable:
    def __init__(self, network, first="05:00", last="23:00", every=20):
        self.network = network
        self.first = minutes_of(first)
        self.last = minutes_of(last)
        self.every = every

    def departures(self, after="00:00", count=3):
        """The next departures at or after a time."""
        start = minutes_of(after)
        times = range(self.first, self.last + 1, self.every)
        return [clock(t) for t in times if t >= start][:count]

    def arrival(self, start, end, after):
        """When one arrives at the earliest."""
        leaving = self.departures(after, 1)
        if not leaving:
            raise NoWay(f"no train after {after}")
        minutes, _ = self.network.shortest(start, end)
        return clock(minutes_of(leaving[0]) + minutes)

    def table(self, stations):
        """A text with one row for each station: name and minutes from the first one."""
        rows = []
        width = max(len(name) for name in stations)
        for name in stations:
            minutes, _ = self.network.shortest(stations[0], name)
            rows.append(f"{name:<{width}} {minutes:>3}")
        return "\n".join(rows)
