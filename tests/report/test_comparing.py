"""How many more would settle a comparison."""

from types import SimpleNamespace

from steelyard.report.comparing import more_needed


def test_a_single_round_whose_interval_is_everything_asks_for_no_number():
    one = SimpleNamespace(verdict="no difference shown", low=0.0, high=8e307, scale="ratio", clusters=1, estimate=1.2)
    assert more_needed(one) is None
