"""From stages to metrics, and from the metrics of a contender to the figures that the paper prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.benchmarks.code.testbench.cascade import STAGES
from steelyard.benchmarks.code.testbench.published import Released
from steelyard.stats.estimates import pass_at_k_estimate

KS = (1, 5, 10)
RATES = ("syntax_rate", "compile_rate", "pass_rate")


def of_stage(stage: str) -> dict[str, float]:
    """syntax_rate, compile_rate and pass_rate of one answer: 1 where it got past the check."""
    reached = STAGES.index(stage)
    return {name: float(reached > at) for at, name in enumerate(RATES)}


def gains(stage: str, before: float, after: float) -> dict[str, float]:
    """What a repair did to one answer at one stage."""
    return {f"{stage}_gained": float(after > before), f"{stage}_lost": float(before > after)}


def of_stages(record: Released, method: str, context: str, repair: str, trial: int) -> dict[str, float]:
    """The same from released verdicts, with what the repair changed and what the context is worth over none.

    gain_over_only: pass_rate less that of the answer of the same number to the method alone; the pairing is by number
    only, so its mean over answers is what counts.
    """
    stages = record.before if repair == "none" else record.after
    metrics = of_stage(stages[context, method][trial])
    if repair != "none" and (context, method) in record.before:
        before = of_stage(record.before[context, method][trial])
        for name in RATES:
            metrics |= gains(name.removesuffix("_rate"), before[name], metrics[name])
        metrics["pass_gain"] = metrics["pass_rate"] - before["pass_rate"]
    if context != "only" and ("only", method) in stages:
        metrics["gain_over_only"] = metrics["pass_rate"] - of_stage(stages["only", method][trial])["pass_rate"]
    return metrics


def summarise(values: Any) -> dict[str, str | float]:
    """values: as `summary` of a benchmark gets them. Counts are over answers, pass@k over methods with projects together."""
    flags: dict[str, Mapping[str, Sequence[float]]] = {name: values.trials(name) for name in RATES}
    passed = flags["pass_rate"]
    if not flags["syntax_rate"]:
        return {}
    out: dict[str, str | float] = {
        name.removesuffix("_rate").replace("pass", "accepted"): _share(by_method)
        for name, by_method in flags.items()
        if by_method
    }
    if passed:
        about = values.attributes("pass_rate")
        project = [str(about[case]["project"]) for case in passed]
        groups = project if len(set(project)) > 1 else None
        counts = [len(v) for v in passed.values()], [int(sum(v)) for v in passed.values()]
        each = [pass_at_k_estimate(*counts, k, groups) for k in KS]
        out["pass@1/5/10"] = " / ".join(f"{e.value:.3f}" if e else "n/a" for e in each)
    covered = [_mean(values.trials(name)) for name in ("method_coverage", "method_coverage_of_all")]
    if covered[1] is not None:
        shown = "none accepted" if covered[0] is None else f"{covered[0]:.3f}"
        out["method lines, accepted / all"] = f"{shown} / {covered[1]:.3f}"
    if (kills := _mean(values.trials("mutants_killed"))) is not None:
        out["mutants killed"] = f"{kills:.3f}"
    changes = {
        s: [_count(values.trials(f"{s}_{what}")) for what in ("gained", "lost")] for s in ("syntax", "compile", "pass")
    }
    if values("syntax_gained"):
        out["repair: syntax, compile, pass"] = ", ".join(
            f"+{gained:.0f} -{lost:.0f}" for gained, lost in changes.values()
        )
    return out


def _mean(flags: Mapping[str, Sequence[float]]) -> float | None:
    """Over answers."""
    found = [x for v in flags.values() for x in v]
    return sum(found) / len(found) if found else None


def _count(flags: Mapping[str, Sequence[float]]) -> float:
    return sum(sum(v) for v in flags.values())


def _share(flags: Mapping[str, Sequence[float]]) -> str:
    n = sum(len(v) for v in flags.values())
    return f"{_count(flags):.0f}/{n} ({100 * _count(flags) / n:.2f} %)"
