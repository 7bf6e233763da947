"""The cards of EvoCodeBench: all claims of both papers stand in them and can be judged."""

import tomllib

import pytest

from steelyard import catalog
from steelyard.pool import Pool
from steelyard.report.ledger import judgements
from steelyard.stats.claims import check_claim

CARDS = ("evocodebench", "domain-improvement")


@pytest.mark.parametrize("name", CARDS)
def test_claims_parse_and_name_metrics_of_their_benchmark(name):
    card = catalog.benchmark(name).full()
    for claim in card.claims:
        check_claim(claim, claim.where)
        assert claim.metric in catalog.benchmark(claim.benchmark or name).card.metric, claim.id


def test_every_claim_that_was_collected_stands_in_one_of_the_cards(shared):
    wanted = tomllib.loads((shared / "claims" / "evocodebench.toml").read_text())["claims"]
    mine = {claim.id: claim for name in CARDS for claim in catalog.benchmark(name).full().claims}
    assert set(mine) == {claim["id"] for claim in wanted}
    assert all(mine[claim["id"]].says == claim["says"] for claim in wanted)


def test_claims_on_published_figures(tmp_path):
    with Pool(str(tmp_path / "pool")) as pool:
        rows = judgements(
            pool, ["evocodebench"], measure=True,
            only=["20-74-not-attainable", "gpt4-leads-leaderboard-here", "local-context-helps", "gpt4-highest-pass1"],
        )  # fmt: skip
    found = {row["claim"]: row for row in rows}
    assert found["20-74-not-attainable"]["value"] == pytest.approx(0.01)
    # leads of 1.09, 1.81 and 0.36 points: the last is the least
    assert found["gpt4-leads-leaderboard-here"]["value"] == pytest.approx(0.0727 - 0.0691)
    assert found["local-context-helps"]["value"] == pytest.approx(0.2073 - 0.0727)
    assert found["gpt4-highest-pass1"]["verdict"] == "out of reach"
