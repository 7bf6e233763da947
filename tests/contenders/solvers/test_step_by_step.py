"""step-by-step: which steps are asked for in which order, what the model sees of earlier ones, and what comes out."""

import pytest
from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelAPI, ModelOutput, modelapi

from steelyard import catalog
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Message
from steelyard.core.spec import parse_spec
from steelyard.core.words import Case
from steelyard.llm import run_model

CARD = catalog.benchmark("humaneval-pro").card


@modelapi(name="repeating")
class Repeating(ModelAPI):
    """Says what it was asked last."""

    async def generate(self, input, tools, tool_choice, config):
        message = ChatMessageAssistant(content=f"<{input[-1].text}>")
        return ModelOutput(model="repeating", choices=[ChatCompletionChoice(message=message)])


class Letters:
    """A program of three letters; an output lists the answers in the order they were taken."""

    def prompt(self, case):
        return [Message("user", "all at once")]

    def program(self, case, output):
        return output

    def steps(self, case):
        return ["a", "b", "c"]

    def ask_step(self, case, done, step):
        return [Message("system", "Letters."), Message("user", f"{step} after {len(done.split())}")]

    def take_step(self, case, done, step, output):
        return f"{done} {step}={output.replace(' ', '_')}".strip()

    def score(self, case, output):
        return {"pass_at_1": float(output.count("=") == 3)}


class Whole(Letters):
    """The same without steps."""

    def __getattribute__(self, name):
        if name == "steps":
            raise AttributeError(name)
        return super().__getattribute__(name)


def ask(spec, bench, folder):
    seen = []
    run_model(CARD, bench, parse_spec(f"repeating/model+step-by-step{spec}"), [(Case("one"), 0)], lambda *a: seen.append(a),
              log_dir=str(folder), seed=0, time_s=None, cell_timeout_s=60)  # fmt: skip
    ((_, _, outcome, *_),) = seen
    return outcome


@pytest.mark.parametrize(
    ("spec", "output"),
    [
        ("", "a=<a_after_0> b=<b_after_1> c=<c_after_2>"),
        ("[order=rev]", "c=<c_after_0> b=<b_after_1> a=<a_after_2>"),
        ("[keep=false]", "a=<a_after_0> b=<b_after_0> c=<c_after_0>"),
    ],
)
def test_each_step_is_a_conversation_of_its_own(tmp_path, spec, output):
    outcome = ask(spec, Letters(), tmp_path)
    assert outcome.artifacts["output"] == output
    assert outcome.metrics["model_calls"] == 3
    assert outcome.metrics["pass_at_1"] == 1.0


def test_a_random_order_is_the_same_for_the_same_seed(tmp_path):
    first, second = (ask("[order=random]", Letters(), tmp_path / name).artifacts["output"] for name in ("1", "2"))
    assert first == second
    assert sorted(part[0] for part in first.split()) == ["a", "b", "c"]


def test_a_benchmark_without_steps_and_a_wrong_order_are_named(tmp_path):
    assert "divides its programs into steps" in ask("", Whole(), tmp_path).error
    with pytest.raises(InputError, match="'order' is 'up'"):
        ask("[order=up]", Letters(), tmp_path)
