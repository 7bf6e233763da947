"""`steelyard run`: weighs, shows progress, then the table of what was weighed, the failures and what was left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from steelyard import catalog
from steelyard.catalog.suites import suites
from steelyard.core.errors import MEASURED_FAILURE, STOPPED, InputError, unknown
from steelyard.core.spec import Spec, parse_spec, split_specs
from steelyard.core.words import GATES, Kind, Status
from steelyard.report.comparing import print_comparison, table
from steelyard.report.plain import print_json
from steelyard.report.results import load
from steelyard.report.summaries import print_summaries, summaries
from steelyard.report.terminal import console

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.weigh import Weighing

_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)")
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|KB|MB|GB|)", re.IGNORECASE)


def seconds(text: str, option: str) -> float:
    """90, 90s, 10m, 2h -> seconds."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise InputError(f"{option} is {text!r}.", "Write seconds, or 90s, 10m, 2h.")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}[match[2]]


def size(text: str, option: str) -> int:
    """4GiB, 500MB, 1024 -> bytes."""
    match = _BYTES.fullmatch(text.strip())
    if not match:
        raise InputError(f"{option} is {text!r}.", "Write bytes, or 512MiB, 4GiB.")
    scale = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 1e3, "mb": 1e6, "gb": 1e9}
    return int(float(match[1]) * scale[match[2].lower()])


def weigh_visibly(benchmark: str | Spec, contenders: Sequence[str], *, pool: Pool, **options: Any) -> Weighing:
    """`weigh` with a progress line, then one line on what was measured, what the pool had and what was left out."""
    from steelyard.weigh import weigh
    from steelyard.weigh.progress import Bar

    done = weigh(benchmark, contenders, pool=pool, progress=Bar(), **options)
    out = console()
    out.stderr = True
    taken = sum(done.measured.values())
    parts = [f"{taken} measured"]
    parts += [f"{n} {status}" for status, n in sorted(done.measured.items()) if status is not Status.OK]
    parts += [f"{done.done} already in the pool"] if done.done else []
    parts += [f"{done.left} not measured ({'stopped' if done.stopped else 'time is up'})"] if done.left else []
    out.print(f"{done.plan.spec}: {', '.join(parts)}.", style="dim")
    for note in done.plan.notes:
        out.print(f"  {note}", style="yellow")
    for case, why in list(done.excluded.items())[:10]:
        out.print(f"  left out for all contenders: {case}: {why}", style="yellow")
    if len(done.excluded) > 10:
        out.print(f"  and {len(done.excluded) - 10} more", style="yellow")
    return done


def run_and_print(
    names: Sequence[str],
    contenders: Sequence[str],
    *,
    data: str | None,
    where: str,
    limit: int | None,
    trials: int | None,
    time: str,
    cell_timeout: str,
    memory: str,
    workers: int | None,
    on: str,
    seed: int,
    retry_failed: bool,
    isolation: str,
    fail_on: str,
    pool: str | None,
    as_json: bool,
) -> None:
    """Weigh every named benchmark or suite, print one table each; leave with the exit code of the worst outcome."""
    from steelyard.pool import Pool
    from steelyard.sandbox import set_isolation
    from steelyard.stats.claims import compile_where
    from steelyard.weigh import Budget

    set_isolation(isolation)
    wanted = {word.strip() for word in fail_on.split(",") if word.strip()}
    if odd := wanted - {*Status}:
        raise unknown("status", sorted(odd)[0], [*Status], where="--fail-on")
    if on and not on.startswith("ray"):
        raise InputError(f"--on is {on!r}.", "Write ray, or ray://host:port.")
    given = [spec for text in contenders for spec in split_specs(text)]
    runs = _runs(names, given)
    budget = Budget(
        time_s=seconds(time, "--time") if time else None,
        cell_timeout_s=seconds(cell_timeout, "--cell-timeout"),
        workers=workers,
        memory_bytes=size(memory, "--memory") if memory else None,
        retry_failed=retry_failed,
    )
    results: list[dict[str, Any]] = []
    stopped, seen = False, set()
    deadline = None if budget.time_s is None else monotonic() + budget.time_s
    with Pool(pool) as store:
        for benchmark, who, options in runs:
            keep = " and ".join(f"({w})" for w in (options.pop("where", ""), where) if w)
            options = {"trials": trials, "limit": limit} | {k: v for k, v in options.items() if v is not None}
            options |= {k: v for k, v in {"trials": trials, "limit": limit}.items() if v is not None}
            if deadline is not None:  # one budget for a whole suite
                budget = replace(budget, time_s=max(0.0, deadline - monotonic()))
            done = weigh_visibly(
                benchmark, who, pool=store, data=data, where=compile_where(keep) if keep else None, seed=seed,
                budget=budget, on=on, **options,
            )  # fmt: skip
            seen |= set(done.measured)
            stopped = done.stopped
            results += show_results(store, done, as_json=as_json)
            if stopped:
                break
    if as_json:
        print_json(results)
    if stopped:
        raise SystemExit(STOPPED)
    if wanted & set(map(str, seen)):
        raise SystemExit(MEASURED_FAILURE)


