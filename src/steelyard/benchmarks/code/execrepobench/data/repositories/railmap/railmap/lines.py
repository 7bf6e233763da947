"""Lines read from text: "red: Aford -3- Bexley -2- Caster"."""

import re
from dataclasses import dataclass

_LEG = re.compile(r"\s*-(\d+)-\s*")


@dataclass(frozen=True)
class Line:
    name: str
    stops: tuple
    minutes: tuple

    def legs(self):
        """(from, to, minutes) of each leg, in order."""
        return [(a, b, m) for a, b, m in zip(self.stops, self.stops[1:], self.minutes)]

    def duration(self, start, end):
        """Minutes from one stop to another, in either direction."""
        first, last = sorted((self.stops.index(start), self.stops.index(end)))
        return sum(self.minutes[first:last])


def read_line(text):
    """One line; a station may not stand twice in it."""
    name, _, rest = text.partition(":")
    parts = _LEG.split(rest.strip())
    stops, minutes = tuple(parts[::2]), tuple(int(m) for m in parts[1::2])
    if len(set(stops)) != len(stops):
        raise ValueError(f"a station stands twice in {name}")
    if len(stops) < 2:
        raise ValueError(f"{name} goes nowhere")
    return Line(name.strip(), stops, minutes)


def read_lines(text):
    """All lines of a text; empty ones and comments (;) are skipped."""
    found = {}
    for row in text.splitlines():
        row = row.partition(";")[0].strip()
        if not row:
            continue
        line = read_line(row)
        found[line.name] = line
    return found
