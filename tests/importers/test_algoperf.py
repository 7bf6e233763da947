"""AlgoPerf logs: a tree by its layout, with times to target worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steelyard.pool import Pool
from tests.importers.taking import bring, rows

TARGETS = {"benchmark_version": "0.5", "workloads": {
    "ogbg": {"target_metric_name": "mean_average_precision", "validation_target_value": 0.28},
    "criteo1tb": {"target_metric_name": "loss", "validation_target_value": 0.1237}}}  # fmt: skip
HEAD = "accumulated_submission_time,score,validation/{0},test/{0},global_step\n"


def log(root: Path, place: str, metric: str, evaluations: list[tuple[object, object, object]]) -> None:
    folder = root / place
    folder.mkdir(parents=True)
    body = "".join(f"{t},{t},{v},{w},{i}\n" for i, (t, v, w) in enumerate(evaluations))
    (folder / "eval_measurements.csv").write_text(HEAD.format(metric) + body)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "logs"
    ogbg, criteo = "mean_average_precision", "loss"
    log(
        root,
        "external_tuning/mine/study_0/ogbg_jax/trial_1",
        ogbg,
        [(10, 0.1, 0.2), (20.5, 0.28, 0.25), (30, 0.3, 0.27)],
    )
    log(root, "external_tuning/mine/study_0/ogbg_jax/trial_2", ogbg, [(10, 0.1, 0.2), (20, 0.2, 0.21)])
    log(root, "external_tuning/mine/study_1/ogbg_jax/trial_1", ogbg, [(10, "nan", ""), (40, 0.29, 0.26)])
    log(
        root,
        "external_tuning/mine/study_0/criteo1tb_jax/trial_1",
        criteo,
        [(5, 0.13, 0.14), (9, 0.1237, 0.1250), (12, 0.125, 0.1)],
    )
    log(root, "external_tuning/mine/study_0/trial_1", ogbg, [(10, 0.9, 0.9)])
    (root / "workload_targets_v05.json").write_text(json.dumps(TARGETS))
    return root


def test_runs_are_judged_by_the_first_crossing_and_their_best_validation(tree: Path, tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, tree)
        times = rows(
            pool, "SELECT \"case\", trial, seed, value, status FROM latest WHERE metric = 'time_to_target' ORDER BY ALL"
        )
        assert [repr(t) for t in times] == [
            repr(t) for t in [
                ("criteo1tb", 0, 0, 9.0, "ok"), ("ogbg", 0, 0, 20.5, "ok"), ("ogbg", 1, 0, float("nan"), "failed"),
                ("ogbg", 5, 1, 40.0, "ok"),
            ]
        ]  # fmt: skip
        best = rows(
            pool, "SELECT metric, trial, value FROM latest WHERE starts_with(metric, 'validation') ORDER BY ALL"
        )
        assert best == [
            ("validation_loss", 0, 0.1237), ("validation_mean_average_precision", 0, 0.3),
            ("validation_mean_average_precision", 1, 0.2), ("validation_mean_average_precision", 5, 0.29),
        ]  # fmt: skip
        tests = rows(pool, "SELECT metric, trial, value FROM latest WHERE metric LIKE 'test%' ORDER BY ALL")
        assert tests[0] == ("test_loss", 0, 0.125)  # beside the best validation result, not the best test result
        assert [v for _, _, v in tests[1:]] == [0.27, 0.21, 0.26]
        assert rows(pool, "SELECT DISTINCT contender FROM latest") == [("mine[ruleset=external_tuning]",)]
        assert told.dropped == {"stray log": 1, "evaluation without a number": 1}
        [(error, artifacts)] = rows(pool, "SELECT error, artifacts FROM latest WHERE status = 'failed'")
        assert "0.28 was not reached in 2 evaluations (best 0.2)" in error
        assert len(pool.get_blob(json.loads(artifacts)["log"]).splitlines()) == 3


def test_without_targets_only_results_come_in(tree: Path, tmp_path: Path) -> None:
    (tree / "workload_targets_v05.json").unlink()
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, tree)
        assert "time_to_target" not in {m["metric"] for m in told.metrics}
        assert any("no time to target" in note for note in told.notes)
