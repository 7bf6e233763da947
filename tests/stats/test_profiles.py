"""Performance profiles on an example worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.core.errors import InputError
from steelyard.stats.profiles import performance_profile, performance_ratios, shifted_geometric_mean

# three solvers on four problems; a NaN is a failure
TIMES = [[1.0, 4, 3, math.nan], [2.0, 2, 3, math.nan], [4.0, math.inf, 1, math.nan]]


def test_ratios_by_hand():
    expected = [[1, 2, 3, math.inf], [2, 1, 3, math.inf], [4, math.inf, 1, math.inf]]
    assert performance_ratios(TIMES).tolist() == expected


def test_profile_by_hand():
    profile = performance_profile(TIMES)
    assert profile.taus.tolist() == [1, 2, 3, 4]
    assert profile.at(1).tolist() == [0.25, 0.25, 0.25]
    assert profile.at(2.5).tolist() == [0.5, 0.5, 0.25]
    assert profile.at(100).tolist() == [0.75, 0.75, 0.5]
    # over [1, 4]: widths 1, 1, 1
    assert profile.area(4).tolist() == pytest.approx([0.5, 0.5, 0.25])
    # beyond the last step: one more unit at the final share
    assert profile.area(5).tolist() == pytest.approx([(0.25 + 0.5 + 0.75 + 0.75) / 4] * 2 + [(0.75 + 0.5) / 4])


@given(st.lists(st.lists(st.floats(0.1, 100), min_size=3, max_size=3), min_size=2, max_size=5))
def test_profile_is_a_distribution(times):
    shares = performance_profile(times).shares
    assert (np.diff(shares, axis=1) >= 0).all()
    assert shares[:, -1].tolist() == [1.0] * len(times)
    assert shares[:, 0].max() >= 1 / 3 - 1e-12


def test_shifted_geometric_mean():
    assert shifted_geometric_mean([1, 7], shift=1) == pytest.approx(3)
    assert shifted_geometric_mean([2, 8], shift=0) == pytest.approx(4)
    with pytest.raises(InputError):
        shifted_geometric_mean([1, math.nan])
    with pytest.raises(InputError):
        performance_profile([[0.0, 1.0]])
