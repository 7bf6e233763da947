"""From a benchmark's `prompt` and `score` to a complete Inspect task, and from its samples back to measurements."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.hooks import Hooks, SampleEnd, TaskStart, hooks
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

from steelyard import catalog
from steelyard.catalog.models import MODELS, find_model, path_of
from steelyard.core.card import Card
from steelyard.core.contender import build, config_of, options_of, source_hash
from steelyard.core.errors import InputError, MissingError, SteelyardError, unknown
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.spec import Spec
from steelyard.core.words import Case, Status
from steelyard.llm import Record, lab_provider
from steelyard.llm.context import TOKEN, TRAIL, Answers, Steps, remember
from steelyard.llm.provider import CONTEXT, MAX_TOKENS, PARALLEL, RAW
from steelyard.llm.scripted import PROVIDER as SCRIPT
from steelyard.llm.server import stop_all

GENERATION = ("temperature", "top_p", "top_k", "max_tokens", "frequency_penalty", "presence_penalty")
SERVER = ("threads", "parallel", "context", "cache_k", "cache_v")
LOCAL_DEFAULTS = {"max_tokens": MAX_TOKENS, "context": CONTEXT, "parallel": PARALLEL}
PROVIDER = ("base_url", "device", "tensor_parallel_size", "max_model_len")
RAW_TAKERS = ("steelyard/", "lab/", "vllm-completions/", "openai-api-completions/")
LATE = "steelyard: the time of the run is up"
# a card with this metric asks for it of every model that can say how probable a text is
REFERENCE = "reference_logprob"


@dataclass(frozen=True)
class Chosen:
    """A resolved model spec: its Inspect name, its options sorted by who reads them, its solvers."""

    model: str
    model_args: Mapping[str, Any]
    generation: Mapping[str, Any]
    prompting: Mapping[str, Any]
    solvers: tuple[Any, ...]
    source: str

    def sampling(self, bench: Any) -> dict[str, Any]:
        """What goes out with every request: greedy unless the benchmark says otherwise, and the spec has the last word."""
        asked = dict(getattr(bench, "generation", lambda **_: {})(**self.prompting))
        if "stop" in asked:
            asked["stop_seqs"] = asked.pop("stop")
        return {"temperature": 0.0, **asked, **self.generation}

    def config(self, bench: Any) -> dict[str, Any]:
        """The options that are recorded beside every number."""
        local = LOCAL_DEFAULTS if self.model.startswith("steelyard/") else {}
        parts: dict[str, Any] = {**local, **self.sampling(bench), **self.prompting, **self.model_args}
        if self.solvers:
            parts["solvers"] = [{"name": s.steelyard_name, **config_of(s)} for s in self.solvers]
        return parts


def resolve(spec: Spec, card: Card) -> Chosen:
    """Find the model, sort its options, build its solvers. Raises InputError and MissingError before anything runs."""
    local = find_model(spec.name)
    scripts = {e.name: e for e in catalog.contenders("model")}
    if local is None and "/" not in spec.name and spec.name not in scripts:
        ours = [e.name for e in catalog.contenders("generator")]
        raise unknown("model or contender", spec.name, [*(m.name for m in MODELS), *scripts, *ours])
    script = scripts[spec.name].load() if spec.name in scripts else None
    contender_scope = {o.name: o for o in card.options if o.scope == "contender"}
    generation, prompting, model_args = {}, {}, {}
    in_lab = spec.name.startswith(lab_provider.PREFIX)
    arguments = tuple(options_of(script)) if script else SERVER if local else PROVIDER
    if in_lab:
        arguments = lab_provider.arguments_of(spec)
    for option, value in spec.options.items():
        if option in GENERATION:
            generation[option] = value
        elif option in contender_scope:
            allowed = contender_scope[option].values
            if allowed and value not in allowed:
                raise InputError(f"{spec}: {option} is {value!r}.", f"It may be {', '.join(map(str, allowed))}.")
            prompting[option] = value
        elif option in arguments:
            model_args[option] = value
        else:
            raise unknown("option", option, [*GENERATION, *contender_scope, *arguments], where=str(spec))
    solvers = []
    for part in spec.solvers:
        entry = catalog.entries().get(part.name)
        if entry is None or entry.interface != "solver":
            raise unknown("solver", part.name, [e.name for e in catalog.contenders("solver")])
        solvers.append(build(entry.load(), part.options, part.name))
    if local is not None:
        path_of(local)
        behind = f"{local.sha256} xllamacpp {_version('xllamacpp')}"  # another engine gives other tokens
    elif in_lab:
        behind = lab_provider.identity(spec, model_args)
    else:
        behind = source_hash(build(script, model_args, spec.name)) if script else spec.name
    behind = hashlib.sha256("\0".join([behind, *map(_source, solvers)]).encode()).hexdigest()[:16]
    name = f"steelyard/{local.name}" if local else f"{SCRIPT}/{spec.name}" if script else spec.name
    return Chosen(name, model_args, generation, prompting, tuple(solvers), behind)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def model_of(chosen: Chosen, spec: Spec) -> Model:
    """The model as Inspect has it; nothing is sent yet. Raises SteelyardError: no such provider, no package, no key."""
    os.environ.setdefault("INSPECT_LOG_LEVEL", "error")
    try:
        with _quiet():
            return get_model(chosen.model, config=GenerateConfig(), memoize=False, **chosen.model_args)
    except SteelyardError:
        raise
    except Exception as error:  # a provider's own complaint
        raise _explain(spec, error) from error


def _source(solver: Any) -> str:
    return source_hash(solver, *getattr(solver, "depends_on", ()))


def make_task(
    card: Card, bench: Any, cases: Sequence[Case], chosen: Chosen | None = None, name: str = "", epochs: int = 1,
    seed: int = 0,
) -> Task:  # fmt: skip
    """A whole Inspect task: one sample a case (id = case id), `generate` or the solvers, the benchmark's own score.

    A solver reads `visible_tests` from the sample's metadata and assembles programs with `llm.context.program_of`.
    """
    chosen = chosen or Chosen("", {}, {}, {}, (), "")
    prompting = dict(chosen.prompting)
    scripted = chosen.model.startswith(f"{SCRIPT}/")
    by_id = {case.id: case for case in cases}
    chain = [s.solver() for s in chosen.solvers] or [generate()]
    return Task(
        name=name or card.name.replace("-", "_"),
        dataset=[_sample(card, bench, case, prompting, scripted, seed) for case in cases],
        solver=[_in_time(), *chain],
        scorer=_scorer(card, bench, by_id, prompting, plain=not chosen.solvers),
        config=GenerateConfig(**chosen.sampling(bench)),
        epochs=epochs,
        fail_on_error=False,
        metadata={"benchmark": card.name, "version": card.version},
    )


def _sample(card: Card, bench: Any, case: Case, prompting: dict[str, Any], scripted: bool, seed: int) -> Sample:
    messages = bench.prompt(case, **prompting)
    metadata: dict[str, Any] = {"attributes": dict(case.attributes), "run_seed": seed}
    if messages[0].role == "raw":
        metadata["raw"] = True
    for fact in ("visible_tests", "seed"):
        if hasattr(bench, fact):
            metadata[fact] = getattr(bench, fact)(case, **prompting)
    chat = [_chat(m) for m in messages]
    if hasattr(bench, "program"):
        token = f"{id(bench)}/{case.id}"
        execute = (lambda program: str(bench.execute(case, program))) if hasattr(bench, "execute") else None
        answers = _answers(card, bench, case, prompting) if scripted else None
        steps = _steps(bench, case, prompting) if hasattr(bench, "steps") else None
        remember(token, lambda output: str(bench.program(case, output, **prompting)), execute, answers, steps)
        metadata[TOKEN] = token
        if scripted:
            chat[0].metadata = {**(chat[0].metadata or {}), TOKEN: token}
    return Sample(id=case.id, input=chat, metadata=metadata, target="")


def _answers(card: Card, bench: Any, case: Case, prompting: dict[str, Any]) -> Answers:
    """What a script knows: a right output, and the benchmark's verdict on any."""

    def right(output: str) -> bool:
        result = bench.score(case, output, **prompting)
        metrics = result.metrics if isinstance(result, Outcome) else result
        return bool(metrics.get(card.primary.name) == 1.0)

    return Answers(case.id, bench.reference(case, **prompting), right)


