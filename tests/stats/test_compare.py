"""Comparisons against scipy, statsmodels, a brute-force likelihood, and hand values."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind
from steelyard.stats.compare import adjust, compare, compare_times, verdict
from steelyard.stats.pairs import holm, mcnemar, sign_flip, tango, tost
from steelyard.stats.power import cases_needed, detectable, more_to_settle


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_statsmodels(b, c):
    expected = sm_mcnemar([[5, b], [c, 5]], exact=True).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(float(expected))


@pytest.mark.parametrize(("b", "c", "n"), [(9, 2, 40), (1, 0, 44), (209, 152, 1319), (0, 7, 30)])
def test_tango_ends_are_where_the_score_statistic_is_z(b, c, n):
    """The profile likelihood is maximised numerically; nothing of the closed form is used."""

    def score(d):
        # P(only A) = q + d, P(only B) = q, the rest 1 - 2q - d
        def loss(q):
            p = np.clip([q + d, q, 1 - 2 * q - d], 1e-300, 1)
            return -(b * np.log(p[0]) + c * np.log(p[1]) + (n - b - c) * np.log(p[2]))

        q = optimize.minimize_scalar(loss, bounds=(max(0, -d), (1 - d) / 2), options={"xatol": 1e-12}).x
        return (b - c - n * d) / math.sqrt(n * (2 * q + d - d * d))

    low, high = tango(b, c, n)
    assert score(low) == pytest.approx(1.959964, abs=2e-3)
    assert score(high) == pytest.approx(-1.959964, abs=2e-3)


def test_tango_by_hand_without_discordant_pairs():
    # b = c = 0: the score is n d / sqrt(n (|d| - d^2 + ...)) with q = max(0, -d): d = z^2 / (n + z^2)
    z2 = 1.959964**2
    assert tango(0, 0, 100) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_leaves_missing_p_alone():
    assert holm([0.01, math.nan, 0.04]).tolist() == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)


@settings(max_examples=25)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=10))
def test_exact_sign_flips_equal_scipy(d):
    x = np.array(d, float)
    expected = stats.permutation_test(
        (x,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    ).pvalue
    # scipy doubles the smaller tail; of a symmetric distribution that is the same as counting |sum|
    assert sign_flip(x) == pytest.approx(min(1.0, float(expected)))


def test_random_sign_flips_agree_with_the_t_test():
    d = np.random.default_rng(0).normal(0.15, 1, 200)
    assert sign_flip(d) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.008)


def test_sign_flips_without_evidence():
    assert sign_flip(np.zeros(20)) == 1.0
    assert sign_flip(np.array([1.0])) == 1.0
    assert math.isnan(sign_flip(np.empty(0)))


def test_tost_equals_statsmodels():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.02, 0.2, 60), rng.normal(0, 0.2, 60)
    assert tost(a - b, 0.1) == pytest.approx(float(ttost_paired(a, b, -0.1, 0.1)[0]))
    with pytest.raises(InputError):
        tost([0.0, 1.0], 0)


def test_paired_mean_equals_scipy():
    rng = np.random.default_rng(1)
    a = rng.random(50)
    b = a + rng.normal(0.05, 0.1, 50)
    c = compare(a, b, Kind.FRACTION)
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert (c.low, c.high) == pytest.approx((expected.low, expected.high))
    assert c.effect == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    assert (c.verdict, c.n) == ("worse", 50)


def test_binary_comparison_by_hand():
    a = np.array([1] * 20 + [0] * 10)
    b = np.array([1] * 10 + [0] * 20)
    c = compare(a, b, Kind.BINARY)
    assert c.estimate == pytest.approx(1 / 3)
    assert c.p == pytest.approx(2 / 1024)  # 10 against 0: twice (1/2)^10
    assert (c.effect_name, c.effect) == ("Cohen's g", 0.5)
    assert c.verdict == "better"


def test_groups_are_the_unit():
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(8), 25)
    a = (rng.random(8)[group] > 0.4).astype(float)
    b = (rng.random(8)[group] > 0.6).astype(float)
    loose, tied = compare(a, b, Kind.BINARY), compare(a, b, Kind.BINARY, groups=group.tolist())
    assert tied.clusters == 8
    assert tied.high - tied.low > 3 * (loose.high - loose.low)
    assert tied.p > loose.p
    assert "fewer than 10 clusters" in tied.notes


def test_item_sets_intersect_and_say_what_was_lost():
    c = compare([1, 0, 1], [1, 1], Kind.BINARY, ids_a=["x", "y", "z"], ids_b=["z", "w"])
    assert (c.n, c.lost, c.estimate) == (1, 3, 0.0)
    with pytest.raises(InputError, match="duplicate case ids: x"):
        compare([1, 0], [1, 1], Kind.BINARY, ids_a=["x", "x"], ids_b=["x", "y"])
    with pytest.raises(InputError, match="without ids"):
        compare([1, 0], [1], Kind.BINARY)


def test_missing_values_count_by_a_declared_rule():
    a, b = [1, math.nan, 1, 0], [0, 1, 0, 0]
    excluded, zero = compare(a, b, Kind.BINARY), compare(a, b, Kind.BINARY, missing="zero")
    assert (excluded.n, excluded.failed, excluded.estimate) == (3, 1, pytest.approx(2 / 3))
    assert (zero.n, zero.failed, zero.estimate) == (4, 1, pytest.approx(1 / 4))
    with pytest.raises(InputError, match="cannot count as 0"):
        compare(a, b, Kind.DURATION, missing="zero")


def test_trials_of_a_score_are_averaged_within_the_case():
    a = np.array([[1, 0, 1], [1, 1, math.nan]])
    assert compare(a, np.zeros((2, 3)), Kind.BINARY).estimate == pytest.approx((2 / 3 + 1) / 2)


def test_times_give_a_ratio():
    rng = np.random.default_rng(0)
    noise = rng.lognormal(0, 0.02, (2, 6, 20))
    size = np.arange(1, 7)[:, None]
    c = compare(size * noise[0], 1.5 * size * noise[1], Kind.DURATION, Direction.LOWER)
    assert c.scale == "ratio"
    assert c.low < 1 / 1.5 < c.high
    assert c.high - c.low < 0.02
    assert c.verdict == "faster"
    assert c.p < 0.001


def test_common_drift_cancels_in_interleaved_rounds():
    rng = np.random.default_rng(1)
    drift = np.exp(np.linspace(0, 1, 40))
    a, b = (drift * rng.lognormal(0, 0.01, 40) for _ in range(2))
    c = compare_times(a, b)
    assert c.p > 0.05
    assert c.verdict == "no difference shown"


def test_few_rounds_are_told_apart_by_a_t_test():
    """Five rounds have 32 patterns of signs, so that no p below 1/16 is possible; a ratio of three is one all the same."""
    rng = np.random.default_rng(2)
    a, b = rng.lognormal(1.1, 0.05, 5), rng.lognormal(0, 0.05, 5)
    c = compare_times(a, b)
    assert c.p == pytest.approx(float(stats.ttest_rel(np.log(a), np.log(b)).pvalue))
    assert c.p < 0.001
    assert c.verdict == "slower"
    assert any("t test" in note for note in c.notes)


def test_time_bad_input():
    with pytest.raises(InputError, match="positive"):
        compare_times([0.0, 1], [1, 1])
    with pytest.raises(InputError, match="not paired"):
        compare_times([1.0, 1], [1, 1, 1])
    once = compare_times([[1.0], [2.0], [3.0]], [[1.1], [2.3], [3.1]])
    assert "one round a case: a single run is not a distribution" in once.notes


def test_equivalence_needs_the_interval_inside_the_margin():
    rng = np.random.default_rng(5)
    a = rng.random(400)
    b = a + rng.normal(0, 0.02, 400)
    assert compare(a, b, Kind.FRACTION, margin=0.01).verdict == "equivalent"
    assert compare(a[:6], b[:6], Kind.FRACTION, margin=0.001).verdict == "no difference shown"
    t = compare_times(rng.lognormal(0, 0.01, (4, 30)), rng.lognormal(0, 0.01, (4, 30)), margin=0.05)
    assert t.verdict == "equivalent"


def test_holm_takes_verdicts_back():
    c = compare([1.0] * 8 + [0.5, 0.7], [0.5] * 8 + [1.0, 0.5], Kind.REAL)
    family = [replace(c, p=0.02, p_adjusted=0.02), replace(c, p=0.5), replace(c, p=0.9)]
    assert verdict(family[0]) == "better"
    after = adjust(family)
    assert [a.p_adjusted for a in after] == pytest.approx([0.06, 1.0, 1.0])
    assert {a.verdict for a in after} == {"no difference shown"}
    assert adjust(family[:1])[0].verdict == "better"


def test_same_seed_same_digits():
    x = np.random.default_rng(0).lognormal(0, 0.1, (2, 3, 12))
    assert compare_times(x[0], x[1], seed=3) == compare_times(x[0], x[1], seed=3)


def test_power_by_hand():
    # (1.95996 + 0.84162)^2 = 7.8489; times .25 / .05^2 = 784.9
    assert cases_needed(0.05, 0.25) == 785
    assert detectable(785, 0.25) == pytest.approx(0.05, rel=1e-3)
    # more trials shrink only the second part
    assert cases_needed(0.05, 0.1, 0.2, 0.2, 10, 10) == math.ceil(7.8489 * 0.14 / 0.0025)
    with pytest.raises(InputError):
        cases_needed(0, 1)


def test_power_is_what_a_simulation_finds():
    rng = np.random.default_rng(0)
    n = cases_needed(0.3, 1.0)
    hits = np.mean([stats.ttest_1samp(d, 0).pvalue < 0.05 for d in rng.normal(0.3, 1, (2000, n))])
    assert hits == pytest.approx(0.8, abs=0.03)


def test_more_to_settle():
    # half width 0.1 at n = 100, gap 0.05: (2.8016 / 1.95996 * 2)^2 * 100 - 100
    assert more_to_settle(100, 0.1, 0.05) == math.ceil(100 * (2.801585 / 1.959964 * 2) ** 2) - 100
    assert more_to_settle(100, 0.1, 0.0) is None
