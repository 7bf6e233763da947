"""Weighing: every cell is measured once or fails visibly, whatever a contender does."""

import time

import pytest

from steelyard.core.errors import InputError
from steelyard.core.words import Measurement, Status
from steelyard.pool import Pool
from steelyard.stats.claims import compile_where
from steelyard.weigh import Budget, weigh
from steelyard.weigh.plan import make_plan, order
from steelyard.weigh.progress import Silent
from tests.conftest import need


def rows(pool):
    return pool.query('SELECT contender, "case", trial, value, status, error FROM latest ORDER BY ALL').to_pylist()


def test_all_kinds_of_failure_become_rows_and_cost_nobody_else(toy, tmp_path):
    names = ["good", "nan", "raises", "crashes", "leaves", "exits", "hangs", "greedy"]
    budget = Budget(workers=2, cell_timeout_s=2.0, memory_bytes=2 << 30)
    with Pool(tmp_path / "pool") as pool:
        done = weigh("toy", [f"{toy}:{n}" for n in names], pool=pool, budget=budget, trials=1, limit=1)
        found = {r["contender"].rpartition(":")[2]: r for r in rows(pool)}
    assert found["good"]["value"] == 2.0
    assert {n: (found[n]["status"], found[n]["error"].split(":")[0]) for n in names[1:]} == {
        "nan": ("failed", "not a number"),
        "raises": ("failed", "ValueError"),
        "crashes": ("failed", "crashed"),
        "leaves": ("failed", "the process of the contender ended by itself (exit code 3)"),
        "exits": ("failed", "SystemExit"),
        "hangs": ("timeout", "no result within 2 s (--cell-timeout)"),
        "greedy": ("failed", "MemoryError"),
    }
    assert done.measured == {Status.OK: 1, Status.FAILED: 6, Status.TIMEOUT: 1}


def test_a_contender_that_exits_does_not_end_a_run_in_this_process(toy, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        done = weigh("toy", [f"{toy}:exits", f"{toy}:good"], pool=pool, trials=1, budget=Budget(workers=0))
    assert done.measured == {Status.FAILED: 4, Status.OK: 4}


def test_a_gate_taken_with_other_code_does_not_count(tmp_path):
    need("bwrap")
    plan, _ = make_plan("humaneval", ["gold"], limit=1)
    (case,) = plan.cases
    old = Measurement("humaneval", plan.version, case.id, "gold", plan.card.primary.name, 0.0, code_version="other code",
                      started_at=time.time() + 1000)  # fmt: skip
    with Pool(tmp_path / "pool") as pool:
        pool.append([old])
        assert weigh("humaneval", ["gold"], pool=pool, limit=1).excluded == {}


def test_what_the_pool_has_is_not_measured_again(toy, tmp_path):
    who = [f"{toy}:good", f"{toy}:raises"]
    with Pool(tmp_path / "pool") as pool:
        first = weigh("toy", who, pool=pool, budget=Budget(workers=1))
        again = weigh("toy", who, pool=pool, budget=Budget(workers=1))
        retried = weigh("toy", who, pool=pool, budget=Budget(workers=1, retry_failed=True))
        toy.write_text(toy.read_text().replace("2 * x", "3 * x"))
        changed = weigh("toy", who[:1], pool=pool, budget=Budget(workers=1))
    assert sum(first.measured.values()) == 16
    assert (again.measured, again.done) == ({}, 16)
    assert (retried.measured, retried.done) == ({Status.FAILED: 8}, 8)
    assert sum(changed.measured.values()) == 8, "new source means new numbers"


def test_limit_where_and_trials_choose_the_cells(toy, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        weigh("toy", [f"{toy}:good"], pool=pool, where=compile_where("size >= 2"), limit=2, trials=3,
              budget=Budget(workers=0))  # fmt: skip
        assert [(r["case"], r["trial"]) for r in rows(pool)] == [(c, t) for c in ("n2", "n3") for t in range(3)]
        with pytest.raises(InputError, match="no case is left"):
            weigh("toy", [f"{toy}:good"], pool=pool, where=compile_where("size > 99"))


def test_ctrl_c_keeps_what_was_measured_and_the_next_run_goes_on(toy, tmp_path):
    class Impatient(Silent):
        seen = 0

        def advance(self, *_):
            self.seen += 1
            if self.seen == 3:
                raise KeyboardInterrupt

    with Pool(tmp_path / "pool") as pool:
        done = weigh("toy", [f"{toy}:good"], pool=pool, progress=Impatient(), budget=Budget(workers=1))
        assert done.stopped
        assert done.left == 5
        more = weigh("toy", [f"{toy}:good"], pool=pool, budget=Budget(workers=1))
        assert (sum(more.measured.values()), more.done) == (5, 3)


def test_a_time_budget_is_kept_and_the_rest_is_told(toy, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        done = weigh("toy", [f"{toy}:slow"], pool=pool, trials=200, budget=Budget(workers=1, time_s=1.0))
    assert 0 < sum(done.measured.values()) < 800
    assert done.left == 800 - sum(done.measured.values())


def test_a_python_function_can_be_weighed(toy, tmp_path):
    with Pool(tmp_path / "pool") as pool:
        weigh("toy", {"mine": lambda x: 5 * x}, pool=pool)
        assert {r["value"] for r in rows(pool)} == {5.0, 10.0, 15.0, 20.0}


def test_timings_interleave_contenders_round_by_round(toy):
    plan, _ = make_plan("toy", [f"{toy}:good", f"{toy}:slow", f"{toy}:nan"], trials=2, limit=2)
    plan.card.__dict__["timing"] = True
    cells = [
        (c.case.id, c.trial, c.contender.rpartition(":")[2]) for c in order(plan, list(plan.contenders), plan.cases)
    ]
    assert cells[:6] == [
        ("n1", 0, "good"), ("n1", 0, "slow"), ("n1", 0, "nan"), ("n1", 1, "slow"), ("n1", 1, "nan"), ("n1", 1, "good"),
    ]  # fmt: skip
    assert [c[0] for c in cells] == ["n1"] * 6 + ["n2"] * 6


@pytest.mark.parametrize("bad", ["nothing.py:f", "{toy}:no_such_name", "unknown-name"])
def test_contenders_that_are_not_there_are_named(toy, tmp_path, bad):
    with Pool(tmp_path / "pool") as pool, pytest.raises(InputError):
        weigh("toy", [bad.format(toy=toy)], pool=pool)


def test_a_version_without_its_data_is_the_version_of_the_same_options() -> None:
    from steelyard.weigh.plan import without_data

    assert without_data("1") == "1"
    assert without_data("1[data=logs@0a1b2c3d]") == "1"
    assert without_data("1[profile=published,data=hf:some/name]") == "1[profile=published]"
    assert without_data("1[profile=published]") == "1[profile=published]"
