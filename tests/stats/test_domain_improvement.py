"""Domain-specific improvement against values worked out by hand."""

import numpy as np
import pytest

from steelyard.core.errors import InputError
from steelyard.stats.domain_improvement import improvement, labels


def test_improvement_over_the_mean_of_the_others():
    # 6 of 10 against a mean of (0.4 + 0.2) / 2: twice as much
    own, others = [1.0] * 6 + [0.0] * 4, [[1.0] * 4 + [0.0] * 6, [1.0] * 2 + [0.0] * 8]
    found = improvement(own, others)
    assert (found.n, found.score, found.kind, found.few) == (10, 0.6, "comfort", False)
    assert found.dsi == pytest.approx(1.0)
    # Wilson's interval of 6 of 10: 0.3127 to 0.8318; the lower end is 4 % above 0.3, less than the threshold
    assert (found.low, found.high) == (pytest.approx(0.3127, abs=1e-4), pytest.approx(0.8318, abs=1e-4))
    assert not found.sure
    assert improvement(own, others, threshold=0.04).sure


def test_strange_in_between_and_too_few():
    assert improvement([0.0] * 9 + [1.0], [[1.0] * 5 + [0.0] * 5]).kind == "strange"
    assert improvement([1.0, 0.0], [[1.0, 0.0]]).kind == ""
    assert improvement([1.0, 0.0], [[1.0, 0.0]]).few


def test_no_score_of_the_others_gives_no_figure():
    for others in ([], [[0.0, 0.0]]):
        found = improvement([1.0, 1.0], others)
        assert (found.dsi, found.kind, found.sure) == (None, "", False)
    with pytest.raises(InputError, match="without samples"):
        improvement([], [[1.0]])


def test_labels_of_a_table():
    passes = np.array([[1, 1, 1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1, 0, 0]])
    assert labels(passes, [0, 0, 0, 0, 1, 1, 1, 1]).tolist() == [[1, -1], [-1, 1]]
    # Wilson's interval of 2 of 4 ends at 0.85, more than 10 % below the other's 1.0; that of 4 of 4 begins at 0.51, near 0.5
    assert labels(passes, [0, 0, 0, 0, 1, 1, 1, 1], interval=True).tolist() == [[0, 0], [-1, 0]]