def show_results(store: Pool, done: Weighing, *, as_json: bool) -> list[dict[str, Any]]:
    """The table of the primary metric for what was just weighed, and how the failures came about."""
    card = done.plan.card
    names = list(done.plan.contenders)
    cases = {case.id for case in done.plan.cases if case.id not in done.excluded}
    version = done.plan.version

    def shown(case: Mapping[str, Any]) -> bool:
        return case["case"] in cases

    try:
        scores = load(store, card.name, contenders=names, where=shown, version=version)
    except InputError:
        if done.stopped:
            return []
        raise
    baseline = next((n for n in (card.baseline, names[0]) if n in names), names[0])
    if card.primary.kind not in (Kind.DURATION, Kind.RATE):
        baseline = next((n for n in names if n not in GATES), names[0]) if not card.baseline else baseline
    rows = table(scores, baseline)
    if not as_json:
        print_comparison(scores, rows, baseline)
        out = console()
        for reason, count in _reasons(scores.failures)[:8]:
            out.print(f"  {count} x {reason}", style="red")
        out.print()
    from steelyard.weigh.plan import load_benchmark

    bench = load_benchmark(done.plan.spec)[1]
    extra = summaries(store, bench, card.name, version, names, shown)
    if not as_json:
        print_summaries(extra)
    failures = [
        dict(zip(("contender", "case", "trial", "status", "error"), failure, strict=True))
        for failure in scores.failures
    ]
    return [
        {
            "benchmark": card.name, "version": done.plan.version, "run": done.run, "metric": scores.metric.name,
            "rows": rows, "summary": extra, "failures": failures, "excluded": done.excluded, "not_measured": done.left,
            "notes": done.plan.notes,
        }
    ]  # fmt: skip


def _reasons(failures: Sequence[tuple[str, str, int, str, str]]) -> list[tuple[str, int]]:
    count: dict[str, int] = {}
    for who, _, _, status, error in failures:
        first = error.splitlines()[0] if error else ""
        count[f"{who}: {status}: {first}"] = count.get(f"{who}: {status}: {first}", 0) + 1
    return sorted(count.items(), key=lambda item: -item[1])


def _runs(names: Sequence[str], contenders: Sequence[str]) -> list[tuple[Spec, list[str], dict[str, Any]]]:
    """Benchmarks and suites as (benchmark, contenders, options); contenders given by hand replace a suite's own."""
    known = suites()
    runs = []
    for name in names:
        if name in known:
            for r in known[name]["runs"]:
                options = {k: r[k] for k in ("trials", "limit", "where") if k in r}
                runs.append((parse_spec(r["benchmark"]), list(contenders) or list(r["contenders"]), options))
            continue
        spec = parse_spec(name)
        if spec.name not in {e.name for e in catalog.benchmarks()}:
            raise unknown("benchmark or suite", spec.name, [*known, *(e.name for e in catalog.benchmarks())])
        runs.append((spec, list(contenders), {}))
    return runs
