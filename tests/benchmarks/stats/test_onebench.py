"""ONEBench on our own small pool, bad input, and `rank` and `select` through the command line."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steelyard.benchmarks.stats.onebench.benchmark import OneBench, generated
from steelyard.benchmarks.stats.onebench.data import read_samples
from steelyard.benchmarks.stats.onebench.own import own_tables
from steelyard.benchmarks.stats.onebench.scores import OneBenchScores
from steelyard.benchmarks.stats.onebench.select import OneBenchSelect
from steelyard.contenders.analysis.aggregators import Additive, Elo, Mean, NormalisedMean, PlackettLuce
from steelyard.contenders.analysis.select import Select
from steelyard.core.card import Card
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Outcome, Replay
from steelyard.pool import Pool
from steelyard.report.wins import count_wins
from steelyard.stats.rank import pairwise_wins
from steelyard.weigh import weigh


@pytest.fixture
def cases():
    return {c.id: c for c in OneBench().cases(None)}


def test_the_island_is_an_island(cases):
    # lemma, axiom and corollary meet nobody else; willow loses to all, or the rest hang together
    found = OneBench().measure(PlackettLuce(), cases["pool"], 0)
    assert found["strongly_connected_components"] >= 2
    assert cases["pool"].attributes["models"] == 12


def test_the_mean_agrees_with_itself_and_trials_resample(cases):
    bench, case = OneBench(), cases["agreement/essays"]
    assert bench.measure(Mean(), case, 0)["kendall_tau_b"] == pytest.approx(1)
    values = {bench.measure(PlackettLuce(), case, t)["kendall_tau_b"] for t in range(6)}
    assert len(values) > 1
    assert bench.measure(PlackettLuce(), case, 3) == bench.measure(PlackettLuce(), case, 3)


def test_with_nothing_missing_the_mean_loses_nothing(cases):
    case = next(c for c in OneBench(missing=0.0).cases(None) if c.id == "sparsity/sums")
    assert OneBench(missing=0.0).measure(Mean(), case, 5)["kendall_tau_b"] == pytest.approx(1)
    assert OneBench(missing=0.9).measure(Mean(), case, 5)["kendall_tau_b"] < 1


def test_no_ranking_is_a_failure_with_its_reason(cases):
    case = next(c for c in cases.values() if c.id == "sparsity/sums")
    outcome = OneBench(missing=0.99).measure(PlackettLuce(), case, 0)
    assert isinstance(outcome, Outcome)
    assert "too little is left" in outcome.error
    outcome = OneBench(missing=0.95).measure(PlackettLuce(), cases["sparsity/sums"], 0)
    assert isinstance(outcome, Outcome)
    assert "strongly connected" in outcome.error


def test_generated_pools_have_the_truth_they_say():
    x, truth = generated("gumbel", 6, 4000, 3)
    # P(i above j) under Gumbel noise is logistic in the difference of locations
    i, j = int(np.argmax(truth)), int(np.argmin(truth))
    assert (x[i] > x[j]).mean() == pytest.approx(1 / (1 + math.exp(truth[j] - truth[i])), abs=0.03)
    mixed, _ = generated("mixed", 6, 400, 3)
    assert set(np.unique(mixed[:, ::2])) == {0.0, 1.0}
    assert generated("gaussian", 5, 20, 1)[0].tolist() == generated("gaussian", 5, 20, 1)[0].tolist()


def test_the_error_of_the_strengths_falls_like_one_over_the_root():
    bench = OneBench(cells=100_000)
    own = {c.id: c for c in bench.cases(None)}
    few, many = (
        np.mean([bench.measure(PlackettLuce(), own[f"gumbel-10x{n}"], t)["rmse"] for t in range(8)])
        for n in (100, 10_000)
    )
    assert few / many == pytest.approx(10, rel=0.4)


def test_queries_find_what_is_tagged():
    bench = OneBenchSelect()
    case = next(c for c in bench.cases(None) if c.id == "query/charts/task=bar chart")
    found = bench.measure(Select(), case, 0)
    floor = np.mean([bench.measure(Select(mode="random"), case, t)["average_precision"] for t in range(20)])
    assert found["average_precision"] > 0.9
    assert floor == pytest.approx(found["chance"], abs=0.1)


def test_scores_are_means_over_blocks():
    bench = OneBenchScores()
    x, models = read_samples(None).of("sums")
    blocks = [c for c in bench.cases(None) if c.id.startswith("scores/sums/")]
    values = [bench.measure(Replay("ash"), c, 0)["mean_score"] for c in blocks]
    assert np.mean(values) == pytest.approx(x[models.index("ash")].mean())  # 120 samples make blocks of equal size
    with pytest.raises(InputError, match="ashh"):
        bench.measure(Replay("ashh"), blocks[0], 0)


def write(folder, rows, facts):
    pq.write_table(pa.table(rows), folder / "measurements.parquet")
    pq.write_table(pa.table(facts), folder / "samples.parquet")
    return str(folder)


def test_the_official_layout_gives_the_same_pool(tmp_path):
    own, read = read_samples(None), read_samples(write(tmp_path, *own_tables()))
    assert read.models == own.models
    assert np.array_equal(read.scores, own.scores, equal_nan=True)


FACTS = {"sample_id": ["s1", "s2"], "source": ["a", "a"]}


def test_repeats_and_non_numbers_are_told_and_lower_is_better_is_turned(tmp_path):
    rows = {"model": ["m", "m", "n", "n"], "sample_id": ["s1", "s1", "s1", "s2"], "source": ["a"] * 4,
            "score": [1.0, 0.0, math.nan, 3.0], "higher_is_better": [True, True, True, False]}  # fmt: skip
    with pytest.warns(UserWarning, match="measurements|our own|/") as told:
        read = read_samples(write(tmp_path, rows, FACTS))
    assert any("1 scores are no numbers" in str(w.message) for w in told)
    assert any("the first counts; 1 of them differ" in str(w.message) for w in told)
    assert read.scores[0, 0] == 1
    assert read.scores[1, 1] == -3


def test_bad_folders(tmp_path):
    with pytest.raises(MissingError, match=r"measurements\.parquet"):
        read_samples(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="column 'score' is missing"):
        read_samples(write(tmp_path, {"model": ["m"], "sample_id": ["s1"], "source": ["a"]}, FACTS))
    with pytest.raises(InputError, match="missing is"):
        OneBench(missing=1.0)


def test_it_weighs_and_resumes(tmp_path):
    with Pool(tmp_path / "pool") as pool:
        keep = lambda c: c["study"] == "agreement"  # noqa: E731
        done = weigh("onebench", ["mean", "plackett-luce", "elo", "additive"], pool=pool, where=keep, trials=2)
        assert sum(done.measured.values()) == 5 * 4 * 2
        assert weigh("onebench", ["elo"], pool=pool, where=keep, trials=2).done == 10


def test_every_aggregator_ranks_the_sums(cases):
    for method in (PlackettLuce(), PlackettLuce(orders="whole"), Elo(), NormalisedMean(), Additive()):
        assert OneBench().measure(method, cases["agreement/sums"], 0)["kendall_tau_b"] > 0.5


@pytest.fixture(scope="module")
def own_pool(tmp_path_factory):
    """A pool with our own samples, one benchmark a source."""
    path = tmp_path_factory.mktemp("own") / "pool"
    rows, facts = own_tables()
    about = {
        s: json.dumps({**json.loads(tags), "text": text})
        for s, tags, text in zip(facts["sample_id"], facts["tags"], facts["text"], strict=True)
    }
    with Pool(path) as pool:
        for source in dict.fromkeys(facts["source"]):
            pool.put_card(Card(name=source, kind="benchmark", title=source, summary=source, track="imported",
                               interface="imported", metrics=[{"name": "score"}]))  # fmt: skip
        pool.append_table(pa.table({
            "benchmark": rows["source"], "benchmark_version": ["1"] * len(rows["model"]), "case": rows["sample_id"],
            "contender": rows["model"], "metric": ["score"] * len(rows["model"]), "value": rows["score"],
            "case_attributes": [about[s] for s in rows["sample_id"]],
        }))  # fmt: skip
    return path


def steelyard(pool, *arguments):
    environment = {**os.environ, "STEELYARD_POOL": str(pool)}
    return subprocess.run(
        [sys.executable, "-m", "steelyard", *arguments], capture_output=True, text=True, env=environment
    )


def test_wins_counted_in_the_pool_are_those_counted_here(own_pool):
    samples = read_samples(None)
    x, models = samples.of("sums")
    with Pool(own_pool, readonly=True) as pool:
        names, wins, ties = count_wins(pool, "sums", "score", "1")
        turned = count_wins(pool, "sums", "score", "1", lower_is_better=True)[1]
        with pytest.raises(InputError, match="no speed of sums"):
            count_wins(pool, "sums", "speed", "1")
    expected, tied = pairwise_wins(x[[models.index(n) for n in names]], "half")
    assert (wins + ties / 2).tolist() == expected.tolist()
    assert ties.tolist() == tied.tolist()
    assert turned.tolist() == wins.T.tolist()


def test_rank_by_every_method(own_pool):
    for method in ("plackett-luce", "mean", "borda"):
        found = json.loads(steelyard(own_pool, "rank", "sums", "--method", method, "--draws", "50", "--json").stdout)
        assert found["rows"][0]["contender"] in ("ash", "birch")
        assert found["rows"][-1]["contender"] == "oak"
        assert all(r["low"] <= r["strength"] <= r["high"] for r in found["rows"])
    assert "Did you mean" in steelyard(own_pool, "rank", "sums", "--method", "bordo").stderr
    assert "says nothing to mean" in steelyard(own_pool, "rank", "sums", "--method", "mean", "--ties", "half").stderr


def test_both_rules_for_ties_are_shown(own_pool):
    said = steelyard(own_pool, "rank", "sums", "--method", "plackett-luce").stdout
    assert "counted as a win each way; as half a win each way" in " ".join(said.split())


def test_studies(own_pool):
    arguments = [
        "rank",
        "essays",
        "--study",
        "sparsity",
        "--missing",
        "0,0.8",
        "--method",
        "mean,plackett-luce,additive",
    ]
    found = json.loads(steelyard(own_pool, *arguments, "--json").stdout)
    value = {(r["method"], r["missing"]): r["mean"] for r in found["rows"]}
    assert value["mean", 0] == pytest.approx(1)
    assert len(value) == 6
    assert "0%" in steelyard(own_pool, *arguments).stdout
    top = json.loads(
        steelyard(
            own_pool, "rank", "essays", "--study", "top-k", "--k", "3", "--missing", "0", "--method", "mean", "--json"
        ).stdout
    )
    assert top["rows"][0]["mean"] == 1
    assert "Did you mean sparsity" in steelyard(own_pool, "rank", "essays", "--study", "sparse").stderr


def test_too_few_measurements_are_refused(own_pool, tmp_path):
    rows = [("few", i, 1.0) for i in range(4)] + [
        (m, i, float((i + k) % 3)) for k, m in enumerate("xyz") for i in range(40)
    ]
    with Pool(tmp_path / "pool") as pool:
        pool.put_card(Card(name="b", kind="benchmark", title="b", summary="b", track="imported", interface="imported",
                           metrics=[{"name": "score"}]))  # fmt: skip
        pool.append_table(pa.table({
            "benchmark": ["b"] * len(rows), "benchmark_version": ["1"] * len(rows), "case": [f"c{i:02d}" for _, i, _ in rows],
            "contender": [n for n, _, _ in rows], "metric": ["score"] * len(rows), "value": [v for _, _, v in rows],
        }))  # fmt: skip
    found = json.loads(steelyard(tmp_path / "pool", "rank", "b", "--json").stdout)
    assert found["refused"] == {"few": 4}
    assert sorted(r["contender"] for r in found["rows"]) == ["x", "y", "z"]
    assert len(json.loads(steelyard(tmp_path / "pool", "rank", "b", "--least", "2", "--json").stdout)["rows"]) == 4


def test_select(own_pool):
    done = steelyard(own_pool, "select", "north of town on the map", "--top-k", "30", "--save", "maps", "--json")
    found = json.loads(done.stdout)
    assert {h["benchmark"] for h in found["hits"]} == {"charts"}
    assert found["measurements"] == {"ash": 30, "birch": 30, "cedar": 30, "elm": 30, "larch": 30}
    again = json.loads(steelyard(own_pool, "rank", "--selection", "maps", "--json").stdout)
    assert again["benchmarks"] == ["charts"]
    assert {r["cases"] for r in again["rows"]} == {30}


def test_select_refuses_and_explains(own_pool):
    few = steelyard(own_pool, "select", "town on the map", "--top-k", "2", "--json")
    assert few.returncode == 2
    assert len(json.loads(few.stdout)["hits"]) == 2
    assert "2 cases are too few to rank on" in few.stderr
    none = steelyard(own_pool, "select", "polymerase", "--threshold", "0.2")
    assert none.returncode == 0
    assert "best similarity is 0.000" in none.stdout
    assert "nothing says what to select" in steelyard(own_pool, "select").stderr
    assert "keeps none" in steelyard(own_pool, "select", "--where", "task == 'chemistry'").stderr
    assert "unknown selection" in steelyard(own_pool, "rank", "--selection", "nowhere").stderr


def test_a_model_is_scored_where_it_was_measured_and_a_stranger_is_named():
    bench = OneBenchScores()
    cases = bench.cases(None)
    outcomes = [bench.measure(Replay("birch"), case, 0) for case in cases]
    missing = {c.attributes["source"] for c, o in zip(cases, outcomes, strict=True) if isinstance(o, Outcome)}
    assert missing, "our own pool is incomplete on purpose"
    assert all(
        isinstance(o, Outcome) == (c.attributes["source"] in missing) for c, o in zip(cases, outcomes, strict=True)
    )
    with pytest.raises(InputError, match="unknown model 'brich'"):
        bench.measure(Replay("brich"), cases[0], 0)
