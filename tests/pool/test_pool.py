"""What goes in comes out; resume, the view of the latest, tables, artifacts, SQL that can do no harm, other places."""

from __future__ import annotations

import csv
import json
import math
import pickle
import subprocess
import sys
import tempfile
import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Measurement, Provenance, Status
from steelyard.pool import Pool, default_path, resume_key
from tests.pool.making import row

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
int64 = st.integers(-(2**63), 2**63 - 1)
measurements = st.builds(
    Measurement,
    benchmark=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=10),
    benchmark_version=text,
    case=text
    | st.sampled_from(["\n", "\r\n", "\x00", "NULL", "'; DROP TABLE latest", "\u2028", 'a,"b"', "é\U0001f600"]),
    contender=text,
    metric=text,
    value=st.floats(),
    trial=int64,
    seed=int64,
    status=st.sampled_from(Status),
    error=text,
    duration_s=st.floats(),
    provenance=st.sampled_from(Provenance),
    started_at=st.floats(),
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(params=["folder", "file://", "memory://"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory://":
        return f"memory://{uuid.uuid4()}/pool"
    return ("file://" if request.param == "file://" else "") + str(tmp_path / "pool")


def spelled(rows: list[dict[str, Any]]) -> list[str]:
    """Rows in an order and a spelling that can be compared (NaN equals NaN)."""
    return sorted(repr([(k, str(v) if isinstance(v, str) else v) for k, v in r.items()]) for r in rows)


@settings(deadline=None, max_examples=40)
@given(st.lists(measurements, max_size=8), st.booleans())
def test_rows_come_back_as_they_went_in(rows: list[Measurement], sealed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, Pool(folder + "/pool") as store:
        assert store.append(rows) == len(rows)
        if sealed:
            store.flush()
        expected = spelled([asdict(r) for r in rows])
        assert spelled(store.query("SELECT * FROM measurements").to_pylist()) == expected
        assert spelled(store.frame(latest=False).to_pylist()) == expected
        for r in rows:
            assert resume_key(r) in store.done(r.benchmark)


def test_every_place_takes_parts_merges_them_and_keeps_artifacts(place: str) -> None:
    with Pool(place) as store:
        for n in range(3):
            store.append([row(n)])
            store.flush()
        store.append([row(3)])
        info = store.info()
        assert (info.rows, info.parts, info.journal_rows) == (4, 3, 1)
        assert store.compact() == 2
        assert store.frame(columns=["case"], where="value >= 2").num_rows == 2
        key = store.put_blob("program\ud800")
        assert store.get_blob(key) == rb"program\ud800"
    again = Pool(place, readonly=True)
    assert again.query("SELECT sum(value) AS total FROM measurements").to_pylist() == [{"total": 6.0}]
    assert again.get_blob(key) == rb"program\ud800"
    assert {resume_key(row(n)) for n in range(4)} == again.done("sums")
    assert again.done("another") == set()


def test_a_torn_part_is_set_aside_at_a_remote_place_too() -> None:
    import fsspec

    place = f"memory://{uuid.uuid4()}"
    with Pool(place) as store:
        store.append([row(1), row(2, benchmark="other")])
    fs = fsspec.filesystem("memory")
    (torn,) = fs.glob(f"{place.removeprefix('memory:/')}/benchmark=sums/*")
    fs.pipe_file(torn, fs.cat_file(torn)[:-9])
    with pytest.warns(UserWarning, match="torn part"), Pool(place) as store:
        assert store.query("SELECT count(*) AS n FROM measurements").to_pylist() == [{"n": 1}]


def test_a_file_in_object_storage_is_put_whole_and_elsewhere_renamed(tmp_path: Path) -> None:
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    class Shared(LocalFileSystem):
        protocol = "sharetest"

    fsspec.register_implementation("sharetest", Shared, clobber=True)
    place = f"sharetest://{tmp_path}/pool"
    with Pool(place) as store:
        store.append([row(1)])
    with Pool(place) as store:
        assert store.info().rows == 1
    assert list((tmp_path / "pool" / "_tmp").iterdir()) == []


def test_a_remeasured_failure_is_superseded() -> None:
    failed = row(1, value=math.nan, status=Status.FAILED, error="crashed", metric="correct")
    with Pool(f"memory://{uuid.uuid4()}") as store:
        store.append([failed, row(2), row(3, value=math.nan, status=Status.UNSUPPORTED)])
        key = resume_key(failed)
        assert len(store.done("sums")) == 3
        assert store.done("sums", retry_failed=True) == {resume_key(row(2)), resume_key(row(3))}
        assert store.frame(where="status = 'failed'").num_rows == 1
        # The later run reports other metrics than the failed one did: the failure must go all the same.
        later = {"run": "second", "started_at": 2000.0}
        store.append([row(1, metric="time", value=5.0, **later), row(2, value=7.0, **later)])
        assert key in store.done("sums", retry_failed=True)
        latest = store.query("SELECT \"case\", metric, value FROM latest WHERE status = 'ok' ORDER BY ALL").to_pylist()
        assert [tuple(r.values()) for r in latest] == [("case-1", "time", 5.0), ("case-2", "correct", 7.0)]
        assert store.frame(where="status = 'failed'").num_rows == 0
        assert store.query("SELECT count(*) AS n FROM measurements").to_pylist() == [{"n": 5}]


def test_a_later_failure_stands_and_other_cells_stay_apart() -> None:
    with Pool(f"memory://{uuid.uuid4()}") as store:
        store.append(
            [row(1, started_at=1.0), row(1, started_at=1.0, trial=1), row(1, started_at=1.0, code_version="b")]
        )
        store.append([row(1, started_at=2.0, run="b", value=math.nan, status=Status.TIMEOUT)])
        found = store.query("SELECT trial, code_version, status FROM latest ORDER BY ALL").to_pylist()
        assert [tuple(r.values()) for r in found] == [(0, "", "timeout"), (0, "b", "ok"), (1, "", "ok")]
        assert len(store.done("sums")) == 3
        assert len(store.done("sums", retry_failed=True)) == 2


def test_timings_of_another_machine_do_not_count_as_done() -> None:
    with Pool(f"memory://{uuid.uuid4()}") as store:
        store.append(
            [row(1, machine="a"), row(1, machine="b", run="b", started_at=2e3, value=9.0), row(2, machine="b")]
        )
        assert {key.case for key in store.done("sums", machine="a")} == {"case-1"}
        assert store.frame(machine="a", columns=["value"]).to_pylist() == [{"value": 1.0}]
        assert store.frame(where="\"case\" = 'case-1'", columns=["value"]).to_pylist() == [{"value": 9.0}]


def test_a_frame_is_filtered_by_every_argument() -> None:
    rows = [
        row(1, benchmark=b, metric=m, contender=c, case_attributes=json.dumps({"size": s}), run=str(s), trial=s)
        for b in ("x", "y")
        for m in ("time", "correct")
        for c in ("p", "q[a=1]", "r")
        for s in (1, 2)
    ]
    with Pool(f"memory://{uuid.uuid4()}") as store:
        store.append(rows)
        assert store.frame().num_rows == 24
        assert store.frame(benchmark="x").num_rows == 12
        assert store.frame(["x", "y"], "time", ["p", "q[a=1]"]).num_rows == 8
        assert store.frame("x", "time", "p", where="CAST(case_attributes->>'size' AS INT) > 1").num_rows == 1
        assert store.frame(contender=[]).num_rows == 0
        assert pa.types.is_dictionary(store.frame(columns=["contender"]).schema.field("contender").type)
        with pytest.raises(InputError, match="unknown column nope"):
            store.frame(columns=["nope"])


def test_tables_get_defaults_and_the_same_key_adds_nothing_twice(tmp_path: Path) -> None:
    table = pa.table(
        {
            "benchmark": ["a", "a", "b"],
            "benchmark_version": ["1"] * 3,
            "case": pa.array(["1", "2", "3"]).dictionary_encode(),
            "contender": pa.array(["m"] * 3, pa.large_string()),
            "metric": ["correct"] * 3,
            "value": [1, None, 3],
            "error": ["", None, ""],
        }
    )
    with Pool(tmp_path / "pool") as store:
        assert store.append_table(table, key="results.csv") == 3
        assert store.append_table(table, key="results.csv") == 0
        assert store.compact() == 0
        assert store.append_table(table.slice(0, 2)) == 2
        assert store.compact() == 1
        assert store.append_table(table, key="results.csv") == 0
        first = store.query("SELECT * FROM measurements WHERE \"case\" = '3'").to_pylist()
        assert spelled(first) == spelled([asdict(Measurement("b", "1", "3", "m", "correct", 3.0))])
        (count,) = store.query(
            "SELECT count(*) AS n, count(*) FILTER (isnan(value)) AS m FROM measurements"
        ).to_pylist()
        assert count == {"n": 5, "m": 2}
        with pytest.raises(InputError, match="column metric missing; column points unknown"):
            store.append_table(table.rename_columns([*table.column_names[:4], "points", *table.column_names[5:]]))
        with pytest.raises(InputError, match="column value"):
            store.append_table(table.set_column(5, "value", pa.array(["x", "y", "z"])))
        with pytest.raises(InputError, match="column status: fine unknown"):
            store.append_table(table.append_column("status", pa.array(["ok", "fine", "ok"])))
        assert store.query("SELECT count(*) AS n FROM measurements").to_pylist() == [{"n": 5}]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"value": "high"}, "value is 'high'"),
        ({"trial": 1.5}, "trial is 1.5"),
        ({"seed": 2**63}, "whole number of 64 bits"),
        ({"error": None}, "error is None"),
        ({"status": "fine"}, "status is 'fine'"),
        ({"benchmark": ""}, "benchmark name '' is empty"),
        ({"benchmark": "x" * 300}, "too long"),
    ],
)
def test_a_row_that_cannot_be_kept_is_refused_at_once_with_all_its_fellows(changed: dict[str, Any], said: str) -> None:
    with Pool(f"memory://{uuid.uuid4()}") as store:
        with pytest.raises(InputError, match=said):
            store.append([row(1), row(2, **changed)])
        store.append([row(3)])
        assert store.info().rows == 1


