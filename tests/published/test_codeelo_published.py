"""Five real rounds: the platform's changes to the digit, and the ratings and percentiles that the paper's rule gives."""

import numpy as np
import pytest

from steelyard.benchmarks.code.codeelo.benchmark import CodeElo
from steelyard.benchmarks.code.codeelo.rounds import read_rounds
from steelyard.benchmarks.stats.contest_rating.benchmark import ContestRating
from steelyard.contenders.analysis.platform_update import PlatformUpdate
from steelyard.core.interfaces import Replay
from steelyard.stats.contest import percentile_of, place, rating_at, seeds, win_probability


@pytest.fixture(scope="module")
def found(shared):
    return read_rounds(str(shared / "data" / "codeelo"), published=True)


@pytest.fixture(scope="module")
def contests(found):
    return {r.contest.id: r.contest for r in found.rated}


def test_every_change_of_49509_participants(shared):
    bench = ContestRating()
    cases = [c for c in bench.cases(str(shared / "data" / "codeelo")) if c.attributes["kind"] == "round"]
    assert sum(c.attributes["participants"] for c in cases) == 49_509
    assert [bench.measure(PlatformUpdate(), c, 0).metrics["changes_reproduced"] for c in cases] == [1.0] * 5


@pytest.mark.parametrize(
    ("contest", "score", "penalty", "rank", "rating"),
    [
        ("1350", 4233, 0, 120, 1998),
        ("1350", 1357, 0, 2986, 1650),
        ("1350", 486, 0, 5977, 1400),
        ("1350", 0, 0, 11932, 0),
        ("1342", 4, 89, 150, 2198),
        ("1342", 2, 83, 7477, 1400),
    ],
)
def test_executed_examples_of_the_official_formula(contests, contest, score, penalty, rank, rating):
    where = contests[contest]
    assert place(where.points, where.penalty, score, penalty) == rank
    assert rating_at(where.ratings, rank) == rating


def test_seeds_by_convolution_are_the_direct_sums(contests):
    ratings = contests["1342"].ratings
    at = np.arange(0, 4000, 61)
    direct = 1 + win_probability(ratings, at[:, None]).sum(axis=1)
    assert np.abs(seeds(ratings, 0, 4000)[at] - direct).max() < 1e-8


def test_humans_and_the_published_percentiles(found, shared):
    humans = found.humans
    assert (humans.size, humans[0], humans[-1], np.median(humans)) == (717_421, -53, 4009, 1073)
    assert percentile_of([1578, 1261], humans).round(1).tolist() == [89.2, 63.6]
    bench = CodeElo()
    overall = bench.cases(str(shared / "data" / "codeelo"))[-1]
    assert round(bench.measure(Replay("o1-mini"), overall, 0).metrics["overall_percentile"], 1) == 89.2
