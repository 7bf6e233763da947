"""A real model on this machine, Ctrl-C, refusals, and our solvers in somebody else's Inspect task."""

import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from steelyard import catalog
from steelyard.catalog.models import find_model
from steelyard.core.errors import MissingError
from steelyard.core.interfaces import Message
from steelyard.core.spec import parse_spec
from steelyard.core.words import Case, Status
from steelyard.llm import run_model, server
from steelyard.pool import Pool
from tests.conftest import need

CARD = catalog.benchmark("humaneval-pro").card


class Sums:
    """Three sums; `wait` makes the scorer slow."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait

    def cases(self, data=None):
        for a in (1, 2, 3):
            yield Case(f"1+{a}", payload=1 + a)

    def prompt(self, case, **_):
        return [Message("user", f"What is {case.id}? Answer with the number."), Message("assistant", "The answer is")]

    def generation(self, **_):
        return {"max_tokens": 8}

    def score(self, case, output, **_):
        time.sleep(self.wait)
        return {"pass_at_1": float(str(case.payload) in output)}


def weigh(bench, spec, tmp_path, record=None, cases=None):
    seen = []
    cells = [(case, 0) for case in cases or bench.cases()]
    run_model(CARD, bench, parse_spec(spec), cells, record or (lambda *a: seen.append(a)), log_dir=str(tmp_path), seed=0,
              time_s=None, cell_timeout_s=120)  # fmt: skip
    return {case.id: outcome for case, _, outcome, *_ in seen}


@pytest.fixture
def smollm2():
    need("xllamacpp")
    if not find_model("smollm2").present():
        pytest.skip("the model is not here; `steelyard models pull smollm2` fetches it")


def test_a_last_assistant_turn_is_continued_and_not_repeated(smollm2, tmp_path):
    outcomes = weigh(Sums(), "smollm2", tmp_path)
    assert set(outcomes) == {"1+1", "1+2", "1+3"}
    for outcome in outcomes.values():
        assert outcome.status is Status.OK
        assert not outcome.artifacts["output"].strip().startswith("The answer is")
        assert 0 < outcome.metrics["output_tokens"] <= 8


def test_the_same_prompts_give_the_same_text_alone_and_side_by_side(smollm2, tmp_path):
    alone = weigh(Sums(), "smollm2[parallel=1]", tmp_path / "a")
    beside = weigh(Sums(), "smollm2[parallel=3,context=512]", tmp_path / "b")
    assert {k: o.artifacts["output"] for k, o in alone.items()} == {k: o.artifacts["output"] for k, o in beside.items()}


def test_a_prompt_longer_than_the_context_is_a_failure_that_says_so(smollm2, tmp_path):
    class Long(Sums):
        def prompt(self, case, **_):
            return [Message("user", "word " * 400)]

    outcomes = weigh(Long(), "smollm2[context=128,parallel=1]", tmp_path)
    assert {o.status for o in outcomes.values()} == {Status.FAILED}
    assert "exceeds the available context size" in outcomes["1+1"].error


def test_the_server_is_on_loopback_ends_after_a_run_and_can_start_again(smollm2, tmp_path):
    before = len(os.listdir("/proc/self/task"))
    one = server.serve(find_model("smollm2").path, 256, 1, 1)
    assert one.url.startswith("http://127.0.0.1:")
    assert len(os.listdir("/proc/self/task")) > before
    assert server.serve(find_model("smollm2").path, 256, 1, 1) is one, "one server for one setting"
    server.stop_all()
    assert one.handle is None
    weigh(Sums(), "smollm2", tmp_path)
    assert server._RUNNING == {}


STOPPED = """
import json, os, signal, sys, threading
from tests.llm.test_live import CARD, Sums, weigh
def record(case, trial, outcome, duration, started):
    print(json.dumps([case.id, str(outcome.status)]), file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
try:
    weigh(Sums(wait=0.3), "smollm2[parallel=1]", sys.argv[1], record)
except KeyboardInterrupt:
    print("stopped", file=sys.stderr)
"""


def test_ctrl_c_keeps_what_was_recorded_and_records_nothing_that_it_cut_off(smollm2, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(tmp_path)], capture_output=True, text=True, timeout=120, cwd=os.getcwd()
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[-1] == "stopped"
    recorded = [json.loads(line) for line in lines if line.startswith("[")]
    assert [status for _, status in recorded] == ["ok"]
    from inspect_ai.log import read_eval_log

    (log,) = tmp_path.glob("*.eval")
    read = read_eval_log(str(log))
    assert read.status == "cancelled", "Inspect closed its log"
    assert recorded[0][0] in {s.id for s in read.samples}


def test_a_refusal_has_no_score_and_counts_as_refused(monkeypatch):
    from inspect_ai.model import ModelOutput

    from steelyard.llm.bridge import _outcome

    output = ModelOutput.from_content("m", "I cannot help.", stop_reason="content_filter")
    score = SimpleNamespace(metadata={"metrics": {"pass_at_1": 0.0}, "status": "ok"}, value=0.0)
    sample = SimpleNamespace(
        model_usage={}, working_time=1.0, total_time=1.0, events=[], messages=[], output=output, error=None, limit=None, metadata={},
        scores={"steelyard": score},
    )  # fmt: skip
    outcome = _outcome(sample)
    assert outcome.status is Status.REFUSED
    assert "pass_at_1" not in outcome.metrics


def test_text_to_continue_that_went_out_as_a_message_is_said(tmp_path):
    from inspect_ai.model import ModelOutput, ModelUsage

    from steelyard.llm.bridge import _outcome

    output = ModelOutput.from_content("m", "x")
    said = {}
    for name in ("openai/gpt-4o", "steelyard/smollm2"):
        sample = SimpleNamespace(
            model_usage={name: ModelUsage(input_tokens=1, output_tokens=1)}, working_time=1.0, total_time=1.0, events=[],
            messages=[], output=output, error=None, limit=None, scores={}, metadata={"raw": True},
        )  # fmt: skip
        said[name] = "route" in _outcome(sample).artifacts
    assert said == {"openai/gpt-4o": True, "steelyard/smollm2": False}


def test_our_solver_works_in_somebody_elses_task(tmp_path):
    need("bwrap")
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import SolverSpec

    def say(text):
        said = ModelOutput.from_content("mockllm/model", f"```python\n{text}\n```")
        said.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return said

    wrong, right = "def f(x):\n    return x - 1", "def f(x):\n    return x + 1"
    sample = Sample(input="Write f, the successor.", target="x + 1", metadata={"visible_tests": ["assert f(1) == 2"]})
    task = Task(dataset=[sample], scorer=includes())
    model = get_model("mockllm/model", custom_outputs=[say(wrong), say(right)], memoize=False)
    for _ in (1, 2):  # the second time the solver's module is loaded already
        spec = SolverSpec("steelyard/self-debug", {"turns": 2})
        model = get_model("mockllm/model", custom_outputs=[say(wrong), say(right)], memoize=False)
        (log,) = inspect_eval(task, model=model, solver=spec, log_dir=str(tmp_path), display="none")
        assert log.status == "success", log.error
        assert log.samples[0].scores["includes"].value == "C"
        assert "x - 1" in str(log.samples[0].messages)


def test_ctrl_c_of_a_whole_run_keeps_its_rows_and_the_next_run_takes_the_rest(smollm2, tmp_path):
    need("bwrap")
    spec = "smollm2[max_tokens=32,parallel=1]"
    command = [sys.executable, "-m", "steelyard", "run", "humaneval", "--with", spec, "--limit", "5", "--trials", "2",
               "--pool", str(tmp_path / "pool")]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}

    def answers():
        """status of every cell of the model, by (case, trial)"""
        with Pool(tmp_path / "pool", readonly=True) as pool:
            sql = "SELECT \"case\", trial, status FROM measurements WHERE contender = $who AND metric = 'pass_at_1'"
            found = pool.query(sql, {"who": str(parse_spec(spec))}).to_pylist()
        cells = {(r["case"], r["trial"]): r["status"] for r in found}
        assert len(cells) == len(found), "no cell twice"
        return cells

    process = subprocess.Popen(command, start_new_session=True, **options)
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
        try:
            if len(answers()) >= 2:
                break
        except MissingError:  # the pool is not made yet
            continue
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    kept = answers()
    assert 2 <= len(kept) < 10
    assert set(kept.values()) == {"ok"}
    assert "not measured (stopped)" in err
    done = subprocess.run(command, timeout=280, **options)
    assert done.returncode == 0, done.stderr
    assert f"{10 - len(kept)} measured" in done.stderr
    assert f"{10 + len(kept)} already in the pool" in done.stderr, "the two gates' cells and the kept ones"
    assert len(answers()) == 10
