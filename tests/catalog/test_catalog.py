"""The catalog: every card of ours is sound, and nothing they describe is imported to list them."""

import subprocess
import sys

import pytest

from steelyard import catalog
from steelyard.catalog.suites import papers, suites
from steelyard.core.errors import InputError, MissingError
from steelyard.core.spec import parse_spec
from steelyard.stats.claims import check_claim
from steelyard.weigh import plan


@pytest.mark.parametrize("name", sorted(catalog.entries()))
def test_every_card_is_whole(name):
    entry = catalog.find(name)
    card = entry.full()
    if "torch" not in card.entry:
        assert entry.load() is not None
    for claim in card.claims:
        check_claim(claim, claim.where)
        if card.kind == "benchmark" and not claim.scale.startswith("out of reach") and not claim.benchmark:
            assert claim.metric in card.metric or "published:" in claim.contender, claim.id


def test_listing_imports_neither_numpy_nor_benchmarks():
    code = (
        "import sys; from steelyard import catalog; catalog.entries(); "
        "heavy = ('numpy', 'torch', 'inspect_ai', 'duckdb', 'pydantic', 'steelyard.benchmarks.code'); "
        "bad = [m for m in heavy if m in sys.modules]; "
        "print(*bad)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == ""


CARD = """name = "mine"
kind = "benchmark"
title = "Mine"
summary = "One case."
track = "science"
interface = "kernel"
entry = "json:loads"
[[metrics]]
name = "score"
"""


def test_facts_are_checked_once_for_each_state_of_the_card(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "card.toml"
    path.write_text(CARD)
    entry = catalog.Entry({"name": "mine", "kind": "benchmark", "interface": "kernel"}, path)
    first = entry.facts()
    assert first == entry.full().model_dump(mode="json")
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "_reader", lambda: pytest.fail("checked again"))
        assert entry.facts() == first
    path.write_text(CARD + "units = 3\n")
    with pytest.raises(InputError, match=r"line 10, field 'metrics.0.units'"):
        entry.facts()


OWN = """from dataclasses import dataclass

@dataclass(frozen=True)
class Mine:
    turns: int = {turns}
"""


def test_a_contenders_options_are_those_of_its_class_as_it_stands_now(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path)
    card = tmp_path / "card.toml"
    card.write_text(
        'name = "mine"\nkind = "contender"\ntitle = "Mine"\nsummary = "Ours."\nfamily = "solvers"\n'
        'interface = "solver"\nentry = "steelyard_test_mine:Mine"\n'
    )
    entry = catalog.Entry({"name": "mine", "kind": "contender", "interface": "solver"}, card)
    for turns in (3, 14):
        (tmp_path / "steelyard_test_mine.py").write_text(OWN.format(turns=turns))
        sys.modules.pop("steelyard_test_mine", None)
        for _ in range(2):
            (option,) = entry.facts()["options"]
            assert (option["name"], option["default"]) == ("turns", turns)
    monkeypatch.delitem(sys.modules, "steelyard_test_mine")


def test_a_contender_whose_library_is_missing_is_shown_without_its_options(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(catalog.Entry, "load", lambda self: (_ for _ in ()).throw(MissingError("no such library")))
    assert catalog.find("self-debug").facts()["options"] == []
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("kept", ["", "[]", '{"files": []}', "\udcff"])
def test_a_damaged_cache_costs_time_and_nothing_else(tmp_path, monkeypatch, kept):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = tmp_path / "steelyard" / "cards" / "softmax.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(kept.encode(errors="surrogateescape"))
    entry = catalog.find("softmax")
    assert entry.facts() == entry.full().model_dump(mode="json")


def test_the_seventy_systems_are_numbered_without_a_gap():
    assert [p["row"] for p in papers()] == list(range(1, 71))


def test_suites_name_what_exists():
    for suite in suites().values():
        for run in suite["runs"]:
            catalog.benchmark(parse_spec(run["benchmark"]).name)
            for text in run["contenders"]:
                for part in parse_spec(text).solvers:
                    catalog.find(part.name)


def test_an_unknown_benchmark_names_its_neighbours():
    with pytest.raises(InputError, match=r"Did you mean.*humaneval"):
        catalog.benchmark("humanevel")


def test_a_library_that_a_benchmark_needs_is_asked_for_before_it_is_loaded(monkeypatch):
    monkeypatch.setattr(plan.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="scbench needs the library 'torch'"):
        plan.load_benchmark(parse_spec("scbench"))
