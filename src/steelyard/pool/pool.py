"""The pool as its users see it: append, seal, resume, read, keep in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from steelyard.core.errors import InputError
from steelyard.core.words import Measurement
from steelyard.pool import blobs, cards, journal, parts, reading, selections
from steelyard.pool.schema import COLUMNS, COUNTED, ResumeKey, conform, folder, plain_row, table_of
from steelyard.pool.snapshot import Reader
from steelyard.pool.store import open_store
from steelyard.pool.trouble import Problem, told

if TYPE_CHECKING:
    import pyarrow as pa

    from steelyard.core.card import Card
    from steelyard.pool.upkeep import Info

SEAL_BYTES = 16 << 20  # a journal segment is sealed at this size, so that reading live journals stays quick


def default_path() -> str:
    """The pool's place: STEELYARD_POOL, else the user's data folder."""
    import platformdirs

    return os.environ.get("STEELYARD_POOL") or str(platformdirs.user_data_path("steelyard") / "pool")


class Pool:
    """Every measurement ever taken at one place: a folder, or any URL that fsspec opens (s3://, gs://, memory:// ...).

    path: the place; None means `default_path()`.
    until: read it as it was then (seconds since the epoch): without what was started later; such a pool is read only.
    readonly: only read (works on a pool that cannot be written). Otherwise the pool is made where it does not exist,
        journals of writers that died are sealed, and an unwritable place raises MissingError here.

    Any number of processes and threads may write and read at once. A Pool may be pickled, and used after a fork.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, readonly: bool = False, until: float | None = None
    ) -> None:
        self.path = os.fspath(path) if path is not None else default_path()
        self.until = until
        self.readonly = readonly = readonly or until is not None
        self.store = open_store(self.path, writing=not readonly)
        self._reader = Reader(self.store, tidy=not readonly, until=until)
        self._segment: journal.Segment | None = None
        self._begin_process()
        if not readonly:
            with told(self.store.url, "opening it for writing"):
                self._segment = journal.Segment(self.store.journals)
                self._recover()

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._segment = None
        self._frozen: list[journal.Segment] = []  # closed to appends, not yet sealed

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self.path, self.readonly, self.until)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def problems(self) -> list[Problem]:
        """The damage met so far by this Pool; each was also told as a PoolWarning."""
        return self._reader.problems

    # Writing

    def append(self, rows: Iterable[Measurement]) -> int:
        """Record `rows`, all or none; once it returns, no crash of this process loses them. Returns how many.

        Raises InputError for a row that cannot be stored, MissingError if the pool cannot take it (disk full).
        """
        plain = [plain_row(row) for row in rows]
        if not plain:
            return 0
        with self._writing("appending"):
            if self._segment is None:
                self._segment = journal.Segment(self.store.journals)
            self._segment.append(plain)
            if self._segment.size >= SEAL_BYTES:
                try:
                    self._seal()
                except OSError as error:  # these rows are safe in the journal: say so, and try again at the next seal
                    self._reader.report("not sealed", self._frozen[0].path.name, str(error))
        return len(plain)

    def append_table(self, table: pa.Table, key: str = "") -> int:
        """Record a table of measurements column by column, straight into parts. Returns the number of rows added.

        Missing columns get the defaults of Measurement; each benchmark's rows appear at once.
        key: names where the table came from (a file's hash, say): the same key adds nothing a second time.
        Raises InputError for columns or values that do not fit.
        """
        import hashlib

        import pyarrow.compute as pc

        table = conform(table)
        segment = f"key-{hashlib.sha256(key.encode()).hexdigest()[:32]}" if key else f"bulk-{os.urandom(12).hex()}"
        names = pc.unique(table["benchmark"]).to_pylist()
        made: list[tuple[Path, str, int]] = []
        with self._writing("writing a table"):
            for benchmark in names:
                name = f"{folder(benchmark)}/part-{segment}.parquet"
                if key and self._reader.held(benchmark, parts.stem(name)):
                    continue
                own = table if len(names) == 1 else table.filter(pc.equal(table["benchmark"], benchmark))
                made.append((parts.write(self.store, own, name), name, own.num_rows))
            for path, name, _ in made:
                self.store.place(path, name)
        return sum(count for *_, count in made)

    def flush(self) -> None:
        """Seal what was appended into parts. Raises MissingError if that fails; the journal then keeps it."""
        with self._writing("sealing its journal"):
            self._seal()

    def close(self) -> None:
        """Seal and release. The pool can still be read, and appended to again."""
        if not self.readonly:
            self.flush()

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        if self.readonly:
            raise InputError(f"pool {self.store.url} was opened to read only.", "Open it with Pool(path) to write.")
        if self._pid != os.getpid():  # after a fork the parent's journal is the parent's
            for segment in [self._segment, *self._frozen]:
                if segment:
                    segment.abandon()
            self._begin_process()
        with self._lock, told(self.store.url, doing):
            yield

    def _seal(self) -> None:
        if self._segment:
            # Frozen first: a segment that was sealed in part must not grow, or its new rows would be taken for old.
            self._frozen.append(self._segment)
            self._segment = None
        while self._frozen:
            segment = self._frozen[0]
            if segment.rows:
                segment.sync()
                self._seal_file(segment.path)
            segment.remove()
            self._frozen.pop(0)

    def _seal_file(self, path: Path) -> None:
        contents = journal.read(path)
        if contents.bad_lines:
            import shutil

            kept = self.store.scratch / f"{path.name}.damaged"
            shutil.copyfile(path, kept)
            self.store.place(kept, f"{parts.TORN}/{path.name}")
            self._reader.report(
                "torn record", path.name, f"{contents.bad_lines} damaged lines; a copy is in {parts.TORN}/"
            )
        if contents.torn_bytes:
            self._reader.report(
                "torn record", path.name, "the last append was cut short before it was acknowledged: dropped"
            )
        at = contents.columns.index("benchmark")
        by_benchmark: dict[str, list[list[Any]]] = {}
        for row in contents.rows:
            by_benchmark.setdefault(row[at], []).append(row)
        for benchmark, rows in by_benchmark.items():
            name = f"{folder(benchmark)}/part-{path.stem}.parquet"
            if not self._reader.held(benchmark, parts.stem(name)):
                self.store.place(parts.write(self.store, table_of(rows, contents.columns), name), name)

    def _recover(self) -> None:
        with journal.orphans(self.store.journals) as found:
            for path in found:
                if path.stat().st_size:
                    self._seal_file(path)
                path.unlink()

    # Artifacts

    def put_blob(self, data: bytes | str) -> str:
        """Keep an artifact (prompt, output, program, log) beside the table, once; its content hash (SHA-256, hex)."""
        with self._writing("storing an artifact"):
            return blobs.put_blob(
                self.store, data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
            )

    def get_blob(self, key: str) -> bytes:
        """The artifact with content hash `key`. Raises MissingError if it is not here or is damaged."""
        return blobs.get_blob(self.store, key)

    # Cards of imported benchmarks

    def put_card(self, card: Card) -> Card:
        """Keep the card of a benchmark that was imported; see pool.cards. Returns it joined to what was known."""
        with self._writing("storing a card"):
            return cards.put_card(self.store, card)

    def card(self, benchmark: str) -> Card | None:
        """The card of an imported benchmark; None where the pool has none."""
        return cards.get_card(self.store, benchmark)

    def cards(self) -> list[str]:
        """The imported benchmarks, by name."""
        return cards.names(self.store)

    # Saved selections of cases

    def put_selection(self, name: str, cases: Mapping[str, Sequence[str]], made: Mapping[str, Any]) -> None:
        """Keep a named list of cases (benchmark -> case ids) and how it was made; see pool.selections."""
        with self._writing("storing a selection"):
            selections.put_selection(self.store, name, cases, made)

    def selection(self, name: str) -> dict[str, set[str]]:
        """Benchmark -> case ids. Raises InputError with near names where the pool has no such selection."""
        return selections.get_selection(self.store, name)

    # Reading

    def done(self, benchmark: str, *, retry_failed: bool = False, machine: str | None = None) -> set[ResumeKey]:
        """The cells of `benchmark` that need not be measured again.

        retry_failed: leave out the cells whose latest status is failed or timeout.
        machine: count only what was measured on this machine (for timings).
        """
        filters = {"benchmark": benchmark, "machine": machine}
        sql, values = reading.filtered(filters, "", (*ResumeKey._fields, "status"), latest=retry_failed)
        sql = f"SELECT {reading.KEY} FROM ({sql}) GROUP BY ALL"
        if retry_failed:
            sql += " HAVING NOT bool_or(status IN ('failed', 'timeout'))"
        return self._reader.read(
            [benchmark], lambda con: set(map(ResumeKey._make, con.sql(sql, params=values).fetchall()))
        )

    def query(
        self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None, *, within_s: float | None = None,
        at_most: int | None = None,
    ) -> pa.Table:  # fmt: skip
        """The result of one SELECT over the views `measurements` (every row) and `latest` (no repeats).

        The SQL can reach nothing else: no file, no network, no setting. within_s: give up after so many seconds.
        at_most: the first rows only. Raises InputError for SQL that is refused or takes longer.
        """
        reading.select_only(sql)
        return self._reader.read(None, lambda con: reading.answer(con, sql, params, within_s, at_most))

    def frame(
        self,
        benchmark: str | Sequence[str] | None = None,
        metric: str | Sequence[str] | None = None,
        contender: str | Sequence[str] | None = None,
        machine: str | Sequence[str] | None = None,
        where: str = "",
        columns: Sequence[str] = COLUMNS,
        latest: bool = True,
    ) -> pa.Table:
        """The measurements that match, text dictionary-encoded.

        where: a condition in SQL, for instance "case_attributes->>'size' = '1024'".
        latest: one number for each cell and metric, the last one measured; False gives every row.
        """
        filters = {"benchmark": benchmark, "metric": metric, "contender": contender, "machine": machine}
        sql, values = reading.filtered(filters, where, columns, latest)
        reading.select_only(sql)
        wanted = [benchmark] if isinstance(benchmark, str) else benchmark
        return self._reader.read(
            wanted, lambda con: reading.encoded(con.sql(sql, params=values).to_arrow_reader(100_000))
        )

    def newest(self, benchmark: str, columns: Sequence[str] = COLUMNS, *, runs: bool = False) -> pa.Table:
        """The newest number of each cell and metric of `benchmark` (as the view `latest`), text dictionary-encoded.

        runs: and every number of earlier runs beside it (timings are compared within a run). Holds `columns` and those that tell cells apart; much faster than SQL where a pool is large.
        """
        return self._reader.newest(benchmark, columns, runs)

    def counts(self, benchmark: str | None = None) -> list[dict[str, Any]]:
        """Rows, first and last start (seconds since the epoch) by the columns COUNTED; parts are counted once.

        Repeats of a cell are counted, and a combination may stand in several entries.
        """
        names = (*COUNTED, "rows", "first", "last")
        return [dict(zip(names, row, strict=True)) for row in self._reader.counts(benchmark)]

    def stamp(self, benchmark: str | None = None) -> str:
        """A text that changes whenever the pool, or what it has of `benchmark`, does. Costs a listing."""
        with told(self.store.url, "listing it"):
            return self._reader.stamp(benchmark)

    def export(self, path: str | os.PathLike[str], format: str = "", *, latest: bool = False) -> int:
        """Write the measurements to the file `path`; returns the number of rows.

        format: csv, parquet or json (one array of objects; NaN and infinity become null); "" goes by the file's ending.
        """
        from steelyard.pool.export import export

        sql = "SELECT * FROM " + ("latest" if latest else "measurements")
        return self._reader.read(None, lambda con: export(con.sql(sql).to_arrow_reader(100_000), Path(path), format))

    # Keeping in order

    def info(self) -> Info:
        """What the pool holds, by benchmark."""
        from steelyard.pool import upkeep

        return upkeep.info(self._reader)

    def compact(self) -> int:
        """Merge the parts of each benchmark into one; returns the number of part files that are gone."""
        from steelyard.pool import upkeep

        with self._writing("compacting"):
            return upkeep.compact(self._reader)

    def check(self) -> list[Problem]:
        """Read everything and verify it; a pool opened for writing sets aside what is torn. Returns what was found."""
        from steelyard.pool import upkeep

        return upkeep.check(self._reader)


def _open(path: str, readonly: bool, until: float | None) -> Pool:
    return Pool(path, readonly=readonly, until=until)
