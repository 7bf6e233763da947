"""How many cases a comparison needs, and the smallest difference that the cases at hand can show."""

from __future__ import annotations

import math
from statistics import NormalDist

from steelyard.core.errors import InputError

from .resample import LEVEL


def reach(power: float = 0.8, level: float = LEVEL) -> float:
    """z_(1-alpha/2) + z_(power): 2.802 for 95% and 80%."""
    if not (0 < power < 1 and 0 < level < 1):
        raise InputError(f"power {power} and level {level} must lie between 0 and 1.")
    normal = NormalDist()
    return normal.inv_cdf(0.5 + level / 2) + normal.inv_cdf(power)


def cases_needed(
    difference: float,
    between: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    trials_a: int = 1,
    trials_b: int = 1,
    power: float = 0.8,
    level: float = LEVEL,
) -> int:
    """Cases that show a paired `difference` with the given power (Miller, arXiv:2411.00640, equation 9).

    n = (z_(1-a/2) + z_power)^2 (w^2 + s_A^2/K_A + s_B^2/K_B) / difference^2, where `between` = w^2 is the variance over
    cases of the true difference, within_* = s^2 the mean variance of one trial within a case, trials_* = K.
    With one trial and no split known, pass the variance of the observed differences as `between`.
    """
    if difference == 0:
        raise InputError("no number of cases shows a difference of 0.", "State the smallest difference that matters.")
    variance = between + within_a / trials_a + within_b / trials_b
    return max(2, math.ceil(reach(power, level) ** 2 * variance / difference**2))


def detectable(
    cases: int,
    between: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    trials_a: int = 1,
    trials_b: int = 1,
    power: float = 0.8,
    level: float = LEVEL,
) -> float:
    """The smallest paired difference that `cases` cases show with the given power: `cases_needed` inverted."""
    if cases < 1:
        raise InputError("a detectable difference needs at least one case.")
    return reach(power, level) * math.sqrt((between + within_a / trials_a + within_b / trials_b) / cases)


def more_to_settle(n: int, half_width: float, gap: float, power: float = 0.8, level: float = LEVEL) -> int | None:
    """How many more units bring an interval of `half_width` (n units) off a threshold `gap` away, with `power`.

    The width shrinks as 1/sqrt(n). None where no number would (the measured value lies on the threshold).
    """
    if not (math.isfinite(half_width) and math.isfinite(gap)) or gap <= 1e-3 * half_width or half_width <= 0:
        return None
    ratio = reach(power, level) / NormalDist().inv_cdf(0.5 + level / 2)
    return max(1, math.ceil(n * (ratio * half_width / gap) ** 2) - n)
