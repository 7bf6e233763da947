"""One server that takes requests in order of arrival: how long they wait, and which rate it can bear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
CLOSE = 1e-4  # relative error of the highest rate


def first_tokens(first: Seconds, busy: Seconds, gaps: Seconds) -> Seconds:
    """(draws, n) from each arrival to its first token, of n requests that find the server idle at the beginning.

    first, busy: (n,) from the start of a request to its first token, and until the server is free again.
    gaps: (draws, n) between an arrival and the one before. Lindley: w(i) = max(0, w(i - 1) + busy(i - 1) - gap(i)),
    which is s(i) - min of s(0) to s(i) where s sums up busy(i - 1) - gap(i) and s(0) = 0.
    """
    sums = np.zeros_like(gaps)
    np.cumsum(busy[:-1] - gaps[:, 1:], axis=1, out=sums[:, 1:])
    return sums - np.minimum.accumulate(sums, axis=1) + first


def highest_rate(first: Seconds, busy: Seconds, gaps: Seconds, limit: float) -> float:
    """The highest rate of arrivals (1/s) with a mean time to the first token within `limit`; 0 where no wait is needed to miss it.

    gaps: as above, of a rate of one. The mean rises with the rate, so the rate is found by halving, between 0 and what
    keeps the server busy all the time: beyond that, waits grow with the number of requests.
    """
    if first.mean() > limit:
        return 0.0
    low, high = 0.0, 1 / float(busy.mean())
    if first_tokens(first, busy, gaps / high).mean() <= limit:
        return high
    while high - low > CLOSE * high:
        middle = (low + high) / 2
        low, high = (middle, high) if first_tokens(first, busy, gaps / middle).mean() <= limit else (low, middle)
    return low


def poisson_gaps(draws: int, count: int, seed: int) -> Seconds:
    """(draws, count) times between arrivals of a Poisson process of rate one."""
    return np.random.default_rng(seed).exponential(size=(draws, count))
