"""Java references judged by the warm JVMs against one `javac` and one `java` (JUnit's console) a case: same verdicts, how much faster?

Usage: python benches/java.py [FOLDER of the official NaturalCodeBench files] [--limit N]
Each case is judged both ways, one after the other, so that the load of the machine hits both alike; the first case, which
starts the JVMs, counts too. Prints seconds of wall time and the ratio.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from steelyard.benchmarks.code.naturalcodebench import answers, judging
from steelyard.benchmarks.code.naturalcodebench.benchmark import NaturalCodeBench
from steelyard.benchmarks.code.naturalcodebench.problems import Problem
from steelyard.sandbox.languages import java

CONSOLE = [
    java.JARS / f"{name}.jar"
    for name in ("junit-platform-console", "junit-platform-reporting", "picocli", "opentest4j-reporting-events")
]


def cold(problem: Problem, program: str, jars: list[Path]) -> bool:
    """One javac, then one JVM with JUnit's console: passed when its exit code is 0. Unprotected: references only."""
    hidden = answers.cut(problem.tests)
    sources = answers.program(answers.cut(program), hidden, keep_tests=False)
    path = ":".join(map(str, [*jars, *CONSOLE]))
    with tempfile.TemporaryDirectory() as folder:
        for name, text in sources.items():
            (Path(folder) / name).write_text(text)
        for name, blob in problem.files.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(blob)
        if subprocess.run(["javac", "-cp", path, "-d", ".", *sources], cwd=folder, capture_output=True).returncode:
            return False
        classes = [argument for name in hidden.tests for argument in ("-c", name)]
        run = ["java", "-cp", f"{path}:.", "org.junit.platform.console.ConsoleLauncher", *classes, "--fail-if-no-tests"]
        try:
            return (
                subprocess.run(run, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=120).returncode
                == 0
            )
        except subprocess.TimeoutExpired:
            return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?")
    parser.add_argument("--limit", type=int, default=None)
    given = parser.parse_args()
    bench = NaturalCodeBench(language="java", natural_language="en")
    jars = list(judging.class_path())
    warm_s = cold_s = 0.0
    differ, cases = [], list(bench.cases(given.data))[: given.limit]
    for case in cases:
        program = answers.extract(case.payload.reference, "java").text
        start = time.perf_counter()
        warm = judging.java_tests(case.payload, program, 60.0, jars, keep_tests=False).passed
        middle = time.perf_counter()
        other = cold(case.payload, program, jars)
        end = time.perf_counter()
        warm_s, cold_s = warm_s + middle - start, cold_s + end - middle
        if warm != other:
            differ.append(f"{case.id} (warm {'passed' if warm else 'failed'})")
        print(
            f"{case.id}: warm {middle - start:.2f} s, cold {end - middle:.2f} s, {cold_s / warm_s:.1f}x so far",
            flush=True,
        )
    print(f"{len(cases)} cases: warm {warm_s:.1f} s, cold {cold_s:.1f} s, {cold_s / warm_s:.1f}x; {java.version()}")
    print(f"verdicts differ: {', '.join(differ) or 'none'}")


if __name__ == "__main__":
    main()
