"""Tables of runs, the live search, and `steelyard gain`."""

import json
import math

import numpy as np
import pytest

from steelyard.benchmarks.training.nas.benchmark import NAS
from steelyard.benchmarks.training.nas.published_runs import early
from steelyard.benchmarks.training.nas.tables import read_sheet, read_sheets
from steelyard.contenders.analysis.ri import NOTEBOOK, RelativeImprovement
from steelyard.contenders.analysis.search import (
    NoSearch,
    RandomSearch,
    RegularisedEvolution,
    SuccessiveHalving,
    TreeParzen,
)
from steelyard.contenders.analysis.variance_share import VarianceShare
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Replay
from tests.benchmarks.stats.test_benchbench import steelyard
from tests.conftest import need

TRAPS = (
    "Random A,A ,Random MANAS,MANAS-LS,lonely,,Random B,B\n"
    + "90,91,50,51,1,,70,\n92,93,50,52,2,,71,\n91,95,50,53,3,,72,\n"
)


@pytest.fixture
def traps(tmp_path):
    path = tmp_path / "Traps.csv"
    path.write_text(TRAPS)
    return path


def test_columns_are_paired_by_name(traps):
    sheet = read_sheet(traps)
    assert sheet.methods == {"A": "A", "MANAS": "MANAS-LS", "B": "B"}
    assert sheet.searched("A").tolist() == [91, 93, 95]
    assert sheet.random("MANAS").tolist() == [50, 50, 50]
    assert sheet.searched("B").size == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Random A,A\n1,x\n", "line 2: 'A' is 'x'"),
        ("Random A,A,A\n1,2,3\n", "'A' stands twice"),
        ("Random A,A\n", "holds no runs"),
        ("Random A,A\n0.9,91\n0.8,92\n", "fractions among percents"),
        ("A,B\n1,2\n", "no table has a column FOO"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, words):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_sheets(path)


def test_cells_and_what_is_missing(traps):
    bench = NAS()
    cases = {c.id: c for c in bench.cases(str(traps.parent))}
    found = bench.measure(Replay("searched"), cases["Traps/A"], 0).metrics
    assert found["relative_improvement_percent"] == pytest.approx(100 * 2 / 91)
    assert bench.measure(Replay("random-average"), cases["Traps/A"], 0).metrics["relative_improvement_percent"] == 0
    assert "no runs of both sides" in bench.measure(Replay("searched"), cases["Traps/B"], 0).error
    assert bench.measure(Replay("searched"), cases["data"], 0).metrics == {"method_dataset_cells": 0, "cells_listed": 3}
    with pytest.raises(InputError, match="Did you mean searched"):
        bench.measure(Replay("searchd"), cases["Traps/A"], 0)


def test_reading_by_position_swaps_what_stands_the_other_way_round(tmp_path):
    order = ["PDARTS", "DARTS", *NOTEBOOK[2:]]
    values = {m: 50.0 + k for k, m in enumerate(order)}
    header = ",".join(f"Random {m},{m}" for m in order)
    rows = [",".join(f"{50 + e},{values[m] + e}" for m in order) for e in (0, 0.1, 0.2)]
    (tmp_path / "x.csv").write_text("\n".join([header, *rows]) + "\n")
    sheet = read_sheet(tmp_path / "x.csv")
    named, placed = (RelativeImprovement(columns=c)(sheet) for c in ("by-name", "by-position"))
    assert named["DARTS"].mean == placed["PDARTS"].mean == pytest.approx(51.1)
    assert named["PDARTS"].mean == placed["DARTS"].mean == pytest.approx(50.1)
    assert all(named[m].mean == placed[m].mean for m in NOTEBOOK[2:])


def test_early_orders():
    curves = np.tile(np.arange(6.0)[:, None], (1, 40))
    curves[:, :5] *= -1  # the first epochs order them the other way
    assert early(curves, 5)["tau_with_last"] == -1
    assert early(curves, 40) == {"tau_with_last": 1.0, "tau_with_last_smoothed": 1.0}
    assert "tau_with_last_smoothed" not in early(curves, 5)


class Hill:
    """A search problem with a known best: the sum of the choices; an epoch tells it without noise."""

    def __init__(self, left=40, seed=0, choices=(5, 3, 5, 3)):
        self.choices, self.left, self.rng, self.asked = choices, left, np.random.default_rng(seed), []

    def draw(self):
        return tuple(int(self.rng.integers(n)) for n in self.choices)

    def evaluate(self, genotype, epochs):
        assert epochs <= self.left
        assert all(0 <= g < n for g, n in zip(genotype, self.choices, strict=True))
        self.left -= epochs
        self.asked.append(genotype)
        return float(sum(genotype))


