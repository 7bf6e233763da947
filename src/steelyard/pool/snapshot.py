"""What the pool holds at this moment: sound parts and live journals, each row once; damage is told and set aside."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from steelyard.pool import journal, parts, reading
from steelyard.pool.schema import CELL, COUNTED, benchmark_of, folder, table_of
from steelyard.pool.store import Entry, Store
from steelyard.pool.trouble import PoolWarning, Problem, told

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

T = TypeVar("T")
KEPT_ROWS = 2_000_000  # a larger table is read anew each time, not held in memory
ATTEMPTS = 5  # a compaction may take parts away between the listing and the reading


class Reader:
    """Lists and reads the parts and journals of one store.

    tidy: move torn parts into `_torn/` (else only leave them out). until: leave out what was started later.
    """

    def __init__(self, store: Store, *, tidy: bool, until: float | None = None) -> None:
        self.store = store
        self.until = until
        self.tidy = tidy
        self.problems: list[Problem] = []
        self._bad: set[tuple[str, str]] = set()
        self._footers: dict[Entry, parts.Part] = {}
        self._journals: dict[tuple[str, int], pa.Table] = {}
        self._counts: dict[parts.Part, list[tuple[Any, ...]]] = {}
        self._newest: tuple[tuple[str, ...], pa.Table] = ((), None)

    def report(self, kind: str, file: str, detail: str) -> None:
        """Note a problem and warn of it."""
        problem = Problem(kind, file, detail)
        self.problems.append(problem)
        warnings.warn(f"pool {self.store.url}: {problem}", PoolWarning, stacklevel=3)

    def set_aside(self, part: str, stamp: str, why: str) -> None:
        """Leave a torn part out from now on, and move it into `_torn/` where the pool is open for writing."""
        self._bad.add((part, stamp))
        to = f"{parts.TORN}/{part.replace('/', '~')}"
        if self.tidy:
            self.store.move(part, to)
        what = f"set aside as {to}" if self.tidy else "left out (opened to read only)"
        self.report("torn part", part, f"{why}; {what}; its cells will be measured again")

    def sound(self, entries: Iterable[Entry]) -> list[parts.Part]:
        """The parts among `entries` whose footers can be read; the others are set aside."""
        found = []
        for entry in entries:
            if not entry.name.endswith(".parquet") or (entry.name, entry.stamp) in self._bad:
                continue
            if entry not in self._footers:
                try:
                    self._footers[entry] = parts.inspect(self.store, entry)
                except ValueError as error:
                    self.set_aside(entry.name, entry.stamp, str(error))
                    continue
            found.append(self._footers[entry])
        return found

    def parts_of(self, place: str) -> tuple[list[parts.Part], list[parts.Part]]:
        """(the parts to read, the left-over ones) of the folder `place`."""
        for _ in range(ATTEMPTS):
            try:
                return parts.current(self.sound(self.store.files(place)))
            except FileNotFoundError:
                continue
        raise FileNotFoundError(f"{place}: files keep vanishing while they are listed")

    def held(self, benchmark: str, stem: str) -> bool:
        """Whether a sound part of `benchmark` has the rows of `stem`."""
        # Only that part and merged ones can: the rest need not be opened.
        for _ in range(ATTEMPTS):
            entries = [
                e for e in self.store.files(folder(benchmark)) if "/merged-" in e.name or parts.stem(e.name) == stem
            ]
            try:
                return any(stem in part.holds for part in self.sound(entries))
            except FileNotFoundError:
                continue
        raise FileNotFoundError(f"{folder(benchmark)}: files keep vanishing while they are listed")

    def folders(self) -> list[str]:
        """The folders of parts, one for each benchmark."""
        return sorted(name for name in self.store.folders() if name.startswith("benchmark="))

    def snapshot(self, benchmarks: Iterable[str] | None = None) -> reading.Snapshot:
        """What the pool holds of `benchmarks` (None: of all)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        # Journals before parts: a segment sealed in between is then seen twice, which can be told, and never missed.
        segments = self._live_segments()
        places = self.folders() if benchmarks is None else sorted({folder(name) for name in benchmarks})
        found = {place: self.parts_of(place)[0] for place in places}
        tables = [table_of([])]
        for stem, table in segments.items():
            keep = []
            for name in pc.unique(table["benchmark"]).to_pylist():
                place = folder(name)
                wanted = benchmarks is None or place in found
                if wanted and not any(f"part-{stem}" in part.holds for part in found.get(place, [])):
                    keep.append(name)
            tables.append(
                table.filter(pc.is_in(table["benchmark"].cast(pa.string()), value_set=pa.array(keep, pa.string())))
            )
        return reading.Snapshot(tuple(p for listed in found.values() for p in listed), pa.concat_tables(tables))

    def _live_segments(self) -> dict[str, pa.Table]:
        tables = {}
        known, cache = self._journals, {}  # another thread may put its own in the place of what is known
        for path in sorted(self.store.journals.glob("*" + journal.SUFFIX)):
            try:
                key = (path.name, path.stat().st_size)
                if key not in known:
                    contents = journal.read(path)
                    known[key] = table_of(contents.rows, contents.columns)
            except FileNotFoundError:  # sealed meanwhile
                continue
            cache[key] = tables[path.stem] = known[key]
        self._journals = cache
        return tables

    def read(self, benchmarks: Iterable[str] | None, act: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `act` makes of a locked connection to a snapshot of the pool.

        Starts again where a compaction took parts away, or where a part turns out to be damaged inside.
        """

        def ask(snapshot: reading.Snapshot) -> T:
            with reading.connect(self.store, snapshot, self.until) as con:
                return act(con)

        return self.over(benchmarks, ask)

    def newest(self, benchmark: str, names: Iterable[str], runs: bool = False) -> pa.Table:
        """Columns of the newest number of each cell and metric of `benchmark`, text dictionary-encoded; see Pool.newest.

        Includes the columns that tell which one is the newest. The last table is kept while nothing changes.
        """
        from steelyard.pool import columns

        wanted = list(dict.fromkeys([*CELL, "status", "run", "started_at", *names]))
        key = (benchmark, self.stamp(benchmark), str(runs), *wanted)
        if self._newest[0] != key:
            made = self.over(
                [benchmark],
                lambda shot: columns.latest(columns.until(columns.read(self.store, shot, wanted), self.until), runs),
            )
            if made.num_rows > KEPT_ROWS:
                return made
            self._newest = (key, made)
        return self._newest[1]

    def counts(self, benchmark: str | None) -> list[tuple[Any, ...]]:
        """`columns.count` of every part and of the journals; a part that was counted once is not read again."""
        from steelyard.pool import columns

        names = [*COUNTED, "started_at"]

        def add(snapshot: reading.Snapshot) -> list[tuple[Any, ...]]:
            fresh = [part for part in snapshot.parts if part not in self._counts]
            for part in fresh:
                self._counts[part] = columns.count(
                    columns.until(columns.read_part(self.store, part, names), self.until)
                )
            waiting = columns.until(snapshot.journal.select(names).unify_dictionaries().combine_chunks(), self.until)
            return [row for part in snapshot.parts for row in self._counts[part]] + columns.count(waiting)

        return self.over([benchmark] if benchmark is not None else None, add)

    def stamp(self, benchmark: str | None = None) -> str:
        """Changes whenever the pool (or what it has of `benchmark`) does; costs a listing, no reading."""
        places = self.folders() if benchmark is None else [folder(benchmark)]
        seen = [(e.name, e.size, e.stamp) for place in places for e in self.store.files(place)]
        for path in self.store.journals.glob("*" + journal.SUFFIX):
            with suppress(FileNotFoundError):  # sealed meanwhile
                seen.append((path.name, path.stat().st_size, ""))
        return hashlib.sha256(repr(sorted(seen)).encode()).hexdigest()[:16]

    def over(self, benchmarks: Iterable[str] | None, act: Callable[[reading.Snapshot], T]) -> T:
        """What `act` makes of a snapshot; as `read`."""
        import duckdb
        import pyarrow as pa

        of_the_query = (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.PermissionException)
        for _ in range(ATTEMPTS):
            with told(self.store.url, "listing it"):
                snapshot = self.snapshot(benchmarks)
            try:
                return act(snapshot)
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                whole = all(self.store.exists(part.name) for part in snapshot.parts)
                if whole and (isinstance(error, of_the_query) or not self._set_aside_damaged(snapshot.parts)):
                    raise reading.sql_error(error) from error
        raise FileNotFoundError(f"pool {self.store.url}: parts keep vanishing while they are read")

    def _set_aside_damaged(self, listed: Iterable[parts.Part]) -> int:
        damaged = 0
        for part in listed:
            if why := parts.verify(self.store, part.name):
                self.set_aside(part.name, part.stamp, why)
                damaged += 1
        return damaged

    def benchmarks(self) -> list[str]:
        """The benchmarks that have parts."""
        return [benchmark_of(place) for place in self.folders()]
