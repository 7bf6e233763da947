"""A project of a few lines, written for each test."""

import pytest

from steelyard.benchmarks.code.repositories import project
from tests.conftest import need

MODULE = '''"""Numbers."""

LIMIT = 3


def double(x):
    """Return twice x.

    More words.
    """

    # a comment before the code
    y = x + x
    return y


class Box:
    @property
    def size(self): return 1

    def clip(
        self,
        x,  # up to LIMIT:
    ) -> int:
        if x > LIMIT:
            return LIMIT
        return x
'''
TESTS = """import os, time, socket
import pytest
import numbers_
from numbers_ import Box, double

def test_double():
    assert double(2) == 4

@pytest.mark.parametrize("x, y", [(1, 1), (5, 3)])
def test_clip(x, y):
    assert Box().clip(x) == y

def test_network():
    socket.create_connection(("192.0.2.1", 80), timeout=0.2)

def test_order():
    assert not hasattr(numbers_, "seen")

def test_zz_leaves_a_mark():
    numbers_.seen = True
    open("left.txt", "w").write("x")

@pytest.mark.skipif(True, reason="never")
def test_skipped():
    pass
"""


@pytest.fixture
def numbers(tmp_path):
    need("bwrap")
    root = tmp_path / "numbers"
    (root / "tests").mkdir(parents=True)
    (root / "numbers_.py").write_text(MODULE)
    (root / "tests" / "test_numbers.py").write_text(TESTS)
    root.chmod(0o755)
    return project.laid_out(root, "numbers")
