"""The same plan on Ray: every cell once, failures as rows, rounds in order, quiet, and nothing left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Status
from steelyard.pool import Pool
from steelyard.weigh import Budget, weigh
from tests.conftest import need


@pytest.fixture
def ray(toy):
    """One local Ray for a whole test (starting it takes seconds): runs find it there and leave it there."""
    need("ray")
    from steelyard.weigh.cluster import Cluster

    cluster = Cluster("ray")
    yield cluster.ray
    cluster.close()
    assert not cluster.ray.is_initialized()


def rows(pool):
    return pool.query('SELECT contender, "case", trial, value, status, error FROM latest ORDER BY ALL').to_pylist()


def test_failures_become_rows_and_cost_nobody_else_and_the_next_run_takes_the_rest(ray, toy, tmp_path):
    from ray._common.usage.usage_lib import usage_stats_enabled

    assert not usage_stats_enabled(), "Ray must not phone home"
    names = ["good", "nan", "raises", "crashes", "leaves", "hangs", "greedy"]
    budget = Budget(cell_timeout_s=5.0, memory_bytes=2 << 30)
    with Pool(tmp_path / "pool") as pool:
        done = weigh("toy", [f"{toy}:{n}" for n in names], pool=pool, budget=budget, trials=1, limit=1, on="ray")
        found = {r["contender"].rpartition(":")[2]: r for r in rows(pool)}
        assert found["good"]["value"] == 2.0
        assert {n: (found[n]["status"], found[n]["error"].split(":")[0]) for n in names[1:]} == {
            "nan": ("failed", "not a number"),
            "raises": ("failed", "ValueError"),
            "crashes": ("failed", "crashed"),
            "leaves": ("failed", "crashed"),
            "hangs": ("timeout", "no result within 5 s (--cell-timeout)"),
            "greedy": ("failed", "MemoryError"),
        }
        assert done.measured == {Status.OK: 1, Status.FAILED: 5, Status.TIMEOUT: 1}
        more = weigh("toy", [f"{toy}:good"], pool=pool, trials=2, on="ray")
        assert (more.measured, more.done) == ({Status.OK: 7}, 1)
        assert {r["value"] for r in rows(pool) if r["status"] == "ok"} == {2.0, 4.0, 6.0, 8.0}
        with pytest.raises(InputError, match="Python objects are weighed in this process"):
            weigh("toy", {"mine": lambda x: x}, pool=pool, on="ray")
        with pytest.raises(InputError, match="no_such_name"):
            weigh("toy", [f"{toy}:no_such_name"], pool=pool, on="ray")


def test_timings_keep_their_order_on_one_worker_and_are_not_taken_twice(ray, toy, tmp_path):
    card = next((tmp_path / "site" / "toy_beam" / "cards").rglob("card.toml"))
    card.write_text(card.read_text().replace("trials = 2", "trials = 2\ntiming = true"))
    from steelyard import catalog
    from steelyard.probe import machine

    catalog.entries.cache_clear()
    who = [f"{toy}:good", f"{toy}:slow"]
    with Pool(tmp_path / "pool") as pool:
        done = weigh("toy", who, pool=pool, limit=2, on="ray")
        assert done.measured == {Status.OK: 8}
        taken = pool.query('SELECT "case", trial, contender, machine FROM latest ORDER BY started_at').to_pylist()
        again = weigh("toy", who, pool=pool, limit=2, on="ray")
        here = weigh("toy", who, pool=pool, limit=2)
    order = [(r["case"], r["trial"], r["contender"].rpartition(":")[2]) for r in taken]
    assert order == [
        ("n1", 0, "good"), ("n1", 0, "slow"), ("n1", 1, "slow"), ("n1", 1, "good"),
        ("n2", 0, "good"), ("n2", 0, "slow"), ("n2", 1, "slow"), ("n2", 1, "good"),
    ]  # fmt: skip
    assert {r["machine"] for r in taken} == {machine().to_json()}, "a local Ray is this machine"
    assert (again.measured, again.done) == (here.measured, here.done) == ({}, 8)


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "ray://no-such-host.invalid:10001"])
def test_an_address_where_nothing_is_says_so_at_once(toy, tmp_path, address):
    need("ray")
    began = time.monotonic()
    with Pool(tmp_path / "pool") as pool, pytest.raises(MissingError, match="no Ray cluster answers at ray://"):
        weigh("toy", [f"{toy}:good"], pool=pool, on=address)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("address", ["raymond", "ray://", "ray://host:port"])
def test_an_address_that_is_none_is_bad_input(toy, tmp_path, address):
    need("ray")
    with Pool(tmp_path / "pool") as pool, pytest.raises(InputError, match="Write ray, or ray://host:port"):
        weigh("toy", [f"{toy}:good"], pool=pool, on=address)


def run(toy, tmp_path, *arguments):
    command = [sys.executable, "-m", "steelyard", "run", "toy", "--pool", str(tmp_path / "pool"), *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                            start_new_session=True)  # fmt: skip


def left_running(session: int) -> list[str]:
    """The command lines of the processes that still live in a session."""
    listed = subprocess.run(["ps", "-o", "args=", "--sid", str(session)], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if "defunct" not in line]


def test_ctrl_c_keeps_what_was_measured_and_ray_says_nothing(toy, tmp_path):
    need("ray")
    arguments = ["--with", f"{toy}:crashes,{toy}:slow", "--trials", "150", "--json"]
    process = run(toy, tmp_path, *arguments, "--on", "ray")
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with Pool(tmp_path / "pool", readonly=True) as pool:
                if len([r for r in rows(pool) if r["status"] == "ok"]) >= 3:
                    break
        except MissingError:
            pass
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to every process of the group
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    (told,) = json.loads(out)
    assert told["not_measured"] > 0
    assert "steelyard" not in err
    assert [line for line in err.splitlines() if "ray" in line.lower()] == []
    for _ in range(50):
        if not left_running(process.pid):
            break
        time.sleep(0.2)
    assert left_running(process.pid) == []
    with Pool(tmp_path / "pool", readonly=True) as pool:
        before = len(rows(pool))
    arguments[3] = "2"
    out, err = run(toy, tmp_path, *arguments, "--workers", "1").communicate(timeout=200)
    with Pool(tmp_path / "pool", readonly=True) as pool:
        counts = pool.query(
            'SELECT contender, "case", trial, count(*) AS n FROM measurements GROUP BY ALL'
        ).to_pylist()  # fmt: skip
    assert before >= 3
    assert {r["n"] for r in counts} == {1}
