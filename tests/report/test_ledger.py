"""The ledger: what has no numbers has no verdict, and timings are paired within a run only."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from steelyard import catalog
from steelyard.core.words import Measurement, Status
from steelyard.pool import Pool
from steelyard.report.comparing import comparison_of, estimate_of
from steelyard.report.html import build_page, papers, tally
from steelyard.report.ledger import judgements
from steelyard.report.results import load
from steelyard.weigh import Budget, weigh

CARD = """
name = "{name}"
kind = "benchmark"
title = "Race"
summary = "Sleeps."
track = "kernels"
interface = "kernel"
entry = "race_beam.bench:Race"
timing = {timing}
trials = 6

[[metrics]]
name = "time"
unit = "s"
direction = "lower"
kind = "duration"
primary = true
{claims}
"""
CLAIM = """
[[claims]]
id = "{id}"
says = "Fast is twice as fast."
source = "section 1"
metric = "time"
statistic = "ratio"
over = "geomean"
contender = "{contender}"
baseline = "race_beam.bench:slow"
expect = "baseline / contender >= 1.5"
scale = "as published"
"""
BENCH = """
import os, time
from steelyard.core.words import Case

class Race:
    def cases(self, data):
        return [Case("one", 1), Case("two", 2)]

    def measure(self, contender, case, trial):
        began = time.perf_counter()
        contender(case.payload)
        return {"time": time.perf_counter() - began}

def fast(x): time.sleep(0.004)
def slow(x): time.sleep(0.016)
def broken(x): raise ValueError("no such thing")
"""
FAST, SLOW = "race_beam.bench:fast", "race_beam.bench:slow"


@pytest.fixture
def race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The benchmark `race` with claims, in the catalog meanwhile; gives the folder that holds its package."""
    root = tmp_path / "site"
    claims = CLAIM.format(id="fast", contender=FAST) + CLAIM.format(id="broken", contender="race_beam.bench:broken")
    (root / "race_beam" / "cards").mkdir(parents=True)
    (root / "race_beam" / "__init__.py").touch()
    (root / "race_beam" / "bench.py").write_text(BENCH)
    (root / "race_beam" / "cards" / "race.toml").write_text(CARD.format(name="race", timing="true", claims=claims))
    info = root / "race_beam-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: race-beam\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[steelyard.cards]\nrace = race_beam.cards\n")
    monkeypatch.syspath_prepend(str(root))
    catalog.entries.cache_clear()
    yield root
    catalog.entries.cache_clear()
    for name in [m for m in sys.modules if m.startswith("race_beam")]:
        del sys.modules[name]


def judged(pool: Pool, claim: str = "fast", **options: object) -> dict[str, object]:
    (row,) = judgements(pool, ["race"], only=[claim], **options)  # type: ignore[arg-type]
    return row


def times(contender: str, run: str, seconds: list[float], begin: float) -> list[Measurement]:
    """One run's rounds of one contender on case `one`, by hand."""
    return [
        Measurement("race", "1", "one", contender, "time", s, "s", trial, run=run, started_at=begin + trial, machine="{}",
                    code_version="v")
        for trial, s in enumerate(seconds)
    ]  # fmt: skip


def test_a_claim_without_numbers_is_in_a_state_that_is_no_verdict(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        row = judged(pool)
    assert (row["state"], row["verdict"]) == ("not measured", "")
    assert "no measurements of race" in str(row["reason"])
    counts = {t["verdict"]: t["n"] for t in tally([row])}
    assert counts == {"holds": 0, "fails": 0, "undecided": 0, "out of reach": 0, "not measured": 1}
    assert papers([row])[0]["claims"][0]["state"] == "not measured"
    page = build_page([], [row], written=0.0, pool="mine")
    assert '<span class="verdict not-measured">' in page
    assert "no measurements of race" in page


def test_the_command_line_shows_the_state_counts_it_and_can_fail_on_it(race, tmp_path):
    with Pool(tmp_path / "pool"):
        pass
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
    command = [sys.executable, "-m", "steelyard", "claims", "race", "--no-measure", "--pool", str(tmp_path / "pool")]
    table = subprocess.run([*command, "--fail-on", "not measured"], capture_output=True, text=True, env=environment)
    assert table.returncode == 1
    assert "2 claims: 2 not measured" in table.stdout
    assert "undecided" not in table.stdout
    rows = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, env=environment).stdout)
    assert {(r["state"], r["verdict"]) for r in rows} == {("not measured", "")}
    wrong = subprocess.run([*command, "--fail-on", "unmeasured"], capture_output=True, text=True, env=environment)
    assert wrong.returncode == 2
    assert "not measured" in wrong.stderr


