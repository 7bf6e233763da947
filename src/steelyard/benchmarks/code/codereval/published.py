"""The verdicts that CoderEval's authors released: read, replayed sample by sample, and aggregated as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from steelyard.benchmarks.code.records import Record, read_records
from steelyard.core.errors import InputError, unknown
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Provenance, Status
from steelyard.stats.estimates import Estimate, pass_at_k, pass_at_k_estimate

Missing = Literal["failed", "dropped"]
FIELDS = ("language", "model", "prompt", "_id", "project", "name", "level", "is_pass")
LANGUAGES = ("Python", "Java")
PROMPTS = ("raw_docstring", "human_label")
LEVELS = (
    "self_contained", "slib_runnable", "plib_runnable", "class_runnable", "file_runnable", "project_runnable",
)  # fmt: skip
STANDALONE = LEVELS[:2]
SAMPLES = 10  # that the protocol draws for each task
FEW = 5  # tasks of a level up to which its figure is marked
KS = (1, 5, 10)
SILENT = "failed without a message"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The samples of one task. failures: why each failed, "" for one that passed."""

    passed: tuple[bool, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One function. runs: (model's name in lower case, prompt) -> its published verdicts."""

    id: str
    language: str
    project: str
    name: str
    level: str
    runs: dict[tuple[str, str], Verdicts] = field(default_factory=dict)

    @property
    def standalone(self) -> bool:
        """Needs nothing but the language and its standard library."""
        return self.level in STANDALONE


def read_tasks(path: Path) -> list[Task]:
    """The tasks of a verdicts file (or of the folder that holds `verdicts.jsonl.gz`), in file order.

    Raises InputError naming line and field: a language, level or prompt that does not exist, verdicts that are no list of
    true and false or do not fit their reasons, a run that has a task twice or disagrees about its level.
    """
    tasks: dict[str, Task] = {}
    for record in read_records(path / "verdicts.jsonl.gz" if path.is_dir() else path, FIELDS, key=""):
        for name, known in (("language", LANGUAGES), ("prompt", PROMPTS), ("level", LEVELS)):
            if record.fields[name] not in known:
                raise InputError(f"{record.where}: {name} is {record.fields[name]!r}.", f"Known: {', '.join(known)}.")
        language, level = record.text("language"), record.text("level")
        identity = f"{language.lower()}/{record.text('_id')}"
        fresh = Task(identity, language, record.text("project"), record.text("name"), level)
        task = tasks.setdefault(identity, fresh)
        if task.level != level:
            cure = "A task has one level; older result files have three Java tasks at another one."
            raise InputError(f"{record.where}: task {identity} is {level} here, {task.level} before.", cure)
        run = record.text("model").lower(), record.text("prompt")
        if run in task.runs:
            raise InputError(f"{record.where}: {' with '.join(run)} has task {identity} twice.")
        task.runs[run] = _verdicts(record)
    return list(tasks.values())


def _verdicts(record: Record) -> Verdicts:
    passed = record.fields["is_pass"]
    if not isinstance(passed, list) or not passed or not all(isinstance(p, bool) for p in passed):
        raise InputError(f"{record.where}: is_pass is no list of true and false.", "One for each sample.")
    name = "error" if record.fields["language"] == "Java" else "return_code"
    reasons = record.fields.get(name)
    if not isinstance(reasons, list) or len(reasons) != len(passed):
        raise InputError(f"{record.where}: {name} does not have an entry for each of {len(passed)} samples.")
    said = (str(r).rstrip("!") if name == "error" else f"return code {r}" for r in reasons)
    return Verdicts(tuple(passed), tuple("" if p else why or SILENT for p, why in zip(passed, said, strict=True)))


def replayed(task: Task, name: str, prompt: str, trial: int, missing: Missing) -> Outcome:
    """What was published for one sample; trial 0 also tells pass@5 and pass@10 of the whole task, which no sample has.

    missing: what a sample that the protocol asks for and nobody released counts as. Raises InputError for a run that the
    data do not have.
    """
    if (name, prompt) not in task.runs:
        raise unknown("published run", f"{name}[prompt={prompt}]", (f"{m}[prompt={p}]" for m, p in task.runs))
    run = task.runs[name, prompt]
    metrics: dict[str, float] = {}
    if trial == 0:
        n, c = counted(run, missing)
        found = {k: pass_at_k([n], [c], k) for k in KS[1:]}
        metrics |= {f"pass_at_{k}": float(v[0]) for k, v in found.items() if v is not None}
        metrics["samples_missing"] = float(SAMPLES - len(run.passed))
    if trial < len(run.passed):
        why, passed = run.failures[trial], float(run.passed[trial])
    elif trial < SAMPLES and missing == "failed":
        why, passed = "no sample was published: counted as failed", 0.0
    else:
        why = f"{len(run.passed)} samples were published"
        return Outcome(metrics, Status.UNSUPPORTED, why, provenance=Provenance.PUBLISHED)
    metrics |= {"pass_at_1": passed, f"pass_at_1_{'standalone' if task.standalone else 'non_standalone'}": passed}
    metrics |= {metric: float(why == kind) for kind, metric in KINDS[task.language].items()}
    return Outcome(metrics, Status.OK, why, provenance=Provenance.PUBLISHED)


KINDS = {
    "Java": {"compile error": "compile_error", "exec error": "execution_error", SILENT: "failed_silently"},
    "Python": {"return code 1": "return_code_1", "return code 2": "return_code_2"},
}


def counted(run: Verdicts, missing: Missing) -> tuple[int, int]:
    """(samples, passes) of one task."""
    return (max(SAMPLES, len(run.passed)) if missing == "failed" else len(run.passed)), sum(run.passed)


def facts(tasks: Sequence[Task]) -> dict[str, float]:
    """What there is to count in the data, over all its runs."""
    silent = sum(v.failures.count(SILENT) for t in tasks for v in t.runs.values())
    return {
        "tasks": float(len(tasks)),
        "samples": float(sum(len(v.passed) for t in tasks for v in t.runs.values())),
        "silent_failures": float(silent),
    }


def estimate(passes: Mapping[str, Sequence[float]], project: Mapping[str, str], k: int) -> Estimate | None:
    """Mean pass@k over tasks with its interval, projects kept together; None where a task has fewer than k samples.

    passes: task -> 1 or 0 of each of its samples.
    """
    return pass_at_k_estimate(
        [len(v) for v in passes.values()], [int(sum(v)) for v in passes.values()], k, [project[t] for t in passes]
    )  # fmt: skip


def summarise(
    passes: Mapping[str, Sequence[float]],
    about: Mapping[str, Mapping[str, Any]],
    absent: Mapping[str, float],
    failures: Mapping[str, Mapping[str, Sequence[float]]],
) -> list[dict[str, str | float]]:
    """A row for each language and each of its levels: tasks, pass@1/5/10 in percent; of the language also the ratio of
    standalone to other tasks, the samples that were not released, pass@1 without them, and the kinds of failures.

    passes: task -> 1 or 0 of each of its samples. about: task -> its attributes. absent: task -> samples not released,
    which stand among its samples as failed. failures: kind -> task -> 1 or 0 of each sample.
    """
    rows: list[dict[str, str | float]] = []
    project = {task: str(about[task]["project"]) for task in passes}
    for language in LANGUAGES:
        mine = {t: v for t, v in passes.items() if about[t]["language"] == language}
        if not mine:
            continue
        row = {"tasks": language} | _figures(mine, project)
        sides = [{t: v for t, v in mine.items() if about[t]["standalone"] is side} for side in (True, False)]
        easy, hard = (estimate(side, project, 1) if side else None for side in sides)
        if easy and hard and hard.value:
            row["standalone / other"] = f"{easy.value / hard.value:.2f}"
        if short := {t: int(absent[t]) for t in mine if absent.get(t)}:
            own = {t: v[: len(v) - short.get(t, 0)] for t, v in mine.items()}
            row |= {"samples missing": float(sum(short.values())), "pass@1 % without": _percent(own, project, 1)}
        counts = {kind: sum(sum(flags.get(t, ())) for t in mine) for kind, flags in failures.items()}
        row["failures"] = ", ".join(f"{kind.replace('_', ' ')} {n:.0f}" for kind, n in counts.items() if n)
        rows.append(row)
        for level in LEVELS:
            if part := {t: v for t, v in mine.items() if about[t]["level"] == level}:
                rows.append({"tasks": f"{language}, {level}"} | _figures(part, project))
    return rows


def _figures(passes: Mapping[str, Sequence[float]], project: Mapping[str, str]) -> dict[str, str | float]:
    figures: dict[str, str | float] = {"n": f"{len(passes)}{' (too few to say)' if len(passes) <= FEW else ''}"}
    return figures | {f"pass@{k} %": _percent(passes, project, k) for k in KS}


def _percent(passes: Mapping[str, Sequence[float]], project: Mapping[str, str], k: int) -> str:
    found = estimate(passes, project, k)
    if found is None:
        return "not available"
    return f"{100 * found.value:.2f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
