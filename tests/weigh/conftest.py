"""A toy benchmark in a package of its own, found by its entry point as anyone's would be."""

import sys
from pathlib import Path

import pytest

from steelyard import catalog

CARD = """
name = "toy"
kind = "benchmark"
title = "Toy"
summary = "Doubles numbers."
track = "kernels"
interface = "kernel"
entry = "toy_beam.bench:Toy"
trials = 2
{timing}

[[metrics]]
name = "score"
direction = "higher"
kind = "real"
primary = true
"""
BENCH = """
from steelyard.core.words import Case

class Toy:
    def cases(self, data):
        return [Case(f"n{i}", float(i), {"size": i}) for i in range(1, 5)]

    def measure(self, contender, case, trial):
        return {"score": contender(case.payload)}
"""
CONTENDERS = """
import os, signal, time

def good(x): return 2 * x
def nan(x): return float("nan")
def raises(x): raise ValueError("no such thing")
def crashes(x): os.kill(os.getpid(), signal.SIGSEGV)
def leaves(x): os._exit(3)
def exits(x): raise SystemExit(0)
def hangs(x): time.sleep(60)
def greedy(x): return float(len(bytearray(1 << 40)))
def slow(x): time.sleep(0.05); return x
def brief(x): time.sleep(0.002); return x
"""


def install(root: Path, monkeypatch: pytest.MonkeyPatch, card: str, bench: str) -> None:
    """A package `toy_beam` with one benchmark, put on the path."""
    (root / "toy_beam" / "cards" / "toy").mkdir(parents=True)
    (root / "toy_beam" / "__init__.py").touch()
    (root / "toy_beam" / "bench.py").write_text(bench)
    (root / "toy_beam" / "cards" / "toy" / "card.toml").write_text(card)
    info = root / "toy_beam-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-beam\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[steelyard.cards]\ntoy = toy_beam.cards\n")
    monkeypatch.syspath_prepend(str(root))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The path of a file of contenders; the benchmark `toy` is in the catalog meanwhile."""
    install(tmp_path / "site", monkeypatch, CARD.format(timing=""), BENCH)
    contenders = tmp_path / "mine.py"
    contenders.write_text(CONTENDERS)
    catalog.entries.cache_clear()
    yield contenders
    catalog.entries.cache_clear()
    for name in [m for m in sys.modules if m.startswith("toy_beam")]:
        del sys.modules[name]
