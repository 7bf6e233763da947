"""The rules of EvalPlus for when an output is right."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.benchmarks.code import programs
from steelyard.benchmarks.code.mbpp import oracles
from steelyard.benchmarks.code.mbpp.plus import PlusTask, restore
from tests.conftest import need


def right(out, wanted, atol=0.0, entry_point="f", given=()):
    return oracles.agrees(entry_point, given, out, wanted, atol)


def test_exact_without_a_tolerance():
    assert right([1, 2], [1, 2])
    assert not right((1, 2), [1, 2])
    assert not right(0.1 + 0.2, 0.3)


def test_tolerance_is_absolute_plus_relative_and_wants_the_same_type():
    assert right(0.1 + 0.2, 0.3, 1e-6)
    assert right(1e9 + 50, 1e9, 1e-6), "relative 1e-7 of 1e9 is 100"
    assert not right(1e9 + 150, 1e9, 1e-6)
    assert not right(1, 1.0000001, 1e-6)
    assert not right([1.0], [1.0, 2.0], 1e-6)
    assert not right(math.nan, math.nan, 1e-6)
    assert right(math.inf, math.inf, 1e-6)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_close_agrees_with_numpy(out, wanted):
    import numpy as np

    assert oracles.close(out, wanted, 1e-6) == bool(np.allclose(out, wanted, rtol=1e-7, atol=1e-6))


def test_special_oracles():
    assert right(False, True, entry_point="are_equivalent")
    assert right(0, 7, entry_point="sum_div")
    assert not right(1, 7, entry_point="sum_div")
    assert right([2, 1, 1], (1, 2), entry_point="similar_elements")
    assert right("found", True, entry_point="check_str")
    assert right(None, False, entry_point="check_str")
    assert not right(None, True, entry_point="check_str")
    assert right(35, 0, entry_point="surface_Area", given=(3, 4)), "9 + 6 sqrt(18.25) = 34.6"
    assert not right(34, 0, entry_point="surface_Area", given=(3, 4))
    assert oracles.digit_distance(1, 256) == 12, "|0-2| + |0-5| + |1-6|"


def test_restored_inputs():
    assert restore(2, [[[1, 2], [3]]]) == [[(1, 2), (3,)]]
    assert restore(63, [[[[1, 2], [3]]]]) == [[[(1, 2), (3,)]]]
    assert restore(115, [[[[1], []]]]) == [[[{1}, {}]]], "an empty set became a dictionary, as published"
    assert restore(124, [["1", "2j"]]) == [[1.0, 2j]]
    assert restore(580, [[[1, [2, [3]]]]]) == [[(1, (2, (3,)))]]
    assert restore(722, [[{"a": [1, 2]}, 5]]) == [[{"a": (1, 2)}, 5]]
    assert restore(3, [[[1]]]) == [[[1]]]


HALF = PlusTask("half", "def half(x):\n    return x / 2\n", [[2], [5]], [[1e300], [-3], [float("inf")]], 0)


@pytest.mark.parametrize(
    ("program", "base", "plus"),
    [
        ("def half(x): return x * 0.5", True, True),
        ("def half(x): return x / 2 + 1e-9", True, True),
        ("def half(x): return x // 2", False, False),
        ("def half(x): return abs(x) / 2", True, False),
        ("def half(x): return x / 0", False, False),
        ("def other(x): return x / 2", False, False),
        ("def reference(x): return 0\ndef judge(*a): pass\ndef half(x): return 0", False, False),
    ],
)
def test_inputs_are_called_in_the_sandbox(program, base, plus):
    need("bwrap")
    for inputs, wanted in ((HALF.base, base), (HALF.plus, plus)):
        assert programs.check(program, HALF.tests(inputs), HALF.seconds(inputs)).passed == wanted


def test_time_for_all_inputs():
    """EvalPlus: 4 s each, at most 60 s, and 1 s; 10 s more for the reference."""
    assert HALF.seconds([[1]] * 3) == 23.0
    assert HALF.seconds([[1]] * 100) == 71.0
