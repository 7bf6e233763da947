"""The bridge: a benchmark's prompt and score become an Inspect task, and every sample one record."""

import json
import subprocess
import sys

import pytest

from steelyard import catalog
from steelyard.core.errors import InputError, MissingError
from steelyard.core.spec import parse_spec
from steelyard.llm import run_model
from steelyard.llm.bridge import resolve
from steelyard.llm.models import find_model
from tests.conftest import need

CARD = catalog.benchmark("humaneval-pro").card


@pytest.fixture(scope="module")
def bench():
    return catalog.benchmark("humaneval-pro").load()()


def weigh(bench, spec, cells, tmp_path, **changed):
    seen = []
    options = {"log_dir": str(tmp_path), "seed": 0, "time_s": None, "cell_timeout_s": 60} | changed
    run_model(CARD, bench, parse_spec(spec), cells, lambda *a: seen.append(a), **options)
    return seen


def test_every_cell_is_recorded_once_with_its_cost(bench, tmp_path):
    need("bwrap")
    cases = list(bench.cases(None))[:2]
    seen = weigh(bench, "mockllm/model", [(case, trial) for case in cases for trial in (0, 1)], tmp_path)
    assert sorted((case.id, trial) for case, trial, *_ in seen) == sorted((c.id, t) for c in cases for t in (0, 1))
    for _, _, outcome, duration, started in seen:
        assert outcome.metrics["pass_at_1"] == 0.0
        assert outcome.metrics["model_calls"] == 1
        assert outcome.artifacts["output"] == "Default output from mockllm/model"
        assert duration >= 0 and started > 1.7e9
    assert len(list(tmp_path.glob("*.eval"))) == 2, "Inspect's own logs are kept"


def test_self_debug_stops_after_its_turns_on_a_model_that_never_writes_code(bench, tmp_path):
    need("bwrap")
    case = next(iter(bench.cases(None)))
    spec = "mockllm/model[prompt=1shot]+self-debug[turns=2]"
    (_, _, outcome, *_), = weigh(bench, spec, [(case, 0)], tmp_path)  # fmt: skip
    assert outcome.metrics["model_calls"] == 3


def test_no_sample_begins_after_the_time_is_up(bench, tmp_path):
    case = next(iter(bench.cases(None)))
    assert weigh(bench, "mockllm/model", [(case, 0)], tmp_path, time_s=-1.0) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("smolm2", "Did you mean smollm2"),
        ("mockllm/model+self-debgu", "Did you mean self-debug"),
        ("mockllm/model[prompt=7shot]", "It may be"),
    ],
)
def test_wrong_specs_are_refused_before_anything_runs(spec, message):
    with pytest.raises(InputError) as error:
        resolve(parse_spec(spec), CARD)
    assert message in str(error.value)


def test_a_provider_without_its_key_is_an_environment_error(bench, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingError):
        weigh(bench, "openai/gpt-4o", [(next(iter(bench.cases(None))), 0)], tmp_path)


def test_inspect_finds_the_tasks_of_an_installed_package(tmp_path):
    need("bwrap")
    command = [sys.executable, "-m", "inspect_ai", "eval", "steelyard/humaneval_pro", "--model", "mockllm/model", "-T",
               "limit=2", "--log-dir", str(tmp_path), "--log-format", "json", "--display", "none"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    (log,) = tmp_path.glob("*.json")
    read = json.loads(log.read_text())
    assert read["status"] == "success"
    assert len(read["samples"]) == 2


def test_a_real_model_answers_the_same_twice(bench, tmp_path):
    need("xllamacpp")
    model = find_model("smollm2")
    if not model.present():
        pytest.skip("the model is not here; `steelyard models pull smollm2` fetches it")
    cells = [(next(iter(bench.cases(None))), trial) for trial in (0, 1)]
    first, second = weigh(bench, "smollm2[max_tokens=24,parallel=1]", cells, tmp_path)
    assert first[2].artifacts["output"] == second[2].artifacts["output"] != ""
    assert first[2].metrics["output_tokens"] <= 24
