"""Item response theory: ability of contenders, difficulty and discrimination of cases (two-parameter logistic model)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelyard.core.errors import InputError

from .resample import Array


@dataclass(frozen=True, slots=True)
class Fitted:
    """ability: (M,), NaN where nothing was measured. discrimination, difficulty: (N,)."""

    ability: Array
    discrimination: Array
    difficulty: Array


def fit_2pl(
    scores: Array, spread: float = 0.5, width: float = 2.0, tolerance: float = 1e-6, iterations: int = 500
) -> Fitted:
    """Posterior mode of P(contender i passes case j) = 1 / (1 + exp(-a_j (ability_i - b_j))), all at once.

    scores: (M, N) in [0, 1] (fractions count as shares of a pass), NaN where not measured. Priors: ability ~ N(0, 1),
    log a ~ N(0, spread^2), b ~ N(0, width^2): without them cases that all pass have no difficulty (Mislevy 1986,
    Psychometrika 51:177-195). Raises InputError for scores outside [0, 1], and where it does not settle.
    """
    from scipy.optimize import minimize

    seen = ~np.isnan(scores)
    y = np.where(seen, scores, 0.0)
    if y.min(initial=0.0) < 0.0 or y.max(initial=0.0) > 1.0:
        raise InputError("item response theory needs scores from 0 to 1.", "Put each data set on that scale first.")
    m, n = y.shape

    def loss(x: Array) -> tuple[float, Array]:
        ability, u, b = x[:m], x[m : m + n], width * x[m + n :]
        a = np.exp(spread * u)
        gap = ability[:, None] - b[None, :]
        z = a * gap
        value = float(((np.logaddexp(0.0, z) - y * z) * seen).sum())
        value += float(ability @ ability) / 2 + float(x[m:] @ x[m:]) / 2
        pull = np.where(seen, 0.5 * (1.0 + np.tanh(z / 2)) - y, 0.0)
        slope = np.concatenate(
            [pull @ a + ability, spread * (pull * z).sum(axis=0) + u, width * -a * pull.sum(axis=0) + x[m + n :]]
        )
        return value, slope

    def passed(axis: int) -> Array:  # shares with one pass and one failure added
        return np.asarray((y.sum(axis=axis) + 1.0) / (seen.sum(axis=axis) + 2.0))

    start = np.concatenate([_logit(passed(1)), np.zeros(n), -_logit(passed(0)) / width])
    done = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxfun": 4 * iterations,
                                                                      "gtol": tolerance * seen.sum(), "ftol": 1e-12})  # fmt: skip
    if not done.success:
        raise InputError(f"the response model did not settle in {iterations} steps.", "Give it more cases.")
    ability = np.where(seen.any(axis=1), done.x[:m], np.nan)
    return Fitted(ability, np.exp(spread * done.x[m : m + n]), width * done.x[m + n :])


def _logit(p: Array) -> Array:
    return np.asarray(np.log(p / (1.0 - p)))