def test_text_that_is_no_unicode_is_kept_readably() -> None:
    odd = row(1, error="output: \udcff", case="a\ud800")
    with Pool(f"memory://{uuid.uuid4()}") as store:
        store.append([odd])
        assert store.frame(columns=["error"]).to_pylist() == [{"error": r"output: \udcff"}]
        assert store.done("sums") == {resume_key(odd)}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{file}'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
        "SELECT 1; COPY (SELECT 1) TO '{file}'",
        "ATTACH '{file}.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "DROP VIEW latest",
        "DELETE FROM measurements",
        "SELECT * FROM secrets",
        "",
    ],
)
def test_sql_reaches_nothing_but_the_pool(sql: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    secrets = pa.table({"a": [1]})  # noqa: F841  DuckDB would find a Python variable by its name
    with Pool(tmp_path / "pool") as store:
        store.append([row(1)])
        store.flush()
        with pytest.raises(InputError, match="SQL"):
            store.query(sql.format(file=file))
    assert file.read_text() == "a,b\n1,2\n"
    assert not Path(f"{file}.db").exists()


def test_sql_cannot_overwrite_the_pool_itself(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as store:
        store.append([row(1)])
        store.flush()
        (part,) = (tmp_path / "pool").glob("benchmark=sums/*")
        before = part.read_bytes()
        with pytest.raises(InputError):
            store.query(f"EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO '{part}'")
        assert part.read_bytes() == before
        assert store.query("SELECT value FROM measurements WHERE contender = ?", ["adder"]).to_pylist() == [
            {"value": 1.0}
        ]
        with pytest.raises(InputError, match=r"(?s)SQL: .*valu.*Columns: benchmark,"):
            store.query("SELECT valu FROM measurements")


def test_exports_are_read_by_others(tmp_path: Path) -> None:
    rows = [row(1, error='a "quoted",\nline', value=0.1), row(2, value=math.nan, status=Status.FAILED)]
    with Pool(tmp_path / "pool") as store:
        store.append(rows)
        assert [store.export(tmp_path / f"out.{ending}") for ending in ("csv", "json", "parquet")] == [2, 2, 2]
        with (tmp_path / "out.csv").open(newline="") as file:
            first, second = csv.DictReader(file)
        assert (first["error"], float(first["value"]), second["value"]) == ('a "quoted",\nline', 0.1, "nan")
        loaded = json.loads((tmp_path / "out.json").read_text())
        assert [r["value"] for r in loaded] == [0.1, None]
        assert spelled(pq.read_table(tmp_path / "out.parquet").to_pylist()) == spelled([asdict(r) for r in rows])
        with pytest.raises(InputError, match="unknown export format 'xls'"):
            store.export(tmp_path / "out.xls")
        store.append([replace(rows[0], value=0.2, run="second", started_at=3e3)])
        assert store.export(tmp_path / "all", "csv") == 3
        assert store.export(tmp_path / "last", "csv", latest=True) == 2


def test_artifacts_are_kept_once_and_verified(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as store:
        key = store.put_blob(b"")
        assert key == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of nothing
        assert store.get_blob(key) == b""
        key = store.put_blob("x" * 100_000)
        assert store.put_blob(b"x" * 100_000) == key
        (file,) = (tmp_path / "pool").glob(f"_blobs/*/{key}*")
        assert file.stat().st_size < 1000
        assert store.check() == []
        file.write_bytes(file.read_bytes()[:-3])
        with pytest.raises(MissingError, match="damaged"):
            store.get_blob(key)
        assert [problem.kind for problem in store.check()] == ["blob"]
        with pytest.raises(MissingError, match="no artifact"):
            store.get_blob("0" * 64)
        with pytest.raises(InputError, match="no content hash"):
            store.get_blob("../../etc/passwd")


def test_check_tells_of_numbers_that_contradict_their_status() -> None:
    with Pool(f"memory://{uuid.uuid4()}") as store:
        store.append([row(1), row(2, value=math.nan), row(3, status=Status.FAILED)])
        assert [str(problem) for problem in store.check()] == [
            "row: benchmark sums: 2 rows where the status is ok and the value NaN, or the reverse"
        ]


def test_the_place_is_the_argument_else_the_environment_else_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEELYARD_POOL", str(tmp_path / "mine"))
    assert default_path() == str(tmp_path / "mine")
    assert Pool().store.url == str(tmp_path / "mine")
    monkeypatch.delenv("STEELYARD_POOL")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_path() == str(tmp_path / "data" / "steelyard" / "pool")


def test_a_place_that_is_no_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no pool at"):
        Pool(tmp_path / "none", readonly=True)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"not empty and holds no pool \(thesis.tex"):
        Pool(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        Pool(tmp_path / "thesis.tex")
    with pytest.raises(MissingError, match="nosuch"):
        Pool("nosuch://bucket/pool")
    with Pool(tmp_path / "new") as store:
        store.append([row(1)])
    (tmp_path / "new" / "steelyard-pool.json").write_text('{"format": 2}\n')
    with pytest.raises(InputError, match="newer steelyard"):
        Pool(tmp_path / "new")
    with pytest.raises(InputError, match="read only"):
        Pool(_fresh(tmp_path), readonly=True).append([row(1)])


def _fresh(tmp_path: Path) -> Path:
    Pool(tmp_path / "fresh").close()
    return tmp_path / "fresh"


def test_a_pool_travels_to_another_process(tmp_path: Path) -> None:
    store = pickle.loads(pickle.dumps(Pool(tmp_path / "pool")))
    store.append([row(1)])
    assert store.info().rows == 1


def test_importing_the_pool_imports_nothing_heavy() -> None:
    script = "import sys, steelyard.pool; print({'pyarrow', 'duckdb', 'numpy', 'fsspec'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