@pytest.mark.parametrize("method", [RandomSearch, RegularisedEvolution, TreeParzen, SuccessiveHalving])
def test_searches_spend_their_budget_and_beat_a_random_draw(method):
    found, drawn = [], []
    for seed in range(30):
        hill = Hill(seed=seed)
        best = method()(hill)
        assert hill.left < 8
        assert best in hill.asked
        found.append(sum(best))
        drawn.append(sum(NoSearch()(Hill(seed=seed))))
    assert np.mean(found) > np.mean(drawn) + 1


def test_guided_searches_beat_random_search_where_steps_help():
    scores = {
        m: np.mean([sum(m(epochs=1)(Hill(60, s, (8,) * 6))) for s in range(20)])  # 262,144 places, 60 looks
        for m in (RandomSearch, RegularisedEvolution, TreeParzen)
    }
    assert scores[TreeParzen] > scores[RandomSearch]
    assert scores[RegularisedEvolution] > scores[RandomSearch]


def test_variance_shares_add_up():
    scores = np.random.default_rng(0).normal(size=(6, 4, 2)) + np.arange(4)[None, :, None]
    assert VarianceShare("recipe")(scores) + VarianceShare("architecture")(scores) == pytest.approx(1)
    assert VarianceShare("recipe")(scores) > 0.5


def test_gradients_equal_differences():
    need("sklearn")
    from steelyard.benchmarks.training.nas_live.networks import Network, digits

    rng = np.random.default_rng(0)
    x, labels = digits()[0][:5], digits()[1][:5]

    def loss(network):
        logits = network.forward(x)[0]
        return float((np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(5), labels]).mean())

    for genotype in ((0, 0, 1, 2, 3, 1), (4, 2, 2, 1, 1, 2), (1, 0, 4, 0, 3, 2)):
        network = Network(genotype, 6, rng)
        for p, g in zip(network.parameters(), network.gradients(x, labels), strict=True):
            at = tuple(rng.integers(0, n) for n in p.shape)
            kept, e = p[at], 1e-5
            p[at] = kept + e
            above = loss(network)
            p[at] = kept - e
            below = loss(network)
            p[at] = kept
            assert g[at] == pytest.approx((above - below) / 2 / e, abs=1e-7)


def test_training_learns_and_repeats_itself():
    need("sklearn")
    from steelyard.benchmarks.training.nas_live.networks import RECIPES, SPACES, Search, accuracy, train

    genotype = (0, 0, 0, 0, 0, 0)
    first, again = (accuracy(train(genotype, SPACES[3], RECIPES[1], 3), "test") for _ in range(2))
    assert first == again
    assert first > 70  # ten classes: 10 by chance
    search = Search(SPACES[0], 0, 3)
    search.evaluate(genotype, 2)
    assert (search.left, search.spent) == (1, 2)
    with pytest.raises(ValueError, match="1 left"):
        search.evaluate(genotype, 2)


def test_gain_from_a_table(traps):
    done = json.loads(steelyard("gain", traps, "--json").stdout)
    rows = {r["cell"]: r for r in done["rows"]}
    assert rows["Traps/A"]["relative_improvement_percent"] == pytest.approx(100 * 2 / 91)
    assert rows["Traps/A"]["low"] < 100 * 2 / 91 < rows["Traps/A"]["high"]
    # two tests: Holm doubles the smaller p
    small, large = sorted(rows.values(), key=lambda r: r["welch_p"])
    assert small["welch_p_holm"] == pytest.approx(2 * small["welch_p"])
    assert large["welch_p_holm"] == pytest.approx(max(large["welch_p"], small["welch_p_holm"]))
    assert "Traps: no partner for column lonely" in done["notes"]
    assert any("Traps/B: 0 searched and 3 random runs" in n for n in done["notes"])
    assert "no such" not in steelyard("gain", traps).stdout


def test_gain_from_the_pool(tmp_path):
    from steelyard.core.card import Card
    from steelyard.core.words import Measurement
    from steelyard.pool import Pool

    with Pool(str(tmp_path / "pool")) as pool:
        pool.put_card(Card(name="race", kind="benchmark", title="race", summary="race", track="made",
                           interface="imported", metrics=[{"name": "laps", "direction": "lower"}]))  # fmt: skip
        for who, values in (("searched", (8.0, 9, 10)), ("random", (10.0, 12, 14))):
            pool.append(Measurement("race", "1", "c", who, "laps", v, trial=t) for t, v in enumerate(values))
    out = steelyard(
        "gain", "searched", "random", "--on", "race", "--json", STEELYARD_POOL=str(tmp_path / "pool")
    ).stdout
    row = json.loads(out)["rows"][0]
    assert row["relative_improvement_percent"] == pytest.approx(25)  # 9 against 12, lower is better
    assert row["low"] < 25 < row["high"]
    assert math.isfinite(row["welch_p"])


def test_gain_says_what_is_wrong(tmp_path):
    assert "is not here" in steelyard("gain", "nowhere.csv", check=2).stderr
    assert "two contenders" in steelyard("gain", "one", "--on", "nas", check=2).stderr
