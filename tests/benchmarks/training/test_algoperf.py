"""AlgoPerf on made-up logs: the readers, what is missing, and what bad logs do."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from steelyard.benchmarks.training.algoperf.benchmark import AlgoPerf
from steelyard.benchmarks.training.algoperf.gather import gather
from steelyard.benchmarks.training.algoperf.logs import read_logs
from steelyard.benchmarks.training.time_to_result.benchmark import TimeToResult
from steelyard.contenders.analysis.profile_score import ProfileScore
from steelyard.contenders.analysis.speedup_score import SpeedupScore
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Replay
from steelyard.core.words import Status

TARGETS = {
    "benchmark_version": "t",
    "base_workloads": ["a", "b"],
    "held_out_workloads": ["a_tanh"],
    "workloads": {
        "a": {"target_metric_name": "accuracy", "validation_target_value": 0.5, "max_runtime": 100},
        "a_tanh": {"target_metric_name": "accuracy", "validation_target_value": 0.5, "max_runtime": 100},
        "b": {"target_metric_name": "loss", "validation_target_value": 1.0, "max_runtime": 100},
    },
}
# (submission, workload, study, trial) -> evaluations (seconds, metric)
SLOW = [(10, 0.1), (20, 0.6)]
FAST = [(5, 0.4), (10, 0.5)]
RUNS = {
    ("x", "a", 0, 1): SLOW,
    ("y", "a", 0, 1): FAST,
    ("x", "a_tanh", 0, 1): FAST,
    ("y", "a_tanh", 0, 1): [(5, math.nan), (10, 0.2)],
    ("x", "b", 0, 1): [(4, 1.5), (8, 1.0)],
    ("y", "b", 0, 1): [(4, 1.5), (16, 0.9)],
}


def table(runs=RUNS, ruleset="external_tuning"):
    rows = [
        {"ruleset": ruleset, "submission": s, "study": k, "workload": w, "trial": t, "eval_index": i, "score_s": float(time),
         "validation_metric": float(value)}
        for (s, w, k, t), evaluations in runs.items()
        for i, (time, value) in enumerate(evaluations)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def folder(tmp_path, logs=None, targets=TARGETS):
    pq.write_table(table() if logs is None else logs, tmp_path / "eval_measurements.parquet")
    (tmp_path / "workload_targets.json").write_text(json.dumps(targets))
    return str(tmp_path)


def measured(bench, data):
    cases = bench.cases(data)
    return {(who, c.payload): bench.measure(Replay(who), c, 0).metrics for who in bench.runs.submissions for c in cases}


def test_two_submissions_by_hand(tmp_path):
    got = measured(AlgoPerf(), folder(tmp_path))
    # y reaches a first but misses its variant; on b it takes twice the time of x
    assert got["x", "a"]["time"] == 20
    assert got["y", "a"]["time"] == 10
    assert got["y", "a"]["lost_to_variant"] == 1
    assert got["y", "a"]["score"] == 0
    assert got["x", "a"]["score"] == 1
    assert got["y", "b"]["score"] == pytest.approx(2 / 3)
    off = measured(AlgoPerf(coupling=False), str(tmp_path))
    assert (off["y", "a"]["score"], off["x", "a"]["score"]) == pytest.approx((1, 2 / 3))


def test_a_table_a_csv_and_the_official_tree_give_the_same(tmp_path):
    expected = measured(AlgoPerf(), folder(tmp_path / "p" if (tmp_path / "p").mkdir() is None else tmp_path))
    (tmp_path / "c").mkdir()
    csv.write_csv(table(), tmp_path / "c" / "evaluations.csv")
    (tmp_path / "t").mkdir()
    for (s, w, k, t), evaluations in RUNS.items():
        place = tmp_path / "t" / "logs" / "external_tuning" / s / f"study_{k}" / f"{w}_jax" / f"trial_{t}"
        place.mkdir(parents=True)
        metric = TARGETS["workloads"][w]["target_metric_name"]
        lines = [f"score,global_step,validation/{metric}", *(f"{time},1,{value}" for time, value in evaluations)]
        (place / "eval_measurements.csv").write_text("\n".join(lines) + "\n")
    stray = tmp_path / "t" / "logs" / "study_0" / "trial_1"
    stray.mkdir(parents=True)
    (stray / "eval_measurements.csv").write_text("score\n1\n")
    for name in "ct":
        (tmp_path / name / "workload_targets.json").write_text(json.dumps(TARGETS))
        bench = AlgoPerf()
        assert measured(bench, str(tmp_path / name)) == expected
    assert any("stand in no study_N" in note for note in bench.notes)


def test_the_order_of_rows_does_not_matter(tmp_path):
    logs = table()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    backwards = logs.take(list(reversed(range(logs.num_rows))))
    assert measured(AlgoPerf(), folder(tmp_path / "a", logs)) == measured(AlgoPerf(), folder(tmp_path / "b", backwards))


def test_repeated_evaluations_and_backward_time_are_told(tmp_path):
    runs = dict(RUNS) | {("x", "a", 0, 1): [(10, 0.1), (9, 0.6)]}
    bench = AlgoPerf()
    got = measured(bench, folder(tmp_path, pa.concat_tables([table(runs), table(runs)])))
    assert got["x", "a"]["time"] == 9
    assert any("12 evaluations stand twice" in note for note in bench.notes)
    assert any("time runs backwards in 1 runs" in note for note in bench.notes)


def test_a_workload_without_logs_is_left_out_and_said(tmp_path):
    more = {**TARGETS, "base_workloads": ["a", "b", "c"]}
    more["workloads"] = {**TARGETS["workloads"], "c": {"target_metric_name": "ppl", "validation_target_value": 2.0}}
    bench = AlgoPerf()
    measured(bench, folder(tmp_path, targets=more))
    assert any("scored on 2 of 3 workloads: no log of c" in note for note in bench.notes)


def test_missing_trials_are_told_or_refused(tmp_path):
    runs = dict(RUNS) | {("x", "a", 0, 2): SLOW, ("x", "a", 1, 1): SLOW}
    data = folder(tmp_path, table(runs))
    bench = AlgoPerf()
    bench.cases(data)
    assert any("y on a: 1 of 2 studies" in note for note in bench.notes)
    with pytest.raises(InputError, match="logs are incomplete"):
        AlgoPerf(strict=True).cases(data)


def test_unknown_workloads_are_told(tmp_path):
    bench = AlgoPerf()
    measured(bench, folder(tmp_path, table(dict(RUNS) | {("x", "zoo", 0, 1): SLOW})))
    assert any("left out: zoo" in note for note in bench.notes)


def test_a_submission_of_the_other_ruleset_is_unsupported(tmp_path):
    bench = AlgoPerf()
    case = bench.cases(folder(tmp_path))[0]
    got = bench.measure(Replay("xx"), case, 0)
    assert got.status is Status.UNSUPPORTED
    assert "Did you mean x" in got.error or "Known: x, y" in got.error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"profile": "loud"}, "profile is 'loud'"),
        ({"rule": "mean"}, "rule is 'mean'"),
        ({"ruleset": "inner"}, "ruleset is 'inner'"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(InputError, match=words):
        AlgoPerf(**options)


def test_bad_folders(tmp_path):
    with pytest.raises(MissingError, match="is no folder"):
        read_logs(str(tmp_path / "no"))
    with pytest.raises(MissingError, match="workload_targets"):
        read_logs(str(tmp_path))
    (tmp_path / "workload_targets.json").write_text(json.dumps(TARGETS))
    with pytest.raises(MissingError, match="has no logs"):
        read_logs(str(tmp_path))
    pq.write_table(table().drop_columns(["trial"]), tmp_path / "logs.parquet")
    with pytest.raises(InputError, match=r"logs\.parquet: column 'trial' is missing"):
        read_logs(str(tmp_path))
    pq.write_table(table({("x", "zoo", 0, 1): SLOW}), tmp_path / "logs.parquet")
    with pytest.raises(InputError, match="no log is of a workload"):
        gather(read_logs(str(tmp_path)))
    (tmp_path / "workload_targets.json").write_text(json.dumps({"base_workloads": ["q"], "workloads": {}}))
    with pytest.raises(InputError, match="workload 'q' has no target"):
        read_logs(str(tmp_path))


def test_made_up_fragile_submission_loses_its_workloads_to_variants():
    bench = AlgoPerf()
    got = measured(bench, None)
    assert got["fragile", "digits"]["lost_to_variant"] == 1
    assert got["fragile", "graph"]["lost_to_variant"] == 1
    assert got["fragile", "blobs"]["lost_to_variant"] == 0
    total = {who: sum(m["score"] for (w, _), m in got.items() if w == who) for who in bench.runs.submissions}
    assert total["swift"] > total["baseline"] > total["slow"]


def test_scorers_on_two_submissions_by_hand(tmp_path):
    bench = TimeToResult(draws=50)
    cases = {c.id: c for c in bench.cases(folder(tmp_path))}
    x, y = (bench.measure(ProfileScore(), cases[f"external_tuning/{who}"], 0).metrics for who in "xy")
    assert (x["score"], y["score"]) == pytest.approx((1, 1 / 3))
    assert (x["rank"], y["rank"]) == (1, 2)
    assert y["leave_one_out"] == pytest.approx(0.5 - 1 / 3), "alone y would be best on b, and still lose a"
    assert x["low"] == x["high"] == 1
    assert "published_difference" not in x
    faster = bench.measure(SpeedupScore("x"), cases["external_tuning/y"], 0).metrics["score"]
    assert faster == pytest.approx(math.sqrt(20 / 10 * 8 / 16))
    assert bench.measure(ProfileScore(), cases["external_tuning/a_tanh"], 0).metrics["winner_changes"] == 1
    assert bench.measure(ProfileScore(), cases["external_tuning"], 0).metrics["tau"] == 1
    whole = bench.measure(ProfileScore(), cases["external_tuning"], 0).metrics
    assert whole["lead"] == pytest.approx(2 / 3)
    # one study a pair: resampling varies the workloads alone; a twice gives x 1 and y 0, b twice 1 and 2/3
    assert (whole["lead_low"], whole["lead_high"]) == pytest.approx((1 / 3, 1))
    assert whole["lead_separated"] == 1
    assert bench.measure(ProfileScore(), cases["external_tuning"], 7).metrics == {"tau": 1}, "a draw"
    even = bench.measure(ProfileScore(coupling=False), cases["external_tuning"], 0).metrics
    assert "tau" not in even, "both score (1 + 2/3) / 2: a tie has no order to compare"


def test_a_scorer_that_gives_nonsense(tmp_path):
    bench = TimeToResult(draws=2)
    case = bench.cases(folder(tmp_path))[0]
    with pytest.raises(InputError, match="no finite score for each of the 2"):
        bench.measure(lambda runs: [1.0], case, 0)
    with pytest.raises(InputError, match="Known: x, y"):
        bench.measure(SpeedupScore(), case, 0)
