"""A pool that looks like real ones: a timing benchmark and a quality benchmark, with known effects and hostile text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from steelyard.core.words import Measurement, Provenance, Status
from steelyard.pool import Pool

SCRIPT = "<script>alert('x')</script>"
HOSTILE = f'py.py:x[tag="{SCRIPT}"]'
CARDS = {
    "race": """
name = "race"
kind = "benchmark"
title = "Softmax, out of cache"
summary = "Rows from inside the first cache to far beyond the last one; which algorithm moves the fewest bytes?"
track = "kernels"
interface = "kernel"
entry = "none:none"
baseline = "three-pass-reload[isa=avx512]"
timing = true
trials = 30
deviations = ["The cache sizes are this machine's, not the paper's."]
[paper]
title = "The Two-Pass Softmax Algorithm"
arxiv = "2001.04438"
year = 2020
[[metrics]]
name = "time"
unit = "s"
kind = "duration"
direction = "lower"
primary = true
help = "Wall time of one call on a warm input and a cold output."
[[metrics]]
name = "bandwidth"
unit = "B/s"
kind = "rate"
[[metrics]]
name = "max-relative-error"
direction = "lower"
help = "Against a float64 reference."
[[claims]]
id = "two-pass-is-faster"
says = "Beyond the cache the two-pass algorithm is faster."
source = "arXiv:2001.04438, abstract"
metric = "time"
statistic = "ratio"
over = "max"
contender = "two-pass[isa=avx512]"
baseline = "three-pass-reload[isa=avx512]"
expect = "baseline / contender >= 1.28"
scale = "as published"
""",
    "torch": """
name = "torch"
kind = "contender"
title = "A library"
summary = "What everybody has."
family = "kernels"
interface = "kernel"
entry = "none:none"
[[claims]]
id = "library-is-slower"
says = "The library is slower than three passes."
source = "nobody"
metric = "time"
statistic = "ratio"
contender = "torch"
baseline = "three-pass-reload[isa=avx512]"
expect = "contender / baseline > 1.1"
scale = "as published"
benchmark = "race"
""",
    "problems": """
name = "problems"
kind = "benchmark"
title = "Self-invoking problems"
summary = "Solve a problem, then a harder one that calls the first solution."
track = "code"
interface = "generator"
entry = "none:none"
[[metrics]]
name = "pass_at_1"
kind = "binary"
primary = true
help = "Share of problems whose first answer passes all tests."
[[metrics]]
name = "response_time"
unit = "s"
kind = "duration"
direction = "lower"
""",
    "untouched": """
