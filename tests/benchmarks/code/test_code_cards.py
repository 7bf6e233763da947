"""The cards, and what their claims on published figures rest on."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from steelyard import catalog
from steelyard.core.interfaces import Outcome
from steelyard.stats.claims import check_claim

NAMES = ("humaneval", "mbpp", "humaneval-pro", "mbpp-pro", "bigcodebench-lite-pro")
CLAIMED = {
    "o1-mini-drop", "abstract-and-table-agree", "most-models-decline", "most-models-decline-here",
    "instruction-tuning-helps-less", "instruction-tuning-gain-marginal", "references-pass",
    "references-really-self-invoke", "exit-zero-counts-as-pass", "one-visible-test-helps",
}  # fmt: skip


@pytest.fixture(scope="module")
def published():
    """(metric, contender) -> case -> value."""
    path = catalog.benchmark("humaneval-pro").path.parent / "published.csv"
    table: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            assert list(row) == ["contender", "case", "metric", "value", "n", "attributes"]
            assert row["case"] not in table[row["metric"], row["contender"]], "one row for a case"
            table[row["metric"], row["contender"]][row["case"]] = float(row["value"])
            assert json.loads(row["attributes"])["suite"] in ("humaneval", "mbpp")
    return table


@pytest.mark.parametrize("name", NAMES)
def test_card_loads_what_it_names_and_lists_the_metrics_that_score_gives(name):
    entry = catalog.benchmark(name)
    card = entry.full()
    bench = entry.load()()
    case = next(iter(bench.cases()))
    outcome = bench.score(case, bench.reference(case))
    assert isinstance(outcome, Outcome)
    assert set(outcome.metrics) <= set(card.metric)
    defaults = {o.name: o.default for o in card.options if o.scope == "benchmark"}
    assert entry.load()(**defaults) == bench, "the card's defaults are the class's"
    assert card.primary.name == "pass_at_1"


def test_every_claim_of_the_paper_stands_in_the_card_and_can_be_parsed(published):
    card = catalog.benchmark("humaneval-pro").full()
    assert {claim.id for claim in card.claims} >= CLAIMED
    for claim in card.claims:
        check_claim(claim, claim.where)
        assert claim.metric in card.metric | {"false_passes": None}
        for side in (claim.contender, claim.baseline):
            if side.startswith("published:"):
                assert published[claim.metric, side.removeprefix("published:")], side


def test_derived_gains_follow_from_the_scores(published):
    for (metric, who), gains in list(published.items()):
        if metric != "gain_of_instruct_over_base":
            continue
        assert len(gains) == 14, "seven pairs, two suites"
        scores = published["pass_at_1", who]
        for case, gain in gains.items():
            pair, suite = case.split("/")
            tuned = next(scores[k] for e in ("instruct", "chat") if (k := f"{pair}-{e}/{suite}") in scores)
            assert gain == pytest.approx(tuned - scores[f"{pair}-base/{suite}"], abs=1e-9)


def test_published_figures_give_the_known_statistics(published):
    """Known from the reference card: 24 of 24 decline, by 18.7 and 18.8 points; 22 and 24 of 24 gain by one test."""
    base, pro, shown = (published["pass_at_1", who] for who in ("base", "pro-0shot", "pro-1shot"))
    for suite, drop, helped in (("humaneval", 0.187, 22), ("mbpp", 0.188, 24)):
        cases = [case for case in base if case.endswith(f"/{suite}")]
        assert len(cases) == sum(base[c] > pro[c] for c in cases) == 24
        assert sum(base[c] - pro[c] for c in cases) / 24 == pytest.approx(drop, abs=0.0006)
        assert sum(shown[c] > pro[c] for c in cases) == helped
    for suite, of_base, of_pro in (("humaneval", 0.259, 0.115), ("mbpp", 0.039, 0.030)):
        for who, mean in (("base", of_base), ("pro-0shot", of_pro)):
            gains = [v for c, v in published["gain_of_instruct_over_base", who].items() if c.endswith(f"/{suite}")]
            assert sum(gains) / 7 == pytest.approx(mean, abs=0.0006)
    assert base["o1-mini/humaneval"] == 0.976
    assert published["pass_at_1", "abstract-base"] == {"o1-mini/humaneval": 0.962}


def test_the_cheat_answers_with_an_exit():
    cheat = catalog.find("cheat-exit").load()
    case = next(iter(catalog.benchmark("bigcodebench-lite-pro").load()().cases()))
    assert cheat().answer(case, 0) == "```python\nimport sys\nsys.exit(0)\n```"
    assert cheat(how="os._exit").answer(case, 0) == "```python\nimport os\nos._exit(0)\n```"


def test_data_of_our_own_have_the_official_schema():
    folder = catalog.benchmark("humaneval-pro").path.parent.parent
    fields = {"id", "raw_problem", "raw_solution", "new_problem", "new_solution", "test_code"}
    for name, count in (("humaneval_pro", 20), ("mbpp_pro", 20), ("bigcodebench_lite_pro", 6)):
        records = json.loads(Path(folder, name, "data", f"{name}.json").read_text())
        assert len(records) == count
        assert all(set(record) == fields for record in records)
