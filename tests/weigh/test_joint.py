"""Cases with parts: what a contender gave for the parts is scored together, and nobody is asked twice."""

import json
import sys

import pytest

from steelyard import catalog
from steelyard.core.spec import Spec
from steelyard.llm.predictions import Prediction, match
from steelyard.pool import Pool
from steelyard.stats.claims import compile_where
from steelyard.weigh import Budget, weigh
from steelyard.weigh.plan import load_benchmark
from tests.weigh.conftest import CARD, install

WORDS = (
    CARD.replace('interface = "kernel"', 'interface = "generator"')
    .replace("trials = 2", "trials = 1")
    .format(timing="")
)
BENCH = """
from steelyard.core.interfaces import Message, split_outputs
from steelyard.core.words import Case

class Toy:
    def cases(self, data):
        parts = tuple(Case(word, word, {"kind": "word"}) for word in ("left", "right"))
        return [*parts, Case("both", None, {"kind": "both"}, parts=parts)]

    def prompt(self, case):
        return [Message("user", f"Say {case.payload}.")]

    def program(self, case, output):
        return output

    def reference(self, case):
        return case.payload

    def score(self, case, output):
        given = split_outputs(output) if case.parts else {case.id: output}
        return {"score": float(all(given.get(part.id) == part.payload for part in case.parts or (case,)))}
"""


@pytest.fixture
def words(tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch, WORDS, BENCH)
    catalog.entries.cache_clear()
    yield
    catalog.entries.cache_clear()
    for name in [m for m in sys.modules if m.startswith("toy_beam")]:
        del sys.modules[name]


def scores(pool, contender):
    sql = 'SELECT "case", value, error FROM latest WHERE contender = $who AND metric = \'score\' ORDER BY "case"'
    return {r["case"]: r["error"] or r["value"] for r in pool.query(sql, {"who": contender}).to_pylist()}


def test_references_files_and_models_are_joined(words, tmp_path):
    file = tmp_path / "said.jsonl"
    file.write_text(
        "".join(json.dumps({"id": i, "output": o}) + "\n" for i, o in (("left", "left"), ("right", "wrong")))
    )
    model, given = "scripted[right=1]", f"replay[file={file}]"
    with Pool(tmp_path / "pool") as pool:
        done = weigh("toy", [given, model], pool=pool, budget=Budget(workers=0))
        assert done.excluded == {}
        assert scores(pool, "gold") == {"both": 1.0, "left": 1.0, "right": 1.0}
        assert scores(pool, "empty") == {"both": 0.0, "left": 0.0, "right": 0.0}
        assert scores(pool, given) == {"both": 0.0, "left": 1.0, "right": 0.0}
        assert scores(pool, model) == {"both": 1.0, "left": 1.0, "right": 1.0}
        calls = pool.query("SELECT \"case\" FROM latest WHERE metric = 'model_calls' ORDER BY ALL").to_pylist()
        assert [r["case"] for r in calls] == ["left", "right"], "nobody is asked for the joint case"
        again = weigh("toy", [model], pool=pool, budget=Budget(workers=0))
        assert (again.measured, again.done) == ({}, 9)


def test_a_part_that_was_never_answered_is_named_and_can_be_retried(words, tmp_path):
    model = "scripted[right=1]"
    with Pool(tmp_path / "pool") as pool:
        weigh(
            "toy", [model], pool=pool, budget=Budget(workers=0), where=compile_where("kind == 'both' or id == 'left'")
        )
        assert scores(pool, model)["both"] == "has no output of right, which is a part of both"
        weigh("toy", [model], pool=pool, budget=Budget(workers=0, retry_failed=True))
        assert scores(pool, model)["both"] == 1.0


def test_a_file_of_predictions_needs_the_parts_alone(words):
    cases = load_benchmark(Spec("toy"))[1].cases(None)
    given = [Prediction(word, trial, word, "") for word in ("left", "right") for trial in (0, 1)][:3]
    pairs = match(cases, given, partial=True)
    assert [(case.id, p.trial) for case, p in pairs] == [("left", 0), ("left", 1), ("right", 0), ("both", 0)]
    assert json.loads(pairs[-1][1].output) == {"left": "left", "right": "right"}