def _steps(bench: Any, case: Case, prompting: dict[str, Any]) -> Steps:
    return Steps(
        bench.steps(case, **prompting),
        lambda done, step: list(bench.ask_step(case, done, step, **prompting)),
        lambda done, step, answer: str(bench.take_step(case, done, step, answer, **prompting)),
    )


def _chat(message: Message) -> Any:
    if message.role == "raw":
        return ChatMessageUser(content=message.content, metadata={RAW: True})
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    return kinds[message.role](content=message.content)


@solver
def _in_time() -> Solver:
    """Refuses to begin a sample after the run's deadline."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        late = _run is not None and _run.deadline is not None and time.monotonic() > _run.deadline
        if late or (_run is not None and _run.broken is not None):
            raise RuntimeError(LATE)
        return state

    return solve


def _scorer(
    card: Card, bench: Any, cases: Mapping[str, Case], prompting: dict[str, Any], *, plain: bool = True
) -> Scorer:
    # Inspect wants the same keys of every sample: its score is the primary metric, the rest stands in the metadata
    @scorer(metrics=[mean(), stderr()], name="steelyard")
    def benchmark_score() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            case, output = cases[str(state.sample_id)], state.output.completion
            trail = state.metadata.get(TRAIL)
            tried = {TRAIL: trail} if trail and getattr(bench, "reads_trail", False) else {}
            try:
                result = await asyncio.to_thread(bench.score, case, output, **prompting, **tried)
            except SteelyardError as error:  # no sandbox: the run ends, and no model is blamed for it
                if _run is not None:
                    _run.broken = error
                raise
            outcome = result if isinstance(result, Outcome) else Outcome(dict(result))
            given = {}
            if plain and outcome.status is Status.OK and REFERENCE in card.metric:
                given = await _of_reference(bench, case, prompting, state.input)
            return Score(
                value=float(outcome.metrics.get(card.primary.name, 0.0)),
                answer=output,
                explanation=outcome.error,
                metadata={
                    "metrics": {**outcome.metrics, **given},
                    "status": str(outcome.status),
                    "error": outcome.error,
                    "artifacts": {**outcome.artifacts, **({TRAIL: json.dumps(trail, indent=1)} if trail else {})},
                },
            )

        return score

    return benchmark_score()


async def _of_reference(bench: Any, case: Case, prompting: dict[str, Any], asked: Any) -> dict[str, float]:
    """The log-probability of the benchmark's reference as the answer to what was asked; {} where the model cannot say."""
    tells = getattr(get_model().api, "log_probability", None)
    text = bench.reference(case, **prompting) if tells is not None else None
    if tells is None or not isinstance(text, str):
        return {}
    messages = [ChatMessageUser(content=asked)] if isinstance(asked, str) else list(asked)
    value = await tells(messages, text)
    return {} if value is None else {REFERENCE: value}


