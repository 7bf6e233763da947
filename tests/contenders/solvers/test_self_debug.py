"""The loop of Self-Debugging, run through Inspect with models that answer as the test says."""

import asyncio
import itertools
import json

import pytest
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput

from steelyard import catalog
from steelyard.contenders.solvers.demonstrations import demonstrations
from steelyard.contenders.solvers.dialogue import Dialogue
from steelyard.contenders.solvers.feedback import ANSWER, EXPLAIN, EXPLAIN_BOTH, JUDGE, KINDS, WRONG, says_right
from steelyard.contenders.solvers.visible import left_side
from tests.conftest import need

EVENS = "hand:Own/1"  # adds the odd numbers
FACTORIAL = "hand:Own/6"  # never ends
COUNT = "hand:OwnTranslation/4"  # one step short
FIXED = "```python\ndef add_evens(numbers):\n    return sum(n for n in numbers if n % 2 == 0)\n```"


def one(outcomes):
    (outcome,) = outcomes.values()
    return outcome, json.loads(outcome.artifacts["trail"])


def only(identity):
    return lambda case: case.id == identity


@pytest.mark.parametrize("kind", ["simple", "ut", "expl", "trace"])
def test_the_kinds_differ_only_in_what_is_told_and_asked(listen, kind):
    need("bwrap")
    outcomes, heard = listen(
        "program-repair", only(EVENS), f"listening/m+self-debug[feedback={kind}]", lambda said: FIXED
    )
    outcome, trail = one(outcomes)
    assert outcome.metrics["fixed_minus_broken"] == outcome.metrics["newly_fixed_1"] == 1
    assert outcome.metrics["turns"] == 1
    assert (trail["stopped"], trail["by"], trail["judged"]) == ("judged right", "tests", [False, True])
    last = heard[-1][-1][1]
    assert WRONG in last
    assert ("It gives: 1" in last) == KINDS[kind].tests, "sum of the odd numbers of [1, 2, 4]"
    asked = [said[-1][1] for said in heard[:-1]]
    assert len(asked) == len(KINDS[kind].questions)
    if kind == "trace":
        assert "assert add_evens([1, 2, 4]) == 6" in asked[0]
    assert outcome.metrics["tokens"] == 100 * len(heard)


def test_hidden_tests_reach_no_prompt_and_the_source_does(listen):
    need("bwrap")
    for kind in ("ut", "expl"):
        spec = f"listening/m+self-debug[feedback={kind},tests=all,turns=2]"
        _, heard = listen("program-repair", lambda case: not case.attributes["solved"], spec)
        text = "\n".join(t for said in heard for _, t in said)
        assert "check(" not in text
        assert "candidate" not in text
        assert "assert longest_word('')" not in text
        assert "n = n / 10;" in text, "the C++ source of a translation"
        assert (EXPLAIN_BOTH.format(source="C++") in text) == (EXPLAIN in text) == (kind == "expl")


def test_an_answer_without_code_keeps_the_program_before_it(listen):
    need("bwrap")
    outcome, trail = one(listen("program-repair", only(EVENS), "listening/m+self-debug[turns=2]")[0])
    assert (trail["turns"], trail["no_code"], trail["stopped"]) == (2, 2, "turns used up")
    assert "if n % 2:" in outcome.artifacts["program"]
    assert outcome.metrics["fixed_minus_broken"] == 0


def test_an_identical_rewrite_ends_the_loop(listen):
    need("bwrap")
    repeat = lambda said: next(t for role, t in said if role == "assistant")  # noqa: E731
    outcome, trail = one(listen("program-repair", only(EVENS), "listening/m+self-debug[turns=9]", repeat)[0])
    assert (trail["turns"], trail["stopped"]) == (1, "no change")
    assert outcome.metrics["model_calls"] == 1


def test_a_program_that_never_ends_gives_timeout(listen):
    need("bwrap")
    _, heard = listen("program-repair", only(FACTORIAL), "listening/m+self-debug[turns=1]")
    assert "assert factorial(4) == 24\nIt gives: timeout" in heard[0][-1][1]


def test_the_first_failing_test_or_all_of_them(listen):
    need("bwrap")
    for which, count in (("first", 1), ("all", 2)):  # n = 5 is right even one step short
        _, heard = listen("program-repair", only(COUNT), f"listening/m+self-debug[tests={which},turns=1]")
        assert heard[0][-1][1].count("This test fails") == count
        assert "count_down(4) == 3\nIt gives: 2" in heard[0][-1][1]


def test_a_models_own_verdict_may_stop_too_early_and_that_is_counted(listen):
    need("bwrap")
    spec = "listening/m+self-debug[feedback=expl,verdict=model]"
    outcome, trail = one(listen("program-repair", only(EVENS), spec, lambda said: "Yes, it is.")[0])
    assert (trail["by"], trail["judged"], trail["stopped"]) == ("model", [True], "judged right")
    assert (outcome.metrics["false_correct_stop"], outcome.metrics["first_verdict_right"]) == (1, 0)


