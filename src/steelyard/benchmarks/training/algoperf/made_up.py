"""The small data of our own: made-up logs in the schema of the real ones, by this recipe."""

from __future__ import annotations

import numpy as np

from steelyard.benchmarks.training.algoperf.logs import Logs, read_targets

TARGETS = {
    "benchmark_version": "made-up",
    "base_workloads": ["digits", "blobs", "words", "graph"],
    "held_out_workloads": ["digits_tanh", "graph_wide"],
    "workloads": {
        "digits": {"target_metric_name": "accuracy", "validation_target_value": 0.9, "max_runtime": 120},
        "digits_tanh": {"target_metric_name": "accuracy", "validation_target_value": 0.9, "max_runtime": 120},
        "blobs": {"target_metric_name": "error_rate", "validation_target_value": 0.1, "max_runtime": 60},
        "words": {"target_metric_name": "ppl", "validation_target_value": 20.0, "max_runtime": 300},
        "graph": {"target_metric_name": "mean_average_precision", "validation_target_value": 0.3, "max_runtime": 200},
        "graph_wide": {
            "target_metric_name": "mean_average_precision",
            "validation_target_value": 0.3,
            "max_runtime": 200,
        },
    },
}
# submission -> how fast it is against the baseline, and on held-out variants; LUCK spreads the trials
SPEED = {"baseline": (1.0, 1.0), "swift": (1.6, 1.6), "fragile": (1.8, 0.2), "slow": (0.5, 0.5)}
LUCK = 0.3
EVALUATIONS = 12


def made_up() -> Logs:
    """Four submissions under external tuning (3 studies of 3 trials) and two that tune themselves (3 studies)."""
    import pyarrow as pa

    rng = np.random.default_rng(53)
    targets = read_targets(TARGETS, "made-up targets")
    rows = []
    for ruleset, names, trials in (("external_tuning", list(SPEED), 3), ("self_tuning", ["baseline", "swift"], 1)):
        for name in names:
            for workload, (goal, higher) in targets.goal.items():
                speed = SPEED[name][workload in targets.held_out]
                for study in range(3):
                    for trial in range(1, trials + 1):
                        needed = 0.6 * targets.budgets[workload] / speed * rng.lognormal(0, LUCK)
                        for index in range(EVALUATIONS):
                            time = targets.budgets[workload] * (index + 1) / EVALUATIONS
                            off = 0.5 * (needed - time) / needed * goal  # at the target when time = needed
                            value = goal - off if higher else goal + off
                            rows.append((ruleset, name, study, workload, trial, index, time, value))
    names = ["ruleset", "submission", "study", "workload", "trial", "eval_index", "score_s", "validation_metric"]
    return Logs(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), targets)