name = "untouched"
kind = "benchmark"
title = "Nobody's benchmark"
summary = "No measurements."
track = "code"
interface = "generator"
entry = "none:none"
[[metrics]]
name = "score"
kind = "fraction"
""",
}
MACHINE = json.dumps(
    {"id": "a1b2", "summary": "Xeon Platinum 8481C, 8 cores, AVX-512, 105 MiB L3, 31 GiB, Linux", "cpu": "Xeon Platinum 8481C",
     "cores": 8, "isa": ["avx2", "avx512f"], "caches": [["L1d", 49152], ["L3", 110100480]], "memory": 33285996544}
)  # fmt: skip
START = 1_790_000_000.0


def write_cards(folder: Path) -> None:
    """One card.toml a benchmark, for the catalog to find."""
    for name, text in CARDS.items():
        place = folder / name
        place.mkdir(parents=True)
        (place / "card.toml").write_text(text)


def fill(path: Path, step: int = 4) -> None:
    """The pool: 5 kernels at 6 sizes (12 where step is 2) and 30 rounds; 6 generators on 80 problems, one of which always times out."""
    with Pool(path) as pool:
        pool.append(race(step))
        pool.append(problems())


def race(step: int = 4, rounds: int = 30) -> Iterator[Measurement]:
    """Times in which two-pass is 1.4 times as fast beyond the cache, and as fast within it."""
    rng = np.random.default_rng(7)
    kernels = {
        "two-pass[isa=avx512]": (1.02, 0.71, 3e-7), "three-pass-reload[isa=avx512]": (1.0, 1.0, 1.5e-7),
        "three-pass-recompute[isa=avx512]": (1.25, 0.86, 1.4e-7), "torch": (1.5, 1.31, 2.2e-7), HOSTILE: (2.6, 1.9, 8e-6),
    }  # fmt: skip
    for i, power in enumerate(range(10, 33, step)):
        size = 2**power
        for r in range(rounds):
            drift = rng.normal(0, 0.02)
            for name, (inside, outside, error) in kernels.items():
                beyond = 1 / (1 + math.exp(-(power - 25) / 1.2))
                base = size / 4 * (6e-11 + 1.6e-10 * beyond) + 4e-8
                factor = inside * (1 - beyond) + outside * beyond
                seconds = base * factor * math.exp(drift + rng.normal(0, 0.03))
                found = {"time": seconds, "bandwidth": 2 * size / seconds} | (
                    {"max-relative-error": error * rng.uniform(0.6, 1.0)} if r == 0 else {}
                )
                for metric, value in found.items():
                    yield _row(
                        "race", f"n{size // 4}", name, metric, value, {"time": "s", "bandwidth": "B/s"}.get(metric, "1"), trial=r,
                        attributes={"bytes": size, "elements": size // 4, "dtype": "float32"}, at=START + 40 * i + r,
                    )  # fmt: skip


def problems(cases: int = 80) -> Iterator[Measurement]:
    """Passes by chance of known strength; problem 3's own reference fails; one generator always times out."""
    rng = np.random.default_rng(11)
    hardness = rng.normal(0, 1.4, cases)
    skills = {
        "smollm2": -1.6,
        "gemma3": -0.9,
        "qwen2.5-coder[size=7b]": 1.0,
        "gpt-x+self-debug[turns=3]": 1.6,
        "replay:gpt-x": 1.2,
    }
    price = {
        "smollm2": 210,
        "gemma3": 240,
        "qwen2.5-coder[size=7b]": 320,
        "gpt-x+self-debug[turns=3]": 910,
        "replay:gpt-x": 380,
    }
    for i in range(cases):
        case, at = f"problem/{i}", START + 9000 + 30 * i
        yield _row("problems", case, "gold", "pass_at_1", 0.0 if i == 3 else 1.0, at=at)
        yield _row("problems", case, "empty", "pass_at_1", 0.0, at=at)
        if i == 3:
            continue
        for name, skill in skills.items():
            if name == "gemma3" and i % 11 == 5:
                error = (
                    f"ValueError: no code block in the answer{SCRIPT}\nthe answer was:\n{SCRIPT} \u202e gpj.exe \x07"
                )
                yield _row("problems", case, name, "pass_at_1", math.nan, status=Status.FAILED, error=error, at=at)
                continue
            passed = rng.random() < 1 / (1 + math.exp(hardness[i] - skill))
            source = Provenance.PUBLISHED if name.startswith("replay") else Provenance.MEASURED
            yield _row("problems", case, name, "pass_at_1", float(passed), at=at, provenance=source)
            tokens = rng.lognormal(math.log(price[name]), 0.35)
            yield _row("problems", case, name, "output_tokens", float(round(tokens)), "token", at=at, provenance=source)
            yield _row("problems", case, name, "response_time", tokens / 60 + 0.4, "s", at=at, provenance=source)
        why = "the answer took longer than 300 s"
        yield _row("problems", case, "slowpoke", "pass_at_1", math.nan, status=Status.TIMEOUT, error=why, at=at)


def _row(
    benchmark: str, case: str, contender: str, metric: str, value: float, unit: str = "1", *, trial: int = 0,
    attributes: dict[str, object] | None = None, status: Status = Status.OK, error: str = "", at: float = START,
    provenance: Provenance = Provenance.MEASURED,
) -> Measurement:  # fmt: skip
    return Measurement(
        benchmark, "1", case, contender, metric, value, unit, trial, trial, status, error,
        case_attributes=json.dumps(attributes or {}), run="run", started_at=at, machine=MACHINE, code_version="c0ffee",
        provenance=provenance,
    )  # fmt: skip


def claim(verdict: str, **changed: object) -> dict[str, object]:
    """A row of the ledger."""
    return {
        "card": "two-pass", "claim": f"claim-{verdict.replace(' ', '-')}", "says": "Beyond the cache two-pass is up to 28% faster.",
        "published": "baseline / contender >= 1.28", "source": "arXiv:2001.04438, abstract", "verdict": verdict,
        "value": 1.41, "low": 1.36, "high": 1.47, "typical": [1.2, 1.17, 1.24], "scale": "as published", "machine": [MACHINE],
        "reason": "", "command": "steelyard claims two-pass --only x", "more_needed": None,
    } | changed  # fmt: skip