class _Run:
    """The run whose samples the hook records; one at a time in a process."""

    def __init__(self, cases: Mapping[str, Case], record: Record, deadline: float | None) -> None:
        self.cases, self.record, self.deadline = cases, record, deadline
        self.trial = 0
        self.task_id = ""  # the name of Inspect's log ends in it
        self.waiting: set[str] = set()
        self.cut: list[SampleEnd] = []
        self.broken: BaseException | None = None


_run: _Run | None = None


@hooks(name="steelyard", description="Records each sample in the pool as it ends.")
class Recorder(Hooks):
    """Inspect tells of each sample's end; the run in progress, if it is ours, records it."""

    def enabled(self) -> bool:
        return _run is not None

    async def on_task_start(self, data: TaskStart) -> None:
        if _run is not None:
            _run.task_id = data.spec.task_id

    async def on_sample_end(self, data: SampleEnd) -> None:
        run, case_id = _run, str(data.sample.id)
        if run is None or case_id not in run.waiting:
            return
        run.waiting.discard(case_id)
        if data.sample.error is not None and data.sample.error.message.startswith("CancelledError"):
            run.cut.append(data)  # Ctrl-C cancels what is under way: that is no result; `run` knows whether it was one
            return
        _record(run, data.sample)


def _record(run: _Run, sample: EvalSample) -> None:
    outcome = _outcome(sample, f"_{run.task_id}.eval#{sample.id}")
    if outcome is None or run.broken is not None:
        return
    try:
        begun = datetime.fromisoformat(sample.started_at).timestamp() if sample.started_at else time.time()
        run.record(run.cases[str(sample.id)], run.trial, outcome, sample.total_time or 0.0, begun)
    except BaseException as error:  # a full disk must end the run, not vanish in a hook
        run.broken = error


