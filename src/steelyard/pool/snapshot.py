"""What the pool holds at this moment: sound parts and live journals, each row once; damage is told and set aside."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from steelyard.pool import journal, parts, reading
from steelyard.pool.schema import benchmark_of, folder, table_of
from steelyard.pool.store import Entry, Store
from steelyard.pool.trouble import PoolWarning, Problem, told

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

T = TypeVar("T")
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
        cache = {}
        for path in sorted(self.store.journals.glob("*" + journal.SUFFIX)):
            try:
                key = (path.name, path.stat().st_size)
                if key not in self._journals:
                    contents = journal.read(path)
                    self._journals[key] = table_of(contents.rows, contents.columns)
            except FileNotFoundError:  # sealed meanwhile
                continue
            cache[key] = tables[path.stem] = self._journals[key]
        self._journals = cache
        return tables

    def read(self, benchmarks: Iterable[str] | None, act: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `act` makes of a locked connection to a snapshot of the pool.

        Starts again where a compaction took parts away, or where a part turns out to be damaged inside.
        """
        import duckdb
        import pyarrow as pa

        of_the_query = (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.PermissionException)
        for _ in range(ATTEMPTS):
            with told(self.store.url, "listing it"):
                snapshot = self.snapshot(benchmarks)
            try:
                with reading.connect(self.store, snapshot, self.until) as con:
                    return act(con)
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
