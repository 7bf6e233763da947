"""The claim judge: does what was measured here satisfy what was published? holds, fails, undecided or out of reach.

The rule: a comparison holds when the whole 95% interval of its left-hand side satisfies it, fails when no part of the
interval does, and is undecided otherwise. `and` holds when all parts hold, `or` when one does; where one of several
parts alone would decide, the error is divided among them. What was counted and not sampled has an interval of one
point. docs/claims.md tells the grammar.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from steelyard.core.errors import InputError

from .evidence import Drawn, Frame, Over, Table, as_share, build, case_weights, wins
from .expressions import Atom, Expectation, Logic, compile_expect, constant
from .power import more_to_settle
from .resample import DRAWS, LEVEL
from .settle import Statistic, decide, settle
from .sides import CENSUS, Side, parse_side
from .significance import p_value
from .where import Where, compile_where

__all__ = [
    "Claim", "Drawn", "Judgement", "Samples", "Side", "Table", "Where", "case_weights", "check_claim", "compile_expect",
    "compile_where", "judge", "out_of_reach", "parse_side",
]  # fmt: skip


class Claim(Protocol):
    """What the judge reads of a claim."""

    @property
    def statistic(self) -> str: ...
    @property
    def over(self) -> str: ...
    @property
    def contender(self) -> str: ...
    @property
    def baseline(self) -> str: ...
    @property
    def expect(self) -> str: ...
    @property
    def margin(self) -> float | None: ...


@dataclass(frozen=True)
class Samples:
    """Everything a claim is judged on.

    tables: key -> table; "" is the claim's own metric over its own cases, the others answer keys of `expect`
    (contender[bytes] reads tables["bytes"]), with the same members. family: comparisons shown together, for p_holm.
    """

    tables: Mapping[str, Table]
    family: int = 1
    draws: int = DRAWS
    seed: int = 0
    level: float = LEVEL


@dataclass(frozen=True)
class Part:
    """One comparison of the expectation as judged: its decisive left-hand side, with interval, and its verdict."""

    text: str
    value: float
    low: float
    high: float
    verdict: str
    more_needed: int | None = None
    typical: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """verdict: holds | fails | undecided | out of reach. value, low, high: of the decisive comparison's left side.

    typical: (median over the cases, low, high) beside a best case. more_needed: how many more `unit` (cases or trials)
    would settle an undecided claim with 80% power; None where no number is known to. parts: every comparison.
    """

    verdict: str
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    typical: tuple[float, float, float] | None = None
    detail: str = ""
    more_needed: int | None = None
    unit: str = ""
    parts: tuple[Part, ...] = ()
    notes: list[str] = field(default_factory=list)


def out_of_reach(reason: str) -> Judgement:
    """The verdict on a claim whose hardware, model or data is not here."""
    return Judgement("out of reach", detail=reason)


def check_claim(claim: Claim, where: str = "") -> tuple[Expectation, Side, Side | None, Where]:
    """Parse the four languages of a claim; InputError says which field is wrong."""
    fields: list[tuple[str, Callable[[str], object], str]] = [
        ("expect", compile_expect, claim.expect), ("contender", parse_side, claim.contender),
        ("baseline", parse_side, claim.baseline), ("where", compile_where, where),
    ]  # fmt: skip
    for name, parse, text in fields:
        try:
            if text or name != "baseline":
                parse(text)
        except InputError as error:
            raise InputError(f"{name}: {error.what}", error.cure) from None
    expect = compile_expect(claim.expect)
    if any(n == "margin" for n, _ in expect.reads) and claim.margin is None:
        raise InputError(f"expect: {claim.expect!r} reads the margin, and the claim has none.", "Add margin = 0.01.")
    baseline = parse_side(claim.baseline) if claim.baseline else None
    return expect, parse_side(claim.contender), baseline, compile_where(where)


def judge(claim: Claim, samples: Samples) -> Judgement:
    """Judge one claim. Same samples and seed give the same digits.

    over: with mean and geomean each side is aggregated, then the expression is taken; with median, max and min the
    expression is taken case by case, then its median, largest or smallest value. The largest and smallest are exactly
    that, in the numbers' own order; their interval accounts for the choosing (see `settle`).
    Members of a side: a set is pooled; best and worst are chosen by the metric's direction, with the choosing accounted
    for; with alternatives (a | b) the claim must hold for each. `rank` is 1 + how many others are at least as good.
    `share` statistics: `value` is the share of cases where the contender beats every baseline; without a baseline it is
    the mean. `==` is a statement about what was measured; of ranks, about what the draws allow.
    """
    expect, contender, baseline, _ = check_claim(claim)
    tables = dict(samples.tables)
    for name, key in expect.reads:
        if name in ("contender", "baseline", "value", "rank", "p", "p_holm") and key not in tables:
            return out_of_reach(f"nothing was measured for {name}[{key}]" if key else "nothing was measured")
    over: Over = claim.over or "mean"  # type: ignore[assignment]
    if over not in ("mean", "median", "max", "min", "geomean"):
        raise InputError(f"over = {over!r} is unknown.", "Known: mean, median, max, min, geomean.")
    if contender.kind in CENSUS:
        tables = {k: replace(t, unit="none") if t.unit == "cases" else t for k, t in tables.items()}
    desk = _Desk(claim, samples, tables, over, contender, baseline)
    if all(desk.frame(key).units == 0 and np.isnan(desk.frame(key).point).all() for key in tables):
        return out_of_reach("no case was measured for every member")
    verdict, parts = _logic(expect.logic, desk, 1, 1)
    return _sum_up(verdict, parts, desk)


def _sum_up(verdict: str, parts: list[Part], desk: _Desk) -> Judgement:
    """Show the part that decides: the first one with the verdict of the whole."""
    decisive = next((p for p in parts if p.verdict == verdict), parts[0])
    frames = [desk.frame(key) for key in desk.tables]
    notes = list(dict.fromkeys(n for p in parts for n in p.notes))
    lost = max(f.lost for f in frames)
    if lost:
        notes.append(f"{lost} cases lost: a member lacks them")
    units = max(f.units for f in frames)
    unit = next((f.unit for f in frames if f.unit != "none"), "")
    if unit and 0 < units < 10:
        notes.append(f"only {units} independent {unit}")
    wanting = [p for p in parts if p.verdict == "undecided"]
    more = None
    if verdict == "undecided" and wanting and all(p.more_needed is not None for p in wanting):
        more = max(p.more_needed or 0 for p in wanting)
    detail = "; ".join(f"{p.text}: {_shown(p)}, {p.verdict}" for p in parts)
    return Judgement(
        verdict, decisive.value, decisive.low, decisive.high, decisive.typical, detail, more, unit, tuple(parts), notes
    )


def _shown(p: Part) -> str:
    return f"{p.value:.4g}" if p.low == p.high == p.value else f"{p.value:.4g} [{p.low:.4g}, {p.high:.4g}]"


def _kleene(verdicts: Sequence[str], op: str) -> str:
    """Three-valued and / or."""
    final, other = ("fails", "holds") if op == "and" else ("holds", "fails")
    if final in verdicts:
        return final
    return other if all(v == other for v in verdicts) else "undecided"


def _logic(node: Logic | Atom, desk: _Desk, to_hold: int, to_fail: int) -> tuple[str, list[Part]]:
    """Verdict and parts. to_hold, to_fail: comparisons of which one alone would make the claim hold, or fail."""
    if isinstance(node, Atom):
        alternatives = desk.alternatives
        done = [desk.part(node, a, to_hold, to_fail * len(alternatives)) for a in alternatives]
        return _kleene([p.verdict for p in done], "and"), done
    # comparisons of one and the same quantity (7 <= x <= 11) look at opposite ends: nothing to divide
    several = len({_quantity(p) for p in node.parts})
    hold, fail = (to_hold, to_fail * several) if node.op == "and" else (to_hold * several, to_fail)
    results = [_logic(part, desk, hold, fail) for part in node.parts]
    verdict = _kleene([v for v, _ in results], node.op)
    judged = [p for _, parts in results for p in parts]
    if all(isinstance(p, Atom) for p in node.parts) and len({str(getattr(p, "text", "")) for p in node.parts}) == 1:
        judged = _merge(judged, node.op)  # the two ends of one |x| <= c
    return verdict, judged


def _merge(parts: list[Part], op: str) -> list[Part]:
    """One part for all of the same text, with their common verdict."""
    out = []
    for text in dict.fromkeys(p.text for p in parts):
        same = [p for p in parts if p.text == text]
        verdict = _kleene([p.verdict for p in same], op)
        out.append(next(p for p in same if p.verdict == verdict))
    return out


def _quantity(node: Logic | Atom) -> str:
    if isinstance(node, Atom):
        return ast.unparse(node.right if constant(node.left) else node.left)
    return "/".join(sorted({_quantity(p) for p in node.parts}))


class _Desk:
    """The frames of one claim and how its sides are put together, while it is judged."""

    def __init__(
        self,
        claim: Claim,
        samples: Samples,
        tables: dict[str, Table],
        over: Over,
        contender: Side,
        baseline: Side | None,
    ) -> None:
        self.claim, self.samples, self.over = claim, samples, over
        self.sides = (contender, baseline)
        self.share = claim.statistic == "share" and any(t.baseline for t in tables.values())
        sliced = {k: t.slices is not None or t.unit in ("trials", "draws") for k, t in tables.items()}
        drawn = any(
            isinstance(m, Drawn) for t in tables.values() for m in (*t.contender.values(), *t.baseline.values())
        )
        self.direction = next(iter(tables.values())).direction if "" not in tables else tables[""].direction
        self.raw = tables
        if self.share and not drawn:
            tables = {k: t if sliced[k] else as_share(t) for k, t in tables.items()}
            self.over = "mean"
        self.tables = tables
        self._frames: dict[str, Frame] = {}

    def frame(self, key: str) -> Frame:
        """The resampled table of one key."""
        if key not in self._frames:
            made = build(self.tables[key], self.over, self.samples.draws, self.samples.seed)
            if self.share and made.split < made.point.shape[0]:
                made = replace(
                    made, split=1, point=wins(made.point, made.split, self.direction).mean(axis=0, keepdims=True),
                    draws=wins(made.draws, made.split, self.direction).mean(axis=1, keepdims=True),
                )  # fmt: skip
            self._frames[key] = made
        return self._frames[key]

    @property
    def alternatives(self) -> list[tuple[int | None, int | None]]:
        """The pairs of alternatives that must each satisfy the claim; None stands for the whole side."""
        if self.share:
            return [(None, None)]
        frame = self.frame(next(iter(self.tables)))
        counts = (frame.split, frame.point.shape[0] - frame.split)
        ours, theirs = (
            list(range(count)) if side is not None and side.kind == "each" and count > 1 else [None]
            for side, count in zip(self.sides, counts, strict=True)
        )
        if any(n == "rank" for n, _ in compile_expect(self.claim.expect).reads):
            theirs = [None]  # the alternatives are the field to be ranked in
        return [(i, j) for i in ours for j in theirs]

    def part(self, atom: Atom, alternative: tuple[int | None, int | None], to_hold: int, to_fail: int) -> Part:
        """Judge one comparison for one pair of alternatives."""
        statistic = Statistic(
            atom, {k: self.frame(k) for k in self.tables}, self.over, self.direction, self._kinds(), alternative,
            self.claim.margin, lambda name: p_value(
                name, self.raw[""], self.frame("").point, self.sides, alternative, self.samples.family,
                self.samples.draws, self.samples.seed,
            ), self.samples.draws, self.samples.seed,
        )  # fmt: skip
        name = atom.text
        if alternative != (None, None):
            labels = [list(t.keys()) for t in (self.raw[""].contender, self.raw[""].baseline)] if "" in self.raw else []
            picked = [labels[k][i] for k, i in enumerate(alternative) if i is not None and labels]
            name = f"{name} ({' against '.join(picked)})"
        level = self.samples.level
        shown, op, threshold = settle(statistic, level)
        ends = [(r.low, r.high) for r in (settle(statistic, 1 - (1 - level) / n)[0] for n in (to_hold, to_fail))]
        verdict = decide(shown.value, ends[0], ends[1], op, threshold, exact=statistic.exact)
        more = None
        if verdict == "undecided" and statistic.units and not shown.blind:
            half = shown.value - shown.low if threshold < shown.value else shown.high - shown.value
            more = more_to_settle(statistic.units, half, abs(shown.value - threshold))
        notes = tuple(n for n in (shown.blind, *shown.notes) if n)
        return Part(name, shown.value, shown.low, shown.high, verdict, more, shown.typical, notes)

    def _kinds(self) -> tuple[str, str]:
        return tuple("one" if s is None or self.share else s.kind for s in self.sides)  # type: ignore[return-value]
