"""The bridge: a benchmark's prompt and score become an Inspect task, and every sample one record."""

import json
import os
import subprocess
import sys

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
from steelyard.catalog.models import find_model
from steelyard.core.errors import InputError, MissingError
from steelyard.core.spec import parse_spec
from steelyard.llm import identity, run_model
from steelyard.llm.bridge import resolve
from steelyard.pool import Pool
from steelyard.weigh import weigh as run_all
from tests.conftest import need


class Says(ModelAPI):
    """Says the same sentence, without code, to everything."""

    async def generate(self, input, tools, tool_choice, config):
        message = ChatMessageAssistant(content="I would rather not.")
        return ModelOutput(model="scripted", choices=[ChatCompletionChoice(message=message)],
                           usage=ModelUsage(input_tokens=7, output_tokens=5, total_tokens=12))  # fmt: skip


@modelapi(name="scripted")
class Scripted(Says):
    pass


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
    seen = weigh(bench, "scripted/model", [(case, trial) for case in cases for trial in (0, 1)], tmp_path)
    assert sorted((case.id, trial) for case, trial, *_ in seen) == sorted((c.id, t) for c in cases for t in (0, 1))
    for _, _, outcome, duration, started in seen:
        assert outcome.metrics["pass_at_1"] == 0.0
        assert outcome.metrics["model_calls"] == 1
        assert (outcome.metrics["input_tokens"], outcome.metrics["output_tokens"]) == (7, 5)
        assert outcome.artifacts["output"] == "I would rather not."
        assert duration >= 0
        assert started > 1.7e9
    assert len(list(tmp_path.glob("*.eval"))) == 2, "Inspect's own logs are kept"


def test_self_debug_stops_where_the_rewrite_changes_nothing(bench, tmp_path):
    need("bwrap")
    case = next(iter(bench.cases(None)))
    spec = "scripted/model[prompt=1shot]+self-debug[turns=5]"
    (_, _, outcome, *_), = weigh(bench, spec, [(case, 0)], tmp_path)  # fmt: skip
    assert outcome.metrics["model_calls"] == 2


def test_no_sample_begins_after_the_time_is_up(bench, tmp_path):
    case = next(iter(bench.cases(None)))
    assert weigh(bench, "scripted/model", [(case, 0)], tmp_path, time_s=-1.0) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("smolm2", "Did you mean smollm2"),
        ("scripted/model+self-debgu", "Did you mean self-debug"),
        ("scripted/model[prompt=7shot]", "It may be"),
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


SENT = []


@modelapi(name="overheard")
class Overheard(Says):
    """Keeps the settings that each request came with."""

    async def generate(self, input, tools, tool_choice, config):
        SENT.append(config)
        return await super().generate(input, tools, tool_choice, config)


@pytest.mark.parametrize(
    ("profile", "spec", "temperature"),
    [
        ("sound", "overheard/model", 0.0),
        ("published", "overheard/model", 0.2),  # the paper's script, for models behind a chat interface
        ("published", "overheard/model[temperature=0.7]", 0.7),
    ],
)
def test_the_recorded_config_is_what_goes_out(tmp_path, profile, spec, temperature):
    need("bwrap")
    bench = catalog.benchmark("humaneval-pro").load()(profile=profile)
    SENT.clear()
    weigh(bench, spec, [(next(iter(bench.cases(None))), 0)], tmp_path, seed=5)
    (sent,) = SENT
    _, config = identity(parse_spec(spec), CARD, bench)
    assert config["temperature"] == temperature
    assert {name: getattr(sent, name) for name in config} == dict(config)
    assert sent.seed == 5


def test_another_version_of_the_engine_is_another_model(bench, monkeypatch):
    pulled()
    versions = {"xllamacpp": "1"}
    monkeypatch.setattr("importlib.metadata.version", versions.__getitem__)
    one, config = identity(parse_spec("smollm2"), CARD, bench)
    versions["xllamacpp"] = "2"
    two, _ = identity(parse_spec("smollm2"), CARD, bench)
    assert one != two
    assert {k: config[k] for k in ("temperature", "max_tokens", "parallel", "context")} == {
        "temperature": 0.0, "max_tokens": 4096, "parallel": 2, "context": 8192,
    }  # fmt: skip


def test_every_model_is_checked_before_anything_is_measured(tmp_path, monkeypatch):
    need("bwrap")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Pool(tmp_path / "pool") as pool:
        with pytest.raises(MissingError, match="openai/gpt-4o cannot be used"):
            run_all("humaneval-pro", ["gold", "scripted/model", "openai/gpt-4o"], pool=pool, limit=1)
        with pytest.raises(InputError, match="no model provider 'nobody'"):
            run_all("humaneval-pro", ["scripted/model", "nobody/model"], pool=pool, limit=1)
        assert pool.info().rows == 0
        monkeypatch.setenv("SCRIPTED_KEY", "x")
        run_all("humaneval-pro", ["locked/model"], pool=pool, limit=1)
        monkeypatch.delenv("SCRIPTED_KEY")
        done = run_all("humaneval-pro", ["locked/model"], pool=pool, limit=1)
        assert (done.measured, done.done) == ({}, 3), "what the pool has needs no key"


@modelapi(name="locked")
class Locked(Says):
    """For those who have its key."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        if "SCRIPTED_KEY" not in os.environ:
            raise RuntimeError("no SCRIPTED_KEY in the environment")


def pulled():
    """Skip without the default model; fail where everything optional is required."""
    need("xllamacpp")
    if not find_model("smollm2").present():
        message = "the model is not here; `steelyard models pull smollm2` fetches it"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


def test_inspect_finds_the_tasks_and_models_of_an_installed_package(tmp_path):
    pulled()
    command = [sys.executable, "-m", "inspect_ai", "eval", "steelyard/humaneval_pro", "--model", "steelyard/smollm2",
               "--max-tokens", "8", "-T", "limit=1", "--log-dir", str(tmp_path), "--log-format", "json", "--display",
               "none"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    (log,) = tmp_path.glob("*.json")
    (sample,) = json.loads(log.read_text())["samples"]
    assert sample["scores"]["steelyard"]["value"] == 0.0
    assert sample["output"]["completion"]


def test_a_real_model_answers_the_same_twice(bench, tmp_path):
    pulled()
    cells = [(next(iter(bench.cases(None))), trial) for trial in (0, 1)]
    first, second = weigh(bench, "smollm2[max_tokens=24,parallel=1]", cells, tmp_path)
    assert first[2].artifacts["output"] == second[2].artifacts["output"] != ""
    assert first[2].metrics["output_tokens"] <= 24