def test_turns_0_asks_for_a_verdict_and_rewrites_nothing(listen):
    need("bwrap")
    spec = "listening/m+self-debug[feedback=simple,verdict=model,turns=0]"
    outcomes, heard = listen("program-repair", only(EVENS), spec, lambda said: "no")
    outcome, _ = one(outcomes)
    assert [said[-1][1] for said in heard] == [JUDGE]
    assert outcome.metrics["first_verdict_right"] == 1


def test_no_call_begins_once_the_tokens_are_spent(listen):
    need("bwrap")
    answers = lambda said: f"```python\ndef add_evens(numbers):\n    return {len(said)}\n```"  # noqa: E731
    outcome, trail = one(
        listen("program-repair", only(EVENS), "listening/m+self-debug[turns=9,tokens=250]", answers)[0]
    )
    assert (trail["stopped"], outcome.metrics["tokens"], trail["turns"]) == ("tokens used up", 300, 3)


def test_the_query_feedback_shows_what_the_models_own_query_returned(listen):
    query = "```sql\nSELECT name FROM customer WHERE city = 'Bern'\n```"
    answers = lambda said: "no" if said[-1][1] == JUDGE else query if len(said) == 1 else "An explanation."  # noqa: E731
    spec = "listening/m+self-debug[feedback=sql,turns=1]"
    outcomes, heard = listen("text-to-sql", only("shop/0"), spec, answers)
    outcome, trail = one(outcomes)
    assert any("The query returns 2 rows with the columns name.\n('Ada',)" in said[-1][1] for said in heard)
    assert outcome.metrics["execution_accuracy"] == 0
    assert trail["by"] == "model"


def test_a_full_context_drops_the_oldest_turns_but_never_the_task(listen):
    need("bwrap")

    def answer(said, count=itertools.count()):
        return None if len(said) > 4 else f"```python\ndef add_evens(x):\n    return {next(count)}\n```"

    outcome, trail = one(
        listen("program-repair", only(EVENS), "listening/m+self-debug[feedback=expl,turns=3]", answer)[0]
    )
    assert trail["dropped"] > 0
    assert trail["turns"] == 3
    assert outcome.artifacts["prompt"].startswith("[user]\nComplete this Python function.")


def test_what_cannot_fit_ends_the_loop_and_loses_nothing(listen):
    need("bwrap")
    outcome, trail = one(listen("program-repair", only(EVENS), "listening/m+self-debug", lambda said: None)[0])
    assert trail["stopped"] == "context full"
    assert outcome.metrics["pass_at_1"] == 0


class State:
    """As much of a TaskState as a dialogue touches."""

    model = "m"

    def __init__(self, *messages):
        self.messages, self.output, self.metadata = list(messages), None, {}


def test_dropping_keeps_task_current_program_and_question():
    room = 4

    async def generate(state, **_):
        fits = len(state.messages) <= room
        state.output = ModelOutput.from_content("m", "fine" if fits else "", "stop" if fits else "model_length")
        state.messages.append(state.output.message)
        return state

    state = State(ChatMessageUser(content="task"))
    talk = Dialogue(state, generate)
    talk.begin("seed")
    for at in range(3):
        state.messages += [ChatMessageUser(content=f"old {at}"), ChatMessageAssistant(content=f"reply {at}")]
    assert asyncio.run(talk.say("question")) == "fine"
    assert [m.text for m in state.messages] == ["task", "seed", "question", "fine"]
    assert talk.dropped == 6


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Yes.", True), ("No, line 3 is off.", False), ("The code above is correct.", True),
        ("The code above is wrong. Please fix it.", False), ("It is not correct.", False), ("Incorrect!", False),
        ("I cannot say.", False), ("", False),
    ],
)  # fmt: skip
def test_the_first_word_of_verdict_decides(answer, right):
    assert says_right(answer) is right


def test_left_side_of_an_assert():
    assert left_side("assert f(1, [2]) == 3") == "f(1, [2])"
    assert left_side("assert not f(1)") == ""
    assert left_side("f(") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_demonstrations_show_a_right_and_a_wrong_program(kind):
    said = demonstrations(kind)
    assert [m.role for m in said] == ["user", "assistant"] * (len(said) // 2)
    texts = [m.text for m in said]
    assert sum(ANSWER in t for t in texts) == 1, "one program is to be fixed"
    assert sum("The code above is correct." in t for t in texts) == 1
    assert sum(t.startswith("```") for t in texts) == 3


def test_the_demonstrated_programs_are_what_they_are_said_to_be():
    need("bwrap")
    from steelyard.contenders.solvers import demonstrations as module
    from steelyard.sandbox import shared

    right, wrong = module._python("ut")
    assert shared().check(right.program, right.test).passed
    assert not shared().check(wrong.program, wrong.test).passed
    assert shared().check(wrong.program, f"assert repr(even_sum([1, 2, 4])) == {wrong.gave!r}").passed
    assert shared().check(wrong.fixed, wrong.test).passed


def test_the_card_lists_every_claim_of_its_paper():
    ids = {claim.id for claim in catalog.find("self-debug").full().claims}
    assert {"spider-gain-2-3", "sql-explanation-gain-here", "unit-test-gain-here", "sample-efficiency-10x-here"} <= ids
