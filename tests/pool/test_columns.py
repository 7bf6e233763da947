"""The newest numbers read as columns are those of the SQL view; the stamp tells that something changed."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steelyard.core.errors import InputError
from steelyard.core.words import Status
from steelyard.pool import Pool
from steelyard.pool.schema import COLUMNS
from tests.pool.making import row

rows = st.builds(
    lambda case, who, metric, trial, run, at, status: row(
        case, contender=who, metric=metric, trial=trial, run=run, started_at=float(at), status=status,
        value=at if status is Status.OK else math.nan, error="" if status is Status.OK else f"{run} broke",
    ),
    st.integers(0, 2), st.sampled_from(["adder", "éa/\"'"]), st.sampled_from(["correct", "time"]),
    st.sampled_from([0, 1, 2**62]), st.sampled_from("abc"), st.integers(0, 4), st.sampled_from([Status.OK, Status.FAILED]),
)  # fmt: skip


def spelled(found: list[dict]) -> Counter:
    """Rows as text, so that NaN equals NaN."""
    return Counter(repr(sorted(r.items())) for r in found)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=25), st.integers(0, 25))
def test_the_newest_rows_are_those_of_the_view(tmp_path_factory: pytest.TempPathFactory, made: list, cut: int) -> None:
    with Pool(tmp_path_factory.mktemp("p") / "pool") as pool:
        pool.append(made[:cut])
        pool.flush()
        pool.append(made[cut:])  # these are read from the journal
        columns = [c for c in COLUMNS if c != "seed"]
        found = pool.newest("sums", columns).select(columns).to_pylist()
        names = ", ".join(f'"{c}"' for c in columns)
        assert spelled(found) == spelled(pool.query(f"SELECT {names} FROM latest").to_pylist())


def test_counts_add_up_from_parts_and_journal(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as pool:
        pool.append([row(0, run="a", started_at=5.0), row(1, run="a", started_at=9.0)])
        pool.flush()
        pool.append([row(2, run="a", started_at=7.0), row(3, run="b", benchmark="other")])
        found = Counter[tuple[str, str]]()
        for counted in pool.counts():
            found[counted["benchmark"], counted["run"]] += counted["rows"]
        assert found == {("sums", "a"): 3, ("other", "b"): 1}
        own = pool.counts("sums")
        assert (min(c["first"] for c in own), max(c["last"] for c in own)) == (5.0, 9.0)
        assert pool.counts("nothing") == []


def test_a_stamp_changes_with_its_benchmark_and_with_nothing_else(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as pool:
        pool.append([row(0)])
        pool.flush()
        everything, sums = pool.stamp(), pool.stamp("sums")
        assert (pool.stamp(), pool.stamp("sums")) == (everything, sums)
        pool.append([row(0, benchmark="other")])
        assert pool.stamp() != everything
        pool.flush()
        pool.append([row(1)])
        assert pool.stamp("sums") != sums


def test_a_question_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as pool:
        with pytest.raises(InputError, match=r"stopped after 0\.3 s"):
            pool.query("SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(100000) b", within_s=0.3)
        assert pool.query("SELECT 1", within_s=30.0).num_rows == 1
