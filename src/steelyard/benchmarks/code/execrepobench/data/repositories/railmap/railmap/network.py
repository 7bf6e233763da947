"""The network of all lines, and the shortest way through it."""

import heapq
from collections import defaultdict

from .lines import read_lines

CHANGE = 4


class NoWay(LookupError):
    pass


class Network:
    def __init__(self, lines):
        self.lines = lines
        self.neighbours = defaultdict(list)
        for line in lines.values():
            for a, b, minutes in line.legs():
                self.neighbours[a].append((b, minutes, line.name))
                self.neighbours[b].append((a, minutes, line.name))

    @classmethod
    def from_text(cls, text):
        return cls(read_lines(text))

    def stations(self):
        """All stations, in alphabetical order."""
        return sorted(self.neighbours)

    def lines_at(self, station):
        """The names of the lines that stop at a station."""
        return sorted({name for _, _, name in self.neighbours[station]})

    def crossings(self):
        """Stations where one can change."""
        return [s for s in self.stations() if len(self.lines_at(s)) > 1]

    def shortest(self, start, end):
        """(minutes, [(station, line), ...]) of the fastest way; each change costs extra."""
        if start not in self.neighbours or end not in self.neighbours:
            raise NoWay(f"no station {start if start not in self.neighbours else end}")
        queue = [(0, start, "", ())]
        seen = set()
        while queue:
            cost, here, line, way = heapq.heappop(queue)
            if here == end:
                return cost, list(way)
            if (here, line) in seen:
                continue
            seen.add((here, line))
            for there, minutes, name in self.neighbours[here]:
                extra = CHANGE if line and name != line else 0
                heapq.heappush(queue, (cost + minutes + extra, there, name, (*way, (there, name))))
        raise NoWay(f"no way from {start} to {end}")