def _outcome(sample: EvalSample, log: str = "") -> Outcome | None:
    """What one Inspect sample amounts to; None for one that was never begun. log: end of its log's name, and its id."""
    usage = list((sample.model_usage or {}).values())
    metrics: dict[str, float] = {
        "input_tokens": float(sum(u.input_tokens for u in usage)),
        "output_tokens": float(sum(u.output_tokens for u in usage)),
        "wall_time": float(sample.working_time or sample.total_time or 0.0),
        "model_calls": float(sum(1 for e in sample.events if e.event == "model")),
    }
    prompt = "\n\n".join(f"[{m.role}]\n{m.text}" for m in sample.messages if m.role != "assistant")
    artifacts = {"prompt": prompt, "output": sample.output.completion if sample.output else ""}
    if log:
        artifacts["inspect_log"] = log
    if sample.metadata.get("raw") and not all(name.startswith(RAW_TAKERS) for name in sample.model_usage):
        artifacts["route"] = "the text to continue was sent as a user's message: this provider takes no raw text"
    if sample.error is not None:
        if LATE in sample.error.message:
            return None
        return Outcome(metrics, Status.FAILED, sample.error.message.strip(), artifacts)
    if sample.limit is not None:
        return Outcome(metrics, Status.TIMEOUT, f"{sample.limit.type} limit of {sample.limit.limit:g}", artifacts)
    score = (sample.scores or {}).get("steelyard")
    if score is None:
        return Outcome(metrics, Status.FAILED, "the sample ended without a score", artifacts)
    kept = score.metadata or {}
    artifacts |= kept.get("artifacts", {})
    status = Status(kept.get("status", "ok"))
    if sample.output and sample.output.stop_reason == "content_filter":
        return Outcome(metrics, Status.REFUSED, "the model or its provider refused to answer", artifacts)
    if sample.output and sample.output.stop_reason == "model_length" and not sample.output.usage:
        why = sample.output.error or sample.output.completion
        return Outcome(metrics, Status.FAILED, f"the prompt is too long for the model: {why}", artifacts)
    return Outcome({**kept.get("metrics", {}), **metrics}, status, kept.get("error", ""), artifacts)


def run(
    card: Card, bench: Any, spec: Spec, cells: Sequence[tuple[Case, int]], record: Record, *, log_dir: str, seed: int,
    time_s: float | None, cell_timeout_s: float,
) -> None:  # fmt: skip
    """Weigh one model spec over cells, a trial at a time (trial t has seed + t); logs stay in `log_dir`."""
    global _run
    chosen = resolve(spec, card)
    model = model_of(chosen, spec)
    if REFERENCE in card.metric and hasattr(model.api, "keeps_prompt"):
        model.api.keeps_prompt = True
    cases = {case.id: case for case, _ in cells}
    _run = _Run(cases, record, None if time_s is None else time.monotonic() + time_s)
    try:
        for trial in sorted({t for _, t in cells}):
            todo = [case for case, t in cells if t == trial]
            _run.trial, _run.waiting, _run.cut = trial, {case.id for case in todo}, []
            task = make_task(card, bench, todo, chosen, seed=seed + trial)
            with _quiet():
                logs = inspect_eval(
                    task, model=model, log_dir=log_dir, display="none", log_level="error", seed=seed + trial,
                    time_limit=max(1, round(cell_timeout_s)),
                    max_samples=model.api.max_connections(), score=True, log_realtime=False,
                )  # fmt: skip
            if _run.broken is not None:
                raise _run.broken
            if not logs or logs[0].status == "cancelled":  # Inspect swallows Ctrl-C and closes its logs
                raise KeyboardInterrupt
            for data in _run.cut:
                _record(_run, data.sample)
            if _run.broken is not None:
                raise _run.broken
            why = logs[0].error.message.strip() if logs[0].error is not None else ""
            if why and len(_run.waiting) == len(todo):
                raise MissingError(f"{spec}: {why}", "Nothing was measured of it.")
            for case_id in _run.waiting if why else ():
                record(
                    cases[case_id], trial, Outcome({}, Status.FAILED, f"Inspect ended early: {why}"), 0.0, time.time()
                )
    finally:
        _run = None
        stop_all()


def _explain(spec: Spec, error: Exception) -> SteelyardError:
    """A provider's complaint in plain words (Inspect's come with markup for its own display)."""
    text = re.sub(r"\[/?(?:bold|blue|red|link[^\]]*)\]", "", str(error)).removeprefix("ERROR:").strip()
    if isinstance(error, ValueError) and "not recognized" in text:
        cure = "Write provider/model with a provider of Inspect: openai, anthropic, google, hf, vllm, ollama, ..."
        return InputError(f"{spec.name}: there is no model provider {spec.name.partition('/')[0]!r}.", cure)
    first, *more = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    cure = "\n".join(more) or "Set the provider's key in the environment or install its package."
    return MissingError(f"{spec.name} cannot be used: {first}", cure)


def _quiet() -> contextlib.AbstractContextManager[Any]:
    """Inspect greets on standard output, which belongs to our tables and our JSON."""
    return contextlib.redirect_stdout(sys.stderr if os.environ.get("INSPECT_DEBUG") else io.StringIO())
