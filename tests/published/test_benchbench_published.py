"""Agreement testing on the brought catalogue against the released code's numbers (arXiv:2407.13696, IBM/benchbench)."""

import json
import math

import numpy as np
import pytest

from steelyard.benchmarks.stats.benchbench.benchmark import BenchBench, counts
from steelyard.benchmarks.stats.benchbench.catalogue import read_catalogue
from steelyard.contenders.analysis.agree import Agree
from steelyard.stats.boards import Question, reference_scores

# released code, lvbench's header mended, all common models: tau, Z, n where the card gives it
TABLE = {
    "toolbench": (1.000, 1.39, 7), "AgentBench": (1.000, 1.39, 6), "Helm Classic": (0.871, 0.96, 19),
    "Helm Lite": (0.796, 0.70, 39), "WildBench Score": (0.766, 0.60, None), "AlphacaEval v2lc": (0.761, 0.58, None),
    "Helm MMLU": (0.726, 0.46, None), "MMLU Pro": (0.670, 0.27, 27), "LMSys Arena": (0.663, 0.25, 65),
    "HF OpenLLM v2": (0.660, 0.24, 72), "Arena Hard": (0.633, 0.14, None), "BIGGEN": (0.462, -0.44, None),
    "HF OpenLLM v1": (0.270, -1.09, None), "MT-Bench": (0.200, -1.33, 6), "Holmes": (0.156, -1.48, 10),
    "HELM AirBench AIR Score": (-0.265, -2.91, None),
}  # fmt: skip
# LMSys Arena against the aggregate: mean and sd of tau over random subsets, and over windows of neighbours
GRANULARITY = {
    5: ((0.680, 0.283), (0.177, 0.514)), 10: ((0.668, 0.140), (0.195, 0.292)), 20: ((0.665, 0.088), (0.281, 0.202)),
    40: ((0.662, 0.047), (0.417, 0.069)),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(shared):
    path = shared / "data" / "benchbench"
    if not path.is_dir():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture(scope="module")
def released(folder):
    return read_catalogue(folder, profile="published")


def test_the_catalogue_is_read_whole(released, folder):
    found = counts(released)
    assert (found["catalogue_models"], found["scores"], found["scenarios"]) == (1438, 4422, 83)
    assert found["turned"] == 0
    assert len(released.board.reference) == 8
    assert len(released.board.resolved) == 6
    assert read_catalogue(folder).board.turned.sum() == 18  # AirBench's 17 and the trustworthiness score
    assert released.notes == ["lvbench_241189_longcontext.csv: no column is called model; 'llm_model' was taken"]


def test_the_aggregate(released):
    scores = reference_scores(released.board, "zero")
    order = np.argsort(-np.nan_to_num(scores))[:3]
    assert (~np.isnan(scores)).sum() == 109
    assert [(released.board.models[i], round(float(scores[i]), 3)) for i in order] == [
        ("gpt_4o_2024_05_13", 0.992), ("claude_3_5_sonnet_20240620", 0.950), ("llama3_1_70b_instruct", 0.947),
    ]  # fmt: skip


def test_the_published_table(released):
    answer = Agree(draws=0)(Question(released.board, released.board.scenarios))
    for name, (tau, z, n) in TABLE.items():
        assert round(answer[name]["agreement"], 3) == pytest.approx(tau), name
        assert round(answer[name]["z"], 2) == pytest.approx(z), name
        assert n is None or answer[name]["models"] == n, name
    first = sorted((f["rank"], name) for name, f in answer.items() if "rank" in f)[:2]
    assert {name for _, name in first} == {"toolbench", "AgentBench"}


def test_perfect_agreement_on_six_models_does_not_top_the_sound_ranking(folder):
    board = read_catalogue(folder).board
    answer = Agree()(Question(board, board.scenarios))
    first = sorted((f["rank"], name) for name, f in answer.items() if "low" in f)[:8]
    assert not {"toolbench", "AgentBench"} & {name for _, name in first}
    assert answer["HELM AirBench AIR Score"]["agreement"] > 0  # turned round
    assert answer["AgentBench"]["low"] < 0.5


def test_granularity(released):
    """Means and spreads of 400 draws against the card's, within four standard errors of both."""
    procedure = {"aggregate": "with-self", "repeats": 400, "draws": 0}
    for n, parts in GRANULARITY.items():
        for subset, (mean, sd) in zip(("random", "somewhere"), parts, strict=True):
            answer = Agree(n=n, subset=subset, **procedure)(Question(released.board, ["LMSys Arena"]))["LMSys Arena"]
            assert answer["agreement"] == pytest.approx(mean, abs=4 * sd * math.sqrt(1 / 400 + 1 / 200)), (n, subset)
            assert answer["sd"] == pytest.approx(sd, rel=0.25), (n, subset)


def test_leave_one_out_lowers_the_agreement_of_reference_members(folder):
    board = read_catalogue(folder).board
    question = Question(board, board.resolved, intervals=False)
    own, out = (
        {s: f["agreement_on_same_models"] for s, f in Agree(aggregate=a)(question).items()}
        for a in ("with-self", "leave-one-out")
    )
    assert set(own) == set(board.resolved)
    assert np.median([own[s] - out[s] for s in own]) > 0


def test_one_command_against_all_leaderboards(folder):
    from tests.benchmarks.stats.test_benchbench import steelyard

    done = json.loads(steelyard("agree", folder / "my_bench.csv", "--catalogue", folder, "--json").stdout)
    assert len(done["pairs"]) == 83
    # my_bench holds LiveBench's own numbers under another name
    same = next(r for r in done["pairs"] if r["reference"] == "LiveBench 240624")
    assert same["agreement"] == pytest.approx(1, abs=5e-4)
    assert done["unresolved_references"] == ["LiveBench 240829", "WildBench Elo LC"]


def test_the_benchmark_takes_the_folder(folder):
    cases = list(BenchBench(profile="published").cases(str(folder)))
    kinds = [c.attributes["kind"] for c in cases]
    assert kinds.count("benchmark") == 83
    assert kinds.count("reference") == 8
    assert next(c for c in cases if c.id == "LMSys Arena").attributes["common_models"] == 65
