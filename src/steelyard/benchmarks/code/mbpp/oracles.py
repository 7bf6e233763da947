"""When is an output right? The rules of EvalPlus for MBPP+. Standard library only: the source runs inside the sandbox.

Facts (tolerances, task lists) after evalplus/evalplus, commit 26d6d00b.
"""

import copy
import math
import signal
import time
from collections.abc import Callable
from typing import Any

RTOL = 1e-7
FLOAT_ATOL = 1e-6  # where a task states none and its expected output is of floats
INPUT_S = 4.0  # seconds an input may take at least
SLOWER = 4.0  # times the reference's own time that it may take

AS_SETS = {
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum", "intersection_array",
    "find_dissimilar", "Diff",
}  # fmt: skip
NOT_NONE = {"check_str", "text_match_three", "text_starta_endb"}


def judge(
    entry_point: str, function: Callable[..., Any], reference: Callable[..., Any], inputs: list[Any], atol: float
) -> None:
    """Call `function` on every input and compare with `reference`; raises AssertionError at the first that differs."""
    expected, limits = [], []
    for given in inputs:
        started = time.perf_counter()
        value = reference(*copy.deepcopy(given))
        limits.append(max(INPUT_S, SLOWER * (time.perf_counter() - started)))
        expected.append(value is not None if entry_point in NOT_NONE else value)
    signal.signal(signal.SIGALRM, too_slow)
    for number, (given, wanted, seconds) in enumerate(zip(inputs, expected, limits, strict=True)):
        kept = copy.deepcopy(given)  # for oracles that read the input, whatever the function does to it
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            out = function(*given)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if atol == 0 and of_floats(wanted):
            atol = FLOAT_ATOL  # and so for all inputs that follow, as published
        if not agrees(entry_point, kept, out, wanted, atol):
            raise AssertionError(f"input {number}: {repr(out)[:200]} instead of {repr(wanted)[:200]}")


def too_slow(number: int, frame: Any) -> None:
    raise TimeoutError("an input took longer than its limit")


def agrees(entry_point: str, given: Any, out: Any, wanted: Any, atol: float) -> bool:
    """Whether `out` counts as right for `wanted`: equal, right by the task's own oracle, or close."""
    right = out == wanted
    if entry_point == "are_equivalent":
        right = True
    elif entry_point == "sum_div":
        right = right or out == 0
    elif entry_point == "surface_Area":
        right = right or abs(out - pyramid_surface(*given)) <= atol
    elif entry_point == "digit_distance_nums":
        right = right or out == digit_distance(*given)
    elif entry_point in AS_SETS:
        right = set(out) == set(wanted)
    elif entry_point in NOT_NONE:
        right = out == wanted if isinstance(out, bool) else wanted == (out is not None)
    if right or atol == 0:
        return bool(right)
    if type(out) is not type(wanted) or (isinstance(wanted, (list, tuple)) and len(out) != len(wanted)):
        return False
    return close(out, wanted, atol)


def of_floats(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def close(out: Any, wanted: Any, atol: float) -> bool:
    """|out - wanted| <= atol + 1e-7 |wanted|, number by number; raises TypeError for what is no number."""
    if isinstance(wanted, (list, tuple)):
        return len(out) == len(wanted) and all(close(a, b, atol) for a, b in zip(out, wanted, strict=True))
    if math.isinf(wanted) or math.isinf(out):
        return bool(out == wanted)
    return bool(abs(out - wanted) <= atol + RTOL * abs(wanted))


def pyramid_surface(base: float, height: float) -> int:
    """Surface of a square pyramid whose `height` is the perpendicular one, rounded (Mbpp/581)."""
    return round(base**2 + 2 * base * math.sqrt((base / 2) ** 2 + height**2))


def digit_distance(a: int, b: int) -> int:
    """Sum of the differences of the digits of two numbers, the shorter filled with zeros (Mbpp/558)."""
    width = max(len(str(a)), len(str(b)))
    return sum(abs(int(x) - int(y)) for x, y in zip(str(a).zfill(width), str(b).zfill(width), strict=True))
