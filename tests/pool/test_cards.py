"""Cards of imported benchmarks: kept beside the measurements, joined, and never contradicted in silence."""

from __future__ import annotations

import pytest

from steelyard.core.card import Card, MetricFacts
from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Measurement
from steelyard.pool import Pool
from steelyard.report.ranking import measured
from steelyard.report.results import card_of, load


def card(*metrics: MetricFacts) -> Card:
    return Card(
        name="brought", kind="benchmark", title="Brought", summary="", track="imported", interface="imported",
        metrics=list(metrics),
    )  # fmt: skip


def test_an_imported_benchmark_is_read_like_any_other(tmp_path) -> None:
    with Pool(tmp_path) as pool:
        pool.put_card(card(MetricFacts(name="seconds", unit="s", direction=Direction.LOWER)))
        pool.put_card(card(MetricFacts(name="accuracy")))
        pool.append(
            Measurement("brought", "1", case, who, "seconds", value, "s")
            for case, who, value in (("a", "x", 1.0), ("b", "x", 2.0), ("a", "y", 3.0))
        )
        assert [m.name for m in card_of(pool, "brought").metrics] == ["seconds", "accuracy"]
        scores = load(pool, "brought")
        assert scores.metric.direction is Direction.LOWER
        assert scores.of("x").tolist() == [[1.0], [2.0]]
        assert measured(pool) == ["brought"]
    with Pool(tmp_path, readonly=True) as pool:
        assert pool.cards() == ["brought"]


def test_a_metric_has_one_direction(tmp_path) -> None:
    with Pool(tmp_path) as pool:
        pool.put_card(card(MetricFacts(name="loss", direction=Direction.LOWER)))
        with pytest.raises(InputError, match="higher is better; the pool has it in '1', lower is better"):
            pool.put_card(card(MetricFacts(name="loss")))


def test_a_card_of_nobody_is_an_error_with_near_names(tmp_path) -> None:
    with Pool(tmp_path) as pool:
        pool.put_card(card(MetricFacts(name="loss")))
        with pytest.raises(InputError, match="brought"):
            card_of(pool, "brougth")


def test_only_imported_cards_go_without_entry() -> None:
    facts = {"name": "x", "kind": "benchmark", "title": "X", "summary": "", "track": "code", "metrics": [{"name": "m"}]}
    with pytest.raises(ValueError, match="needs entry"):
        Card.model_validate({**facts, "interface": "kernel"})
