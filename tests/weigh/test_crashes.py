"""A run that is killed, runs out of disk or cannot write: nothing recorded is lost, and nothing is taken twice."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest

from steelyard import catalog
from steelyard.pool import Pool

CODE = """
import sys
from steelyard.pool import Pool, pool
from steelyard.weigh import Budget, weigh
from steelyard.weigh.progress import Silent
pool.SEAL_BYTES = 20_000  # so that kills land in sealing as well
class Telling(Silent):
    def advance(self, contender, case, status):
        print(contender.rpartition(":")[2], case, flush=True)
place, trials, *who = sys.argv[1:]
with Pool(place) as store:
    print("open", flush=True)
    done = weigh("toy", who, pool=store, trials=int(trials), budget=Budget(workers=2), progress=Telling())
print("end", done.done, flush=True)
"""


def start(place, trials, who):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CODE, str(place), str(trials), *who]
    return subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE, text=True)


def cells(place):
    """(run, contender, case, trial) of every row: one metric a cell."""
    with Pool(place, readonly=True) as pool:
        found = pool.query('SELECT run, contender, "case", trial FROM measurements').to_pylist()
    return [(r["run"], r["contender"].rpartition(":")[2], r["case"], r["trial"]) for r in found]


@pytest.fixture(params=["quality", "timing"])
def kind(request, toy, tmp_path):
    card = next((tmp_path / "site" / "toy_beam" / "cards").rglob("card.toml"))
    if request.param == "timing":
        card.write_text(card.read_text().replace("trials = 2", "trials = 2\ntiming = true"))
        catalog.entries.cache_clear()
    return request.param


def test_ten_kills_lose_nothing_and_double_nothing(kind, toy, tmp_path):
    rng = random.Random(11)
    place, trials, who = tmp_path / "pool", 200, [f"{toy}:good", f"{toy}:brief"]
    cut = 0
    for _ in range(10):
        process = start(place, trials, who)
        assert process.stdout.readline() == "open\n"
        wait_for = rng.randrange(0, 60)  # a moment between the opening and the sixtieth cell, and a little later
        lines = []
        while len(lines) < wait_for and (line := process.stdout.readline()):
            lines.append(line)
        time.sleep(rng.uniform(0.0, 0.02))
        os.killpg(process.pid, signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        cut += not (lines and lines[-1].startswith("end"))
        found = cells(place)
        assert len(found) == len(set(found))
        told = sum(1 for line in lines if not line.startswith("end"))
        newest = max((run for run, *_ in found), default="")
        assert told <= sum(1 for run, *_ in found if run == newest), "what was told was in the pool before"
    assert cut == 10, "a run ended before it was killed: make it longer"
    process = start(place, trials, who)
    assert process.communicate(timeout=240)[0].splitlines()[-1].startswith("end")
    found = cells(place)
    grid = {(name, f"n{case}", trial) for name in ("good", "brief") for case in range(1, 5) for trial in range(trials)}
    assert {cell[1:] for cell in found} == grid
    if kind == "quality":
        assert len(found) == len(grid)
    else:  # a round that was cut is taken again, whole; a whole one is not
        rounds = {}
        for run, name, case, trial in found:
            rounds.setdefault((case, trial), {}).setdefault(run, set()).add(name)
        whole = [sum(len(names) == 2 for names in by_run.values()) for by_run in rounds.values()]
        assert set(whole) == {1}
        assert len(found) - len(grid) <= 10, "at most one cell a kill was taken in vain"
    assert Pool(place).check() == []
    assert start(place, trials, who).communicate()[0].splitlines()[-1] == f"end {len(grid)}"


def run(toy, place, *arguments, prefix=(), limit=None):
    command = [*prefix, sys.executable, "-m", "steelyard", "run", "toy", "--with", f"{toy}:good", "--pool", str(place),
               "--workers", "1", *arguments]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "400"}
    confine = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None
    return subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=confine, timeout=240)


def in_a_namespace(mount):
    """A command prefix that runs a program where `mount` was done; skips where this user may not."""
    prefix = ["unshare", "--mount", "--map-root-user", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("this user may not mount")
    return prefix


def one_error(done):
    """The one error of a run, and its cure."""
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("steelyard: ") == 1
    return done.stderr[done.stderr.index("steelyard: ") :]


def test_a_file_size_limit_ends_the_run_with_one_error_and_the_next_goes_on(toy, tmp_path):
    place = tmp_path / "pool"
    error = one_error(run(toy, place, "--trials", "50", limit=40_000))
    assert "no space left" in error
    assert "Free some space" in error
    kept = cells(place)
    assert 0 < len(kept) < 200
    done = run(toy, place, "--trials", "50")
    assert done.returncode == 0, done.stderr
    assert f"{200 - len(kept)} measured, {len(kept)} already in the pool" in done.stderr
    assert len(cells(place)) == len({c[1:] for c in cells(place)}) == 200
    assert Pool(place).check() == []


def test_a_full_disk_ends_the_run_with_one_error(toy, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    kept = tmp_path / "kept"
    prefix = in_a_namespace(f"mount -t tmpfs -o size=100k none {disk}")
    prefix[5] = prefix[5].replace('exec "$@"', f'{{ "$@"; code=$?; cp -r {disk}/pool {kept}; exit $code; }}')
    error = one_error(run(toy, disk / "pool", "--trials", "200", prefix=prefix))
    assert "no space left" in error
    before = cells(kept)
    assert 0 < len(before) < 800
    assert len(before) == len(set(before))
    done = run(toy, kept, "--trials", "200")
    assert f"{800 - len(before)} measured, {len(before)} already in the pool" in done.stderr


def test_a_pool_that_cannot_be_written_stops_the_run_before_anything_is_measured(toy, tmp_path):
    place = tmp_path / "pool"
    run(toy, place, "--trials", "1")
    before = cells(place)
    prefix = in_a_namespace(f"mount --bind {place} {place} && mount -o remount,bind,ro {place}")
    error = one_error(run(toy, place, "--trials", "2", prefix=prefix))
    assert "not writable" in error
    assert "--pool" in error
    assert cells(place) == before