def test_contenders_timed_on_different_days_are_not_compared_until_they_are_measured_together(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        weigh("race", [FAST], pool=pool)
        weigh("race", [SLOW], pool=pool)
        apart = judged(pool)
        assert apart["state"] == "not measured"
        assert "never timed in one run" in str(apart["reason"])
        assert f'steelyard run race --with "{FAST}" --with "{SLOW}"' in str(apart["reason"])
        scores = load(pool, "race")
        note = comparison_of(scores, FAST, SLOW)
        assert note.n == 0
        assert "never timed in one run" in note.notes[0]
        assert estimate_of(scores, FAST).value == pytest.approx(0.004, rel=0.5), "each alone has its time all the same"
        together = judged(pool, measure=True)
        assert together["state"] == together["verdict"] == "holds"
        assert together["value"] == pytest.approx(4.0, rel=0.3)
        runs = {r["run"] for r in pool.query("SELECT DISTINCT run FROM measurements").to_pylist()}
        assert len(runs) == 3
        again = weigh("race", [FAST, SLOW], pool=pool)
        assert (again.measured, again.done) == ({}, 24), "a round that one run took whole is not taken again"


def test_a_later_run_of_one_side_does_not_part_a_pair(race, tmp_path):
    # By hand: in run A the ratio is 2 in every round. In run B, on a machine ten times slower that day, only `fast` ran.
    with Pool(tmp_path / "pool") as pool:
        pool.append(times(FAST, "A", [1.0, 1.1, 0.9, 1.0, 1.2, 0.8], 100.0))
        pool.append(times(SLOW, "A", [2.0, 2.2, 1.8, 2.0, 2.4, 1.6], 100.5))
        pool.append(times(FAST, "B", [10.0, 11.0, 9.0, 10.0, 12.0, 8.0], 900.0))
        row = judged(pool)
        scores = load(pool, "race")
        assert scores.values.shape == (2, 1, 12)
        assert comparison_of(scores, FAST, SLOW).estimate == pytest.approx(0.5)
    assert (row["verdict"], row["value"]) == ("holds", pytest.approx(2.0))


def test_numbers_taken_with_other_options_are_not_those_of_the_claim(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        rows = [*times(FAST, "A", [1.0, 1.1], 100.0), *times(SLOW, "A", [2.0, 2.2], 100.5)]
        pool.append([dataclasses.replace(row, benchmark_version="1[size=2]") for row in rows])
        assert judged(pool)["state"] == "not measured"


def test_one_round_of_times_decides_nothing(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        pool.append([*times(FAST, "A", [1.0], 100.0), *times(SLOW, "A", [2.0], 100.5)])
        row = judged(pool)
    assert (row["verdict"], row["value"]) == ("undecided", pytest.approx(2.0))
    assert "a single run is not a distribution" in str(row)


def test_rounds_cut_off_by_a_kill_are_left_out_of_the_pairs(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        pool.append(times(FAST, "A", [1.0, 1.0, 5.0], 100.0))
        pool.append(times(SLOW, "A", [3.0, 3.0], 100.5))  # killed before the third
        row = judged(pool)
    assert row["value"] == pytest.approx(3.0)


def test_a_contender_that_always_fails_is_not_measured_and_one_that_cannot_run_is_out_of_reach(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        failed = judged(pool, "broken", measure=True, time_s=60.0)
        assert failed["state"] == "not measured"
        assert "ValueError: no such thing" in str(failed["reason"])
    with Pool(tmp_path / "other") as pool:
        lost = times("race_beam.bench:broken", "A", [float("nan")], time.time())[0]
        pool.append([replace(lost, status=Status.UNSUPPORTED, error="this CPU has no AVX-512")])
        pool.append(times(SLOW, "A", [1.0], time.time()))
        row = judged(pool, "broken")
    assert (row["verdict"], row["reason"]) == ("out of reach", "race_beam.bench:broken: this CPU has no AVX-512")


def test_a_budget_of_time_still_leaves_whole_rounds(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        cut = weigh("race", [FAST, SLOW], pool=pool, budget=Budget(time_s=0.05))
        assert cut.left > 0
        rest = weigh("race", [FAST, SLOW], pool=pool)
        assert rest.done % 2 == 0
        scores = load(pool, "race")
        assert scores.together([FAST, SLOW]).shape == (2, 2, 6)


def test_ctrl_c_ends_the_ledger_and_not_one_claim_of_it(race, tmp_path, monkeypatch):
    from steelyard.weigh.progress import Bar

    def impatient(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bar, "advance", impatient)
    with Pool(tmp_path / "pool") as pool:
        with pytest.raises(KeyboardInterrupt):
            judgements(pool, ["race"], measure=True)
        (count,) = pool.query("SELECT count(*) AS n FROM measurements").to_pylist()
    assert count["n"] == 1


def test_a_budget_of_time_is_for_all_claims_together(race, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        judgements(pool, ["race"])  # the catalog is read once
        first, second = judgements(pool, ["race"], measure=True, time_s=0.3)  # one claim's cells alone take more
        runs = pool.query("SELECT DISTINCT run FROM measurements").to_pylist()
    assert len(runs) == 1, "when the second claim's turn came, the time was up"
    assert second["state"] == "not measured"
    assert first["claim"] == "fast"


def test_what_was_measured_on_given_data_is_judged_without_naming_them_again(tmp_path: Path) -> None:
    data = tmp_path / "benchbench"
    shutil.copytree(catalog.find("benchbench").path.parent / "data", data)
    claim = ["unresolved-references"]
    with Pool(tmp_path / "pool") as pool:
        before = judgements(pool, ["benchbench"], only=claim)[0]
        assert before["state"] == "out of reach"
        assert "--data" in before["reason"]
        with_data = judgements(pool, ["benchbench"], only=claim, measure=True, data=str(data))[0]
        assert with_data["value"] == with_data["value"]
        nothing = judgements(pool, ["benchbench"], only=claim, data=str(tmp_path / "pool"))[0]
        assert nothing["state"] == "out of reach"
        assert "benchbench" in nothing["reason"]
        again = judgements(pool, ["benchbench"], only=claim)[0]
        assert (again["state"], again["value"]) == (with_data["state"], with_data["value"])
