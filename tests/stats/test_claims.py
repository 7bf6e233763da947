"""The judge on data whose truth is known."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind
from steelyard.stats.claims import Drawn, Samples, Table, case_weights, judge, out_of_reach
from steelyard.stats.pairs import mcnemar


@dataclass(frozen=True)
class Said:
    expect: str
    over: str = "mean"
    statistic: str = "difference"
    contender: str = "a"
    baseline: str = "b"
    margin: float | None = None


def weighed(said, table, **tables):
    return judge(said, Samples({"": table, **tables}, draws=2000))


def timings(ratios, rounds=30, noise=0.03, seed=0, **more):
    """A table of times where baseline / contender is `ratios`, case by case."""
    rng = np.random.default_rng(seed)
    size = np.linspace(1, 9, len(ratios))[:, None]
    a = size * rng.lognormal(0, noise, (len(ratios), rounds))
    b = size * np.array(ratios)[:, None] * rng.lognormal(0, noise, (len(ratios), rounds))
    others = {k: b * v for k, v in more.items()}
    return Table({"a": a}, {"b": b, **others}, Kind.DURATION, Direction.LOWER, "trials")


@pytest.mark.parametrize(
    ("expect", "verdict"),
    [
        ("baseline / contender >= 1.20", "holds"),
        ("baseline / contender >= 1.45", "fails"),
        ("baseline / contender >= 1.30", "undecided"),
        ("1.2 <= baseline / contender <= 1.4", "holds"),
        ("1 - contender / baseline >= 0.20", "holds"),
        ("baseline / contender <= 1.2", "fails"),
        ("contender < baseline", "holds"),
        ("not contender / baseline > 0.9", "holds"),
    ],
)
def test_one_case_against_a_known_ratio(expect, verdict):
    assert weighed(Said(expect, "median", "ratio"), timings([1.3])).verdict == verdict


def test_up_to_is_judged_on_the_best_case_and_the_typical_stands_beside():
    j = weighed(Said("baseline / contender >= 1.2", "max", "ratio"), timings([1.0, 1.05, 1.1, 1.3]))
    assert j.verdict == "holds"
    assert j.low < 1.3 < j.high
    assert j.typical is not None
    assert j.typical[1] < 1.075 < j.typical[2]
    least = weighed(Said("baseline / contender >= 1.2", "min", "ratio"), timings([1.0, 1.05, 1.1, 1.3]))
    assert least.verdict == "fails"


def test_choosing_the_best_of_many_equal_cases_proves_nothing():
    equal = timings([1.0] * 40, rounds=15, noise=0.1)
    best = np.median(equal.baseline["b"], axis=1) / np.median(equal.contender["a"], axis=1)
    assert best.max() > 1.05  # the largest measured ratio looks like a gain
    assert weighed(Said("baseline / contender > 1", "max", "ratio"), equal).verdict == "undecided"


def test_more_rounds_settle_what_they_are_said_to():
    few = weighed(Said("baseline / contender >= 1.27", "median", "ratio"), timings([1.3], rounds=10, noise=0.1))
    assert few.verdict == "undecided"
    assert few.more_needed is not None
    assert few.unit == "trials"
    many = timings([1.3], rounds=10 + 3 * few.more_needed, noise=0.1)
    assert weighed(Said("baseline / contender >= 1.27", "median", "ratio"), many).verdict == "holds"


def test_geomean_of_ratios_equals_ratio_of_geomeans():
    j = weighed(Said("baseline / contender > 1", "geomean", "ratio"), timings([1.1, 1.4, 1.2]))
    assert j.value == pytest.approx((1.1 * 1.4 * 1.2) ** (1 / 3), rel=0.02)


def test_a_single_run_decides_nothing():
    j = weighed(Said("baseline / contender >= 1.1", "median", "ratio"), timings([9.0], rounds=1))
    assert j.verdict == "undecided"
    assert "a single run is not a distribution" in j.notes
    assert j.more_needed is None


def test_counts_collapse_to_a_point():
    table = Table({"a": [4.0, 8]}, {"b": [8.0, 16]}, Kind.COUNT, Direction.LOWER, "trials")
    j = weighed(Said("contender / baseline <= 0.5", "max", "ratio"), table)
    assert (j.verdict, j.low, j.high) == ("holds", 0.5, 0.5)
    assert weighed(Said("contender / baseline < 0.5", "max", "ratio"), table).verdict == "fails"


def test_gold_data_and_audit_are_counted_not_sampled():
    table = Table({"gold": np.ones(12)}, kind=Kind.BINARY)
    said = Said("value == 1", contender="gold", baseline="", statistic="share")
    assert weighed(said, table).verdict == "holds"
    one_wrong = Table({"gold": np.r_[np.ones(11), 0]}, kind=Kind.BINARY)
    assert weighed(said, one_wrong).verdict == "fails"
    exact = Said("value >= 0.9", contender="data[official]", baseline="", statistic="value")
    j = weighed(exact, Table({"d": np.r_[np.ones(11), 0]}, kind=Kind.BINARY))
    assert (j.verdict, j.low, j.high) == ("holds", 11 / 12, 11 / 12)


def test_twelve_out_of_twelve_is_no_proof_of_99_percent():
    j = weighed(Said("value > 0.99", baseline="", statistic="value"), Table({"a": np.ones(12)}, kind=Kind.BINARY))
    assert j.verdict == "undecided"
    assert j.high == 1.0
    # the 2.5% quantile of Beta(13, 1) is .025^(1/13)
    assert j.low == pytest.approx(0.025 ** (1 / 13), abs=0.02)


def test_equality_of_a_computed_figure():
    table = Table({"d": np.r_[np.ones(1624), np.zeros(1108)]}, kind=Kind.BINARY)
    assert weighed(Said("value == 1624 / 2732", contender="data", baseline=""), table).verdict == "holds"
    assert weighed(Said("round(value, 2) == 0.59", contender="data", baseline=""), table).verdict == "holds"


def test_no_difference_is_not_shown_by_a_small_sample():
    rng = np.random.default_rng(0)
    few = (rng.random(15) < 0.5).astype(float)
    said = Said("abs(contender - baseline) <= margin", statistic="equivalence", margin=0.05)
    assert weighed(said, Table({"a": few}, {"b": few}, Kind.BINARY)).verdict == "undecided"
    many = (rng.random(2000) < 0.5).astype(float)
    assert weighed(said, Table({"a": many}, {"b": many}, Kind.BINARY)).verdict == "holds"
    assert weighed(said, Table({"a": many}, {"b": 1 - 0 * many}, Kind.BINARY)).verdict == "fails"
    assert "abs(contender - baseline) <= margin" in weighed(said, Table({"a": few}, {"b": few}, Kind.BINARY)).detail


def test_a_difference_unequal_to_0_needs_an_interval_without_0():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 60))
    assert weighed(Said("abs(contender - baseline) > 0"), Table({"a": a}, {"b": b})).verdict == "undecided"
    assert weighed(Said("contender != baseline"), Table({"a": a + 2}, {"b": b})).verdict == "holds"
    assert weighed(Said("contender != baseline"), Table({"a": a}, {"b": a}, unit="none")).verdict == "fails"


def test_groups_widen():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(6), 50)
    a = rng.normal(0.3, 0.6, 6)[group] + rng.normal(0, 0.1, 300)
    loose = weighed(Said("contender - baseline > 0"), Table({"a": a}, {"b": 0 * a}))
    tied = weighed(Said("contender - baseline > 0"), Table({"a": a}, {"b": 0 * a}, groups=group.tolist()))
    assert tied.high - tied.low > 5 * (loose.high - loose.low)
    assert "only 6 independent cases" in tied.notes


def test_alternatives_must_each_be_beaten():
    table = timings([1.3], c=0.7)  # c is faster than a: .91
    said = Said("baseline / contender > 1", "median", "ratio", baseline="b | c")
    j = weighed(said, table)
    assert j.verdict == "fails"
    assert [p.verdict for p in j.parts] == ["holds", "fails"]
    assert "(c)" in j.parts[1].text
    best = weighed(Said("baseline / contender > 1", "median", "ratio", baseline="best of {b, c}"), table)
    worst = weighed(Said("baseline / contender > 1", "median", "ratio", baseline="worst of {b, c}"), table)
    assert (best.verdict, worst.verdict) == ("fails", "holds")
    assert best.value == pytest.approx(0.91, abs=0.03)


def test_a_set_is_pooled():
    table = Table({"x": [1.0] * 30, "y": [3.0] * 30}, {"b": [1.0] * 30}, unit="none")
    assert weighed(Said("contender - baseline == 1", contender="{x, y}"), table).verdict == "holds"
    largest = Said("value >= 3", "max", "value", contender="{x, y}", baseline="")
    assert weighed(largest, Table(table.contender, unit="none")).verdict == "holds"


def test_rank_in_a_field():
    rng = np.random.default_rng(3)
    field = {"b": rng.normal(0, 1, 80), "c": rng.normal(0.2, 1, 80)}
    said = Said("rank == 1", statistic="order", baseline="b | c")
    assert weighed(said, Table({"a": rng.normal(1, 1, 80)}, field)).verdict == "holds"
    assert weighed(said, Table({"a": rng.normal(0.2, 1, 80)}, field)).verdict == "undecided"
    assert weighed(said, Table({"a": rng.normal(-1, 1, 80)}, field)).verdict == "fails"
    last = Said("rank == 3", statistic="order", baseline="b | c")
    assert weighed(last, Table({"a": rng.normal(-1, 1, 80)}, field)).verdict == "holds"
    lower = Table({"a": rng.normal(-1, 1, 80)}, field, direction=Direction.LOWER)
    assert weighed(said, lower).verdict == "holds"


def test_a_tie_at_the_top_is_not_the_first_place():
    table = Table({"a": [1.0]}, {"b": [1.0]}, unit="none")
    assert weighed(Said("rank == 1", statistic="order"), table).verdict == "fails"


def test_share_of_cases_won():
    table = Table({"a": [3.0, 2, 1, 5]}, {"b": [1.0, 1, 1, 9]}, unit="none")
    j = weighed(Said("value >= 0.5", statistic="share"), table)
    assert (j.verdict, j.value) == ("holds", 0.5)  # a tie is not a win
    lower = Table(table.contender, table.baseline, unit="none", direction=Direction.LOWER)
    assert weighed(Said("value == 0.25", statistic="share"), lower).verdict == "holds"
    assert weighed(Said("value == 1", statistic="share"), timings([1.5, 2.0, 1.4])).value == 1.0


def test_keys_read_other_metrics():
    time, size = timings([1.3] * 3), Table({"a": [1.0] * 3}, {"b": [4.0] * 3}, Kind.COUNT, Direction.LOWER, "none")
    both = "baseline[time] / contender[time] > 1 and contender[bytes] <= 0.25 * baseline[bytes]"
    assert judge(Said(both, "median", "ratio"), Samples({"time": time, "bytes": size}, draws=1000)).verdict == "holds"
    missing = judge(Said(both, "median", "ratio"), Samples({"time": time}))
    assert missing.verdict == "out of reach"
    assert "bytes" in missing.detail


def test_or_divides_the_error_and_and_does_not():
    spread = np.tile([-1.0, 1.0], 20)
    table = Table({"a": 0.4 + spread}, {"b": np.zeros(40)})  # 0.4 with standard error 0.16
    alone = weighed(Said("contender - baseline > 0"), table)
    assert alone.verdict == "holds"
    threshold = alone.low - 0.001 * (alone.value - alone.low)
    tight = f"contender - baseline > {threshold}"
    assert weighed(Said(tight), table).verdict == "holds"
    assert weighed(Said(f"{tight} and contender < 99"), table).verdict == "holds"
    assert weighed(Said(f"{tight} or contender > 99"), table).verdict == "undecided"


def test_p_is_the_paired_test():
    a, b = np.r_[np.ones(30), np.zeros(20)], np.r_[np.ones(22), np.zeros(8), np.ones(5), np.zeros(15)]
    table = Table({"a": a}, {"b": b}, Kind.BINARY)
    j = weighed(Said("p >= 0.05"), table)
    assert j.value == pytest.approx(mcnemar(8, 5))
    assert judge(Said("p_holm >= 0.05"), Samples({"": table}, family=3)).value == min(1.0, 3 * mcnemar(8, 5))


def test_drawn_statistics_stay_paired():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=80)
    a, b = truth + 0.3 * rng.normal(size=80), truth + 1.5 * rng.normal(size=80)
    weights = case_weights(None, 80, 1000, seed=1)

    def correlation(x, w):
        w = w / w.sum(axis=1, keepdims=True)
        mx, mt = w @ x, w @ truth
        cov = w @ (x * truth) - mx * mt
        return cov / np.sqrt((w @ x**2 - mx**2) * (w @ truth**2 - mt**2))

    one = np.ones((1, 80))
    drawn = [Drawn(float(correlation(x, one)[0]), correlation(x, weights)) for x in (a, b)]
    j = weighed(Said("contender - baseline >= 0.1"), Table({"a": drawn[0]}, {"b": drawn[1]}))
    assert j.verdict == "holds"
    assert j.value == pytest.approx(np.corrcoef(a, truth)[0, 1] - np.corrcoef(b, truth)[0, 1])


def test_slices_are_what_over_runs_over():
    rng = np.random.default_rng(6)
    label = np.repeat(["easy", "hard"], 300)
    a = (rng.random(600) < np.where(label == "easy", 0.5, 0.7)).astype(float)
    b = (rng.random(600) < 0.5).astype(float)
    table = Table({"a": a}, {"b": b}, Kind.BINARY, slices=label.tolist())
    assert weighed(Said("contender - baseline >= 0.08", "max"), table).verdict == "holds"
    assert weighed(Said("contender - baseline >= 0.08", "min"), table).verdict == "fails"
    loose = weighed(Said("contender - baseline >= 0.08", "max"), Table({"a": a}, {"b": b}, Kind.BINARY))
    assert loose.verdict == "undecided"
    assert "give trials or slices" in loose.notes[0]


def test_median_over_sampled_cases():
    rng = np.random.default_rng(7)
    a, b = rng.normal(10, 1, 200), rng.normal(6, 1, 200)
    j = weighed(Said("contender / baseline > 1.5", "median", "ratio"), Table({"a": a}, {"b": b}))
    assert j.value == pytest.approx(np.median(a / b))
    assert j.verdict == "holds"


def test_missing_cases_are_lost_alike_and_counted():
    a, b = np.array([1.0, math.nan, 1, 1]), np.array([0.0, 1, math.nan, 0])
    j = weighed(Said("contender - baseline == 1"), Table({"a": a}, {"b": b}, unit="none"))
    assert j.verdict == "holds"
    assert "2 cases lost: a member lacks them" in j.notes
    zero = Table({"a": a}, {"b": b}, unit="none", missing="zero")
    assert weighed(Said("contender - baseline == 0.5"), zero).verdict == "holds"
    nothing = Table({"a": [math.nan]}, {"b": [1.0]})
    assert weighed(Said("contender > baseline"), nothing).verdict == "out of reach"


def test_infinite_ratios_decide_nothing():
    j = weighed(Said("contender / baseline > 1", "median"), Table({"a": [1.0] * 9}, {"b": [0.0] * 9}, unit="none"))
    assert j.verdict == "undecided"
    assert "infinite or undefined value" in j.notes


def test_same_seed_same_digits():
    table = timings([1.1, 1.2])
    said = Said("baseline / contender > 1", "max", "ratio")
    assert weighed(said, table) == weighed(said, table)


def test_bad_claims_are_told_by_field():
    with pytest.raises(InputError, match="margin"):
        weighed(Said("abs(contender) <= margin"), timings([1.0]))
    with pytest.raises(InputError, match=r"^baseline: "):
        weighed(Said("contender > baseline", baseline="all the others"), timings([1.0]))
    with pytest.raises(InputError, match=r"^expect: "):
        weighed(Said("contender >> baseline"), timings([1.0]))
    with pytest.raises(InputError, match="names none"):
        weighed(Said("contender > baseline", baseline=""), Table({"a": [1.0, 2.0]}))
    assert out_of_reach("needs avx512f").verdict == "out of reach"


def test_draws_are_taken_as_they_are():
    # trial 0 is the value, the others are its bootstrap draws: the interval is theirs, not that of their mean
    rng = np.random.default_rng(0)
    drawn = np.concatenate([[0.9], rng.normal(0.9, 0.02, 400)])
    table = Table({"a": drawn[None, :]}, unit="draws")
    claim = Said("value >= 0.95", baseline="")
    found = judge(claim, Samples({"": table}))
    assert found.verdict == "fails"
    assert found.value == 0.9
    assert (found.low, found.high) == pytest.approx((0.9 - 0.0392, 0.9 + 0.0392), abs=0.006)
    assert judge(Said("value >= 0.92", baseline=""), Samples({"": table})).verdict == "undecided"
    few = judge(claim, Samples({"": Table({"a": drawn[None, :20]}, unit="draws")}))
    assert few.verdict == "undecided"
