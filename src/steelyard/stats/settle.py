"""From draws to an interval of one comparison's left-hand side, with choosing accounted for, and to its verdict."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.core.words import Direction

from .choosing import along, bounds, fold, follow, way
from .evidence import Frame, Over
from .expressions import Atom, constant, evaluate, isclose
from .resample import DRAWS, Array, bias_corrected, group_counts, percentile, weighted_median, widen

FLIP = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Shown:
    """A value with interval; blind: why it has none; typical: the median case beside a largest or smallest."""

    value: float
    low: float
    high: float
    blind: str = ""
    typical: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statistic:
    """One comparison and all it is computed from.

    frames: key -> draws. kinds: how the members of contender and baseline are put together. alternative: the members
    to take, where a side lists alternatives. p: the p-value of the claim's own table by name.
    """

    atom: Atom
    frames: Mapping[str, Frame]
    over: Over
    direction: Direction
    kinds: tuple[str, str]
    alternative: tuple[int | None, int | None]
    margin: float | None
    p: Callable[[str], float] = field(repr=False)
    draws: int = DRAWS
    seed: int = 0

    @property
    def read(self) -> list[Frame]:
        """The frames this comparison reads."""
        keys = set()
        for side in (self.atom.left, self.atom.right):
            for node in ast.walk(side):
                if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                    keys.add(str(node.slice.value))
                elif isinstance(node, ast.Name) and node.id in ("contender", "baseline", "value", "rank"):
                    keys.add("")
        return [self.frames[k] for k in sorted(keys) if k in self.frames]

    @property
    def ranked(self) -> bool:
        """Whether it reads the rank."""
        return any(
            isinstance(n, ast.Name) and n.id == "rank" for s in (self.atom.left, self.atom.right) for n in ast.walk(s)
        )

    @property
    def exact(self) -> bool:
        """Whether == is judged on the measured cases alone: nothing but the choice of cases varies."""
        return not self.ranked and all(f.unit != "trials" for f in self.read)

    @property
    def units(self) -> int:
        """Independent cases or trials behind the draws."""
        return max((f.units for f in self.read), default=0)


def settle(s: Statistic, level: float) -> tuple[Shown, str, float]:
    """Interval of the left-hand side (of left - right where both sides vary), the operator, and the threshold."""
    left, op, right = s.atom.left, s.atom.op, s.atom.right
    if constant(left) and not constant(right):
        left, op, right = right, FLIP[op], left
    threshold = 0.0
    expression = left
    if constant(right):
        threshold = float(np.asarray(evaluate(right, lambda name, key: s.margin)))
    else:
        expression = ast.BinOp(left, ast.Sub(), right)
    shown = _interval(s, expression, level)
    blind = next((f.blind for f in s.read if f.blind), "")
    if blind and not (op in ("==", "!=") and s.exact):
        shown = replace(shown, low=-math.inf, high=math.inf, blind=blind)
    return shown, op, threshold


def decide(
    value: float, hold: tuple[float, float], fail: tuple[float, float], op: str, threshold: float, exact: bool
) -> str:
    """holds, fails or undecided: holds when the whole interval satisfies `op threshold`, fails when none of it does.

    hold, fail: the interval at the level that pays for the comparisons of which one alone would make the claim hold, or
    fail. exact: == is judged on the value alone.
    """
    if exact and op == "==" and not math.isnan(value):
        return "holds" if isclose(value, threshold) else "fails"
    if _side(value, *hold, op, threshold) == "holds":
        return "holds"
    return "fails" if _side(value, *fail, op, threshold) == "fails" else "undecided"


def _side(value: float, low: float, high: float, op: str, t: float) -> str:
    """Where one interval lies with respect to `op t`."""
    if any(math.isnan(v) for v in (value, low, high, t)):
        return "undecided"
    if op in ("==", "!="):
        if isclose(low, t) and isclose(high, t):
            equal: bool | None = True
        else:
            equal = False if (low > t and not isclose(low, t)) or (high < t and not isclose(high, t)) else None
        return "undecided" if equal is None else "holds" if equal == (op == "==") else "fails"
    if op[0] == "<":  # mirror: x < t is -x > -t
        low, high, t = -high, -low, -t
    closed = op.endswith("=")
    if (low > t and not isclose(low, t)) or (closed and isclose(low, t)):
        return "holds"
    if (high < t and not isclose(high, t)) or (not closed and isclose(high, t)):
        return "fails"
    return "undecided"


def _interval(s: Statistic, expression: ast.expr, level: float) -> Shown:
    """Evaluate an expression at the point and in the draws, and reduce over members and cases."""
    if not s.read:  # p-values and numbers only
        value = float(np.asarray(evaluate(expression, lambda n, k: s.p(n) if n in ("p", "p_holm") else s.margin)))
        return Shown(value, value, value)
    aggregated = s.over in ("mean", "geomean")
    cases = any(f.group is not None for f in s.read)
    point = np.asarray(evaluate(expression, _reader(s, "point", aggregated)), float)
    point = point.reshape((1,) * (3 - point.ndim) + point.shape)
    if cases and not aggregated and not s.ranked:
        return _sampled_cases(s, point, level)
    draws = np.asarray(evaluate(expression, _reader(s, "draws", aggregated)), float)
    draws = draws.reshape((-1,) + (1,) * (4 - draws.ndim) + draws.shape[1:])
    finite = np.isfinite(point).all(axis=(0, 1))
    notes: tuple[str, ...] = ()
    if not finite.all():
        notes = (f"{int((~finite).sum())} of {finite.size} cases give no finite value and are left out",)
        point, draws = point[..., finite], draws[..., finite]
        if not point.size:
            return Shown(math.nan, math.nan, math.nan, notes=("infinite or undefined value",))
    done = _reduce(s, point, draws, level, finite)
    # a posterior's interval can leave out a share of exactly 0 or 1: what was measured always belongs to it
    return replace(done, low=min(done.low, done.value), high=max(done.high, done.value), notes=notes)


def _reader(s: Statistic, what: str, aggregated: bool) -> Callable[[str, str], Any]:
    """name, key -> array over (draws,) contender members, baseline members, cases; sizes of 1 broadcast."""

    shared = min((f.draws.shape[0] for f in s.read if f.draws.shape[0] > 1), default=1)

    def side(frame: Frame, k: int) -> Array:
        x = frame.draws[:shared] if what == "draws" else frame.point
        x = x[..., : frame.split, :] if k == 0 else x[..., frame.split :, :]
        if x.shape[-2] == 0:
            raise InputError("the claim reads a baseline and names none.", 'Add baseline = "...".')
        index = s.alternative[k]
        if index is not None:
            x = x[..., [index], :]
        return _pool(x, s, aggregated) if s.kinds[k] == "set" else along(x, s.over)[..., None] if aggregated else x

    def read(name: str, key: str) -> Any:
        if name == "margin":
            return s.margin
        if name in ("p", "p_holm"):
            return s.p(name)
        frame = s.frames[key]
        if name == "rank":
            return _ranks(s, frame, frame.draws[:shared] if what == "draws" else frame.point)
        k = 1 if name == "baseline" else 0
        x = side(frame, k)
        return np.expand_dims(x, -2 if k == 0 else -3)  # (.., ours, 1, S) and (.., 1, theirs, S)

    return read


def _pool(x: Array, s: Statistic, aggregated: bool) -> Array:
    """A set: the average over its members, or (case by case) its members as further cases."""
    if aggregated:
        return np.asarray(along(x.reshape(*x.shape[:-2], 1, -1), s.over)[..., None])
    return x.reshape(*x.shape[:-2], 1, -1)


def _ranks(s: Statistic, frame: Frame, x: Array) -> Array:
    """(.., 1, 1, 1): 1 + how many others are at least as good as the contender; ties count against it."""
    if frame.split != 1 and s.alternative[0] is None:
        raise InputError("rank needs one contender, not a set.")
    level = along(x, s.over)[..., None]
    signed = -level if s.direction == Direction.LOWER else level
    mine = signed[..., [s.alternative[0] or 0], :]
    others = signed[..., frame.split :, :]
    return np.asarray(1.0 + (others >= mine).sum(axis=-2, keepdims=True))[..., None]


def _sampled_cases(s: Statistic, point: Array, level: float) -> Shown:
    """Median over sampled cases by bootstrap; a largest or smallest is of the measured cases only."""
    if point.shape[0] * point.shape[1] > 1:
        raise InputError("best of, worst of with a median over sampled cases is not defined.", 'Use over = "mean".')
    frame = next(f for f in s.read if f.group is not None)
    assert frame.group is not None
    values = point[0, 0]
    repeat = values.size // frame.group.size  # a set stacks its members as further cases of the same groups
    group = np.tile(frame.group, repeat)
    finite = np.isfinite(values)
    notes = () if finite.all() else (f"{int((~finite).sum())} of {finite.size} cases give no finite value",)
    if not finite.any():
        return Shown(math.nan, math.nan, math.nan, notes=("infinite or undefined value",))
    middle = float(np.median(values[finite]))
    draws = np.concatenate(
        [weighted_median(values[finite], w[:, finite]) for w in group_counts(group, s.draws, s.seed)]
    )
    low, high = percentile(middle + widen(frame.units) * (draws - middle), level)
    if s.over == "median":
        return Shown(middle, low, high, notes=notes)
    if frame.point.shape[0] > frame.split:
        why = f"the {s.over} over single sampled cases is mostly noise: give trials or slices"
        return Shown(float(values[finite].max() if s.over == "max" else values[finite].min()), -math.inf, math.inf, why)
    value = float(values[finite].max() if s.over == "max" else values[finite].min())
    return Shown(value, value, value, "", (middle, low, high), (*notes, f"the {s.over} of the cases measured"))


def _reduce(s: Statistic, point: Array, draws: Array, level: float, finite: np.ndarray) -> Shown:
    """(ours, theirs, S) to one number with interval; members by choice, cases by `over`."""
    chosen = [k for k in (0, 1) if point.shape[k] > 1]
    several = point.shape[2] > 1
    if s.ranked or not (chosen or several):
        return Shown(float(point.reshape(-1)[0]), *_ends(draws.reshape(-1), level, s.ranked))
    frame = s.frames[""] if "" in s.frames else s.read[0]
    # which member is best is a matter of the side's own values, aggregated like the expression
    own, own_draws = frame.point, frame.draws
    if s.over in ("mean", "geomean"):
        own, own_draws = along(own, s.over)[..., None], along(own_draws, s.over)[..., None]
    if finite.size == own.shape[1]:
        own, own_draws = own[:, finite], own_draws[:, :, finite]
    highest = [(kind == "best") == (s.direction != Direction.LOWER) for kind in s.kinds]
    for k in chosen:
        if s.kinds[k] not in ("best", "worst"):
            raise InputError("several members, but neither a set, nor best of, worst of or alternatives.")
    ways = [(k, way(point, k, own[: frame.split] if k == 0 else own[frame.split :], highest[k])) for k in chosen]
    if "choose" in dict(ways).values() or (several and s.over not in ("max", "min")):
        taken = follow(draws, own_draws, frame.split, chosen, highest)
        value = float(along(follow(point[None], own[None], frame.split, chosen, highest), s.over)[0])
        flat = along(taken, s.over)
        return Shown(value, *(bias_corrected(value, flat, level) if chosen else percentile(flat, level)))
    typical = None
    if several:
        if not chosen:
            typical = (float(np.median(point)), *percentile(np.median(draws[:, 0, 0], axis=1), level))
        ways.append((2, s.over))
    low, high = bounds(point, draws, ways, level)
    return Shown(float(fold(point, ways)), low, high, typical=typical)


def _ends(flat: Array, level: float, discrete: bool) -> tuple[float, float]:
    if not discrete:
        return percentile(flat, level)
    ends = np.quantile(flat, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return float(ends[0]), float(ends[1])
