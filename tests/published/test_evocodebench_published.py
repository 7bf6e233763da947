"""The published completions of EvoCodeBench-2403, re-scored; the figures are those counted for the reference card."""

import csv
from pathlib import Path

import pytest

from steelyard import catalog
from steelyard.benchmarks.code.evocodebench.benchmark import EvoCodeBench
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Status

# bodies of 275 that do not parse, by setting and model
UNPARSABLE = {
    "baseline": {
        "gpt-35-1106": 19, "deepseek-33b": 30, "deepseek-7b": 31, "starcoder2-15b": 41, "starcoder2-7b": 38,
        "codellama-13b": 31, "codellama-7b": 31, "gemma-7b": 52, "qwen1.5-7b": 141,
    },
    "local_completion": {
        "gpt-35-1106": 1, "deepseek-33b": 29, "deepseek-7b": 24, "starcoder2-15b": 21, "starcoder2-7b": 27,
        "codellama-13b": 41, "codellama-7b": 26, "gemma-7b": 40, "qwen1.5-7b": 86,
    },
    "local_infilling": {
        "gpt-35-1106": 2, "deepseek-33b": 23, "deepseek-7b": 29, "starcoder2-15b": 70, "starcoder2-7b": 52,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def cases(shared):
    return list(EvoCodeBench().cases(str(shared / "data" / "evocodebench")))


def test_unparsable_bodies_of_every_run(cases):
    bench = EvoCodeBench()
    found = {
        setting: {
            model: sum(
                bench.score(case, bench.replay(model, case, 0, setting=setting)).metrics["unparsable"] for case in cases
            )
            for model in models
        }
        for setting, models in UNPARSABLE.items()
    }
    assert found == UNPARSABLE


def test_samples_models_and_what_a_reference_is(cases):
    assert len({case.id for case in cases}) == 275
    reference = EvoCodeBench().reference(cases[0])
    assert isinstance(reference, Outcome)
    assert reference.status is Status.UNSUPPORTED
    facts = reference.metrics
    assert (facts["samples"], facts["models"], facts["runs"]) == (275, 9, 23)
    assert facts["largest_module"] == pytest.approx(59 / 275)
    counts = sorted(n for models in UNPARSABLE.values() for n in models.values())
    assert facts["unparsable_median"] == pytest.approx(counts[11] / 275)


def test_twenty_samples_of_the_sampled_run_and_no_more(cases):
    bench = EvoCodeBench()
    assert all(isinstance(bench.replay("deepseek-7b-sampled", case, 19), str) for case in cases)
    over = bench.replay("deepseek-7b-sampled", cases[0], 20)
    assert isinstance(over, Outcome)
    assert over.status is Status.UNSUPPORTED
    with pytest.raises(InputError, match="published run"):
        bench.replay("gpt-5", cases[0], 0)


def test_every_pass_at_1_of_the_leaderboard_is_a_share_of_275_and_the_second_abstracts_is_not():
    path = Path(catalog.benchmark("evocodebench").path).with_name("published.csv")
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "pass_at_1"]
    possible = {f"{k / 275:.4f}" for k in range(276)}
    wrong = {row["contender"] for row in rows if row["value"] not in possible}
    assert wrong == {"abstract-b"}
    assert len(rows) == 2 * 22 + 2
