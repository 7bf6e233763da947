"""Scripts with known rates and best-of: what comes out of the loop must follow from the rates."""

import json
import math

import pytest

from steelyard.contenders.solvers.repairers import last_program
from steelyard.core.interfaces import Message
from tests.conftest import need


def expected(right, fixes, detects, alarms, turns):
    """Probability that the last program is right, turn by turn (the model judges; hand-made Markov chain)."""
    goes_on = {True: right, False: 1 - right}
    stopped = 0.0
    for _ in range(turns):
        stopped += goes_on[True] * (1 - alarms)
        rewritten = goes_on[True] * alarms + goes_on[False] * detects
        goes_on = {True: rewritten * fixes, False: rewritten * (1 - fixes)}
    return stopped + goes_on[True]


def test_the_chain_by_hand():
    assert expected(0.5, 1.0, 1.0, 0.0, 1) == 1.0
    assert expected(0.4, 0.5, 0.5, 0.0, 1) == pytest.approx(0.4 + 0.6 * 0.5 * 0.5)


@pytest.mark.parametrize(("right", "fixes", "detects", "alarms"), [(0.4, 0.5, 0.8, 0.1), (0.7, 0.2, 0.5, 0.4)])
def test_a_scripts_rates_come_out_of_the_loop(listen, right, fixes, detects, alarms):
    rates = f"right={right},fixes={fixes},detects={detects},alarms={alarms}"
    outcomes, _ = listen(
        "text-to-sql", lambda case: True, f"scripted[{rates}]+self-debug[feedback=sql,turns=3]", trials=2
    )
    n = len(outcomes)
    share = sum(o.metrics["execution_accuracy"] for o in outcomes.values()) / n
    p = expected(right, fixes, detects, alarms, 3)
    assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / n)
    first = sum(o.metrics["execution_accuracy"] - o.metrics["execution_accuracy_gain"] for o in outcomes.values()) / n
    assert abs(first - right) < 4 * math.sqrt(right * (1 - right) / n)
    for outcome in outcomes.values():
        trail = json.loads(outcome.artifacts["trail"])
        wrong_stop = trail["stopped"] == "judged right" and not outcome.metrics["execution_accuracy"]
        assert outcome.metrics.get("false_correct_stop", 0.0) == float(wrong_stop)


def test_oracle_and_null_bound_every_repair(listen):
    need("bwrap")
    quick = lambda case: case.attributes["problem"] != "Own/6"  # noqa: E731
    null, _ = listen("program-repair", quick, "null+self-debug")
    oracle, _ = listen("program-repair", quick, "oracle+self-debug")
    for key, outcome in null.items():
        prepared_only = key[0] in ("hand:Own/5", "hand:Own/10")  # an import and a helper are put in front
        assert outcome.metrics["fixed_minus_broken"] == float(prepared_only)
        best = oracle[key].metrics
        assert best["broken"] == 0
        assert best["pass_at_1"] == 1.0 - best["visible_only"]
    hidden_only = {key[0] for key, o in oracle.items() if o.metrics["visible_only"]}
    assert hidden_only == {"hand:Own/2", "hand:Own/7", "hand:Own/12"}, (
        "right on every visible test, wrong on a hidden one"
    )
    assert {o.metrics["false_correct_stop"] for k, o in oracle.items() if k[0] in hidden_only} == {1.0}


def test_best_of_finds_a_right_program_as_often_as_chance_allows(listen):
    need("bwrap")
    outcomes, _ = listen("program-repair", lambda case: True, "scripted[right=0.4]+best-of[samples=3]")
    share = sum(o.metrics["pass_at_1"] for o in outcomes.values()) / len(outcomes)
    p = 1 - 0.6**3
    assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / len(outcomes))
    assert {o.metrics["samples"] for o in outcomes.values()} == {3.0}


def test_best_of_stops_early_at_the_choice_it_would_make_anyhow(listen):
    need("bwrap")
    one = lambda case: case.id == "hand:Own/1"  # noqa: E731
    wrong, right = "```python\ndef add_evens(x):\n    return 0\n```", "```python\ndef add_evens(x):\n    return 6\n```"
    for early, samples in (("true", 2), ("false", 4)):
        count = iter(range(9))
        answer = lambda said, count=count: (wrong, right)[next(count) > 0]  # noqa: E731
        outcomes, _ = listen("program-repair", one, f"listening/m+best-of[samples=4,early={early}]", answer)
        (outcome,) = outcomes.values()
        assert (outcome.metrics["samples"], outcome.metrics["tokens"]) == (samples, 100 * samples)
        assert outcome.metrics["visible_only"] == 1, "6 is what the visible test wants, and no more"


def test_best_of_without_tests_takes_the_most_frequent_result(listen):
    queries = ["SELECT 1", "SELECT count(*) FROM customer", "SELECT 2", "SELECT count(id) FROM customer"]
    count = iter(range(9))
    answer = lambda said: f"```sql\n{queries[next(count)]}\n```"  # noqa: E731
    same_columns = [q.replace("(*)", "(*) AS n").replace("(id)", "(id) AS n") for q in queries]
    queries[:] = same_columns
    outcomes, _ = listen("text-to-sql", lambda case: case.id == "shop/0", "listening/m+best-of[samples=4]", answer)
    (outcome,) = outcomes.values()
    assert outcome.metrics["execution_accuracy"] == 1


def test_last_program_is_the_newest_fenced_answer():
    said = [
        Message("user", "task"),
        Message("assistant", "```\na\n```"),
        Message("user", "why"),
        Message("assistant", "so"),
    ]
    assert last_program(said) == "```\na\n```"
    assert last_program(said[:1]) == ""
