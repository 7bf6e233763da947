"""Chunk serving: waits by hand and by queueing theory, and streams whose counts are known."""

import numpy as np
import pytest

from steelyard import catalog
from steelyard.benchmarks.serving.chunk_serving.benchmark import LOADS, ChunkServing
from steelyard.benchmarks.serving.chunk_serving.queueing import first_tokens, highest_rate, poisson_gaps
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec


def test_waits_by_hand():
    first, busy = np.array([1.0, 1.0, 1.0, 1.0]), np.array([2.0, 3.0, 1.0, 1.0])
    gaps = np.array([[5.0, 1.0, 1.0, 10.0]])
    # arrivals 5, 6, 7, 17; starts 5, 7, 10, 17; first tokens 6, 8, 11, 18
    assert first_tokens(first, busy, gaps).tolist() == [[1, 2, 4, 1]]


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_waits_are_those_of_pollaczek_and_khinchine(load):
    """Mean wait load / (2 (1 - load)) for a service of one second, load / (1 - load) for an exponential one."""
    gaps, n = poisson_gaps(20, 50_000, 1) / load, 50_000
    fixed, varied = np.ones(n), np.random.default_rng(2).exponential(size=n)
    assert first_tokens(np.zeros(n), fixed, gaps).mean() == pytest.approx(load / (2 * (1 - load)), rel=0.03)
    assert first_tokens(np.zeros(n), varied, gaps).mean() == pytest.approx(load / (1 - load), rel=0.05)


def test_the_highest_rate_is_that_of_the_formula_and_never_more_than_the_server_can_do():
    one, gaps = np.ones(20_000), poisson_gaps(8, 20_000, 3)
    assert highest_rate(one, one, gaps, 2.0) == pytest.approx(2 / 3, rel=0.02)  # load / (2 (1 - load)) = 1
    assert highest_rate(one / 4, one / 4, gaps, 2.0) == pytest.approx(4 * 14 / 15, rel=0.02)  # ... = 7
    assert highest_rate(one, one, gaps, 0.9) == 0
    assert highest_rate(one, one, gaps, 1e9) == 1


@pytest.fixture(scope="module")
def measured():
    """A stream of four prompts of two requests, under each method once."""
    bench = ChunkServing(requests=2, passages=3, words=22, stream=4, most=3)
    cases = {case.id: case for case in bench.cases(None)}
    names = ("full", "prefix-cache", "blend[ratio=0]", "blend")
    made = {name: catalog.make_contender(parse_spec(name), "cache") for name in names}
    found = {(n, c): bench.measure(made[n], case, 0) for n in names for c, case in cases.items()}
    return bench, cases, found


def test_cases_are_answers_that_are_short_enough_and_single_rates(measured):
    _, cases, _ = measured
    assert list(cases) == ["highest-rate/1-new", *(f"rate/{x:g}" for x in LOADS)]


def test_counts_are_exact(measured):
    bench, _, found = measured
    case = "rate/0.5"
    assert found["full", case]["computed_share"] == 1
    assert [found[n, case]["misses"] for n in ("full", "blend[ratio=0]", "blend")] == [0, 0, 0]
    tokens = [len(p.ids) for p in bench._prompts]
    asked, first = [len(p.question) for p in bench._prompts], len(bench._prompts[0].chunks[0])
    share = found["blend[ratio=0]", case]["computed_share"]
    of_each = [a / t for a, t in zip(asked, tokens, strict=True)]
    assert min(of_each) <= share <= max(of_each)
    share = found["prefix-cache", case]["computed_share"]
    assert min(of_each) < share <= max(1 - first / t for t in tokens)  # the introduction is always found


def test_times_follow_from_the_services(measured):
    _, _, found = measured
    for name in ("full", "blend"):
        at = [found[name, f"rate/{x:g}"] for x in LOADS]
        first = [m["time_to_first_token"] for m in at]
        assert first == sorted(first)
        assert all(m["utilisation"] == pytest.approx(m["rate"] * m["service_time"]) for m in at)
        highest = found[name, "highest-rate/1-new"]
        assert 0 < highest["requests_per_s"] <= 1 / highest["service_time"]
    assert [found["full", f"rate/{x:g}"]["utilisation"] for x in LOADS] == pytest.approx(LOADS)
    limits = {found[name, "highest-rate/1-new"]["latency_limit"] for name in ("full", "blend")}
    assert len(limits) == 1  # the same one for all


@pytest.mark.parametrize("wrong", [{"stream": 1}, {"most": 0}, {"limit": 1.0}, {"words": 3}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(InputError):
        ChunkServing(**wrong)
