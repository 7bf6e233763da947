"""Performance profiles from the pool on an example worked by hand."""

import json
import math
import subprocess
import sys

import pytest

from steelyard.core.errors import InputError
from steelyard.core.words import Measurement, Status
from steelyard.pool import Pool
from steelyard.report.profiling import cost_of, costs, drawing, rows_of
from steelyard.report.results import card_of

# contender -> case -> seconds of two trials; None fails
TIMES = {"torch": {"a": 1.0, "b": 4.0, "c": 2.0}, "numpy": {"a": 2.0, "b": 2.0, "c": None}, "gold": {"a": 0.1}}


@pytest.fixture
def pool(tmp_path):
    with Pool(str(tmp_path / "pool")) as made:
        made.append(
            Measurement(
                "softmax", "1", case, who, "time", value if value is not None else math.nan, "s", trial=trial,
                status=Status.OK if value is not None else Status.FAILED, error="" if value else "crashed", started_at=1.0,
            )
            for who, cases in TIMES.items()
            for case, value in cases.items()
            for trial in range(2)
        )  # fmt: skip
        made.flush()
        yield made


def test_areas_by_hand(pool):
    found = costs(pool, "softmax")
    assert found.contenders == ["numpy", "torch"], "gates are no contenders"
    rows, profile = rows_of(found, limit=4.0)
    got = {r["contender"]: r for r in rows}
    # torch: ratios 1, 2, 1; numpy: 2, 1, failed; area of a ratio r is (4 - r) / 3
    assert got["torch"]["area"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert got["numpy"]["area"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert got["torch"]["fastest"] == pytest.approx(2 / 3)
    assert got["numpy"]["solved"] == pytest.approx(2 / 3)
    assert rows[0]["contender"] == "torch"
    assert all(r["low"] <= r["area"] <= r["high"] for r in rows)
    svg = drawing(profile, found.contenders, ["torch", "numpy"], 4.0, "a title")
    assert svg.startswith("<svg")
    assert "torch" in svg


def test_a_case_of_others_is_dropped_and_counted(pool):
    row = Measurement("softmax", "1", "d", "torch", "time", 1.0, "s", started_at=1.0)
    pool.append([row])
    pool.flush()
    assert costs(pool, "softmax").lost == 1
    assert costs(pool, "softmax", contenders=["torch"]).lost == 0


def test_what_cannot_be_profiled(pool):
    with pytest.raises(InputError, match="needs a cost; pass_at_1"):
        cost_of(card_of(pool, "humaneval"), "pass_at_1")
    with pytest.raises(InputError, match="unknown contender 'torhc'"):
        costs(pool, "softmax", contenders=["torhc"])


def test_the_command(pool, tmp_path):
    chart = tmp_path / "chart.svg"
    command = [
        sys.executable,
        "-m",
        "steelyard",
        "profile",
        "softmax",
        "--json",
        "--svg",
        str(chart),
        "--pool",
        pool.path,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cases"] == 3
    assert found["shares"]["torch"][-1] == 1
    assert chart.read_text().startswith("<svg")
    done = subprocess.run([*command, "--limit", "1"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "above 1" in done.stderr
