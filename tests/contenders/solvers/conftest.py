"""A model that answers as a test says, and keeps every conversation it was shown."""

import pytest
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)

from steelyard import catalog
from steelyard.core.spec import parse_spec
from steelyard.llm import run_model

_NOW = {}


@modelapi(name="listening")
class Listening(ModelAPI):
    async def generate(self, input, tools, tool_choice, config):
        said = [(m.role, m.text) for m in input]
        _NOW["heard"].append(said)
        text = _NOW["answer"](said)
        if text is None:
            return ModelOutput.from_content("listening", "", stop_reason="model_length", error="too long")
        return ModelOutput(
            model="listening", usage=ModelUsage(input_tokens=90, output_tokens=10, total_tokens=100),
            choices=[ChatCompletionChoice(message=ChatMessageAssistant(content=text), stop_reason="stop")],
        )  # fmt: skip


@pytest.fixture
def listen(tmp_path):
    """listen(benchmark, where, spec, answer) -> ({case id: outcome}, conversations): one run through Inspect."""

    def run(benchmark, where, spec, answer=lambda said: "no idea", trials=1):
        entry = catalog.benchmark(benchmark)
        bench = entry.load()()
        cells = [(case, t) for case in bench.cases(None) if where(case) for t in range(trials)]
        _NOW.update(heard=[], answer=answer)
        seen = []
        run_model(entry.card, bench, parse_spec(spec), cells, lambda *a: seen.append(a), log_dir=str(tmp_path), seed=0,
                  time_s=None, cell_timeout_s=120)  # fmt: skip
        outcomes = {(case.id, trial): outcome for case, trial, outcome, *_ in seen}
        assert len(outcomes) == len(cells)
        return outcomes, _NOW["heard"]

    return run
