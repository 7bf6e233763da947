"""EvoCodeBench: bodies of functions of real projects, judged by the projects' own tests and by what the body calls."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from steelyard.benchmarks.code.assemble import replace_body
from steelyard.benchmarks.code.evocodebench import ages, domains, extraction, prompts, published, slices
from steelyard.benchmarks.code.evocodebench.samples import (
    KINDS,
    Sample,
    Target,
    has_completions,
    read_samples,
    read_targets,
)
from steelyard.benchmarks.code.extract import Extraction
from steelyard.benchmarks.code.options import Profile, Route, check_options
from steelyard.benchmarks.code.repositories.running import TestRun, run_tests
from steelyard.benchmarks.code.static import python as static
from steelyard.core.errors import InputError, unknown
from steelyard.core.interfaces import Built, Message, Outcome
from steelyard.core.words import GATES, Case, Status
from steelyard.stats.domain_improvement import improvement
from steelyard.stats.estimates import pass_at_k_estimate

KS = (1, 3, 5, 10)
NOT_HERE = "the project is not here: only completions were published"


@dataclass(frozen=True)
class EvoCodeBench:
    """slice: a built slice, by name. timeout: seconds for one test. profile: published keeps the released scripts' defects.

    age: of a slice built with --since, only functions new since then, or only unchanged ones, each matched with one of the other.
    """

    slice: str = ""
    age: ages.Age = ""
    profile: Profile = "sound"
    timeout: float = 20.0

    own: ClassVar[Path] = Path(__file__).parent / "data"
    notes: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    samples: list[Sample] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slice", str(self.slice))  # slice=2611 is written as a number
        check_options(profile=self.profile, timeout=self.timeout)
        if self.age not in ages.AGES:
            raise InputError(f"option 'age' is {self.age!r}.", "It may be new or old.")

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The samples of a folder in the official schema (data.jsonl, Source_Code/), or the targets of published completions.

        InputError names line and field. What has no project here is left out and noted.
        """
        self.notes.clear()
        if data is not None and self.slice:
            raise InputError("--data and the option slice both say where the samples are.", "Give one of the two.")
        folder = slices.find(self.slice) if self.slice else Path(data) if data is not None else self.own
        if has_completions(folder):
            for target in published.counted(read_targets(folder)):
                kind = "method" if published.is_method(target.namespace) else "function"
                yield Case(target.namespace, target, {"module": target.namespace.partition(".")[0], "type": kind},
                           target.namespace.partition(".")[0])  # fmt: skip
            return
        samples = read_samples(folder, self.notes)
        self.samples[:] = samples
        pairs = ages.matched(samples) if self.age else {}
        for sample in samples:
            age, pair = pairs.get(sample.namespace, ("", ""))
            if age != self.age:
                continue
            counts = {kind: len(sample.dependency[kind]) for kind in KINDS}
            about = {
                "project": sample.project.name, "type": sample.type, "domain": sample.domain, "standalone": not sample.needed,
                "dependencies": len(sample.needed), **counts, "lines": sample.body[1] - sample.body[0] + 1, **sample.facts,
                **({"pair": pair} if pair else {}),
            }  # fmt: skip
            yield Case(sample.namespace, sample, about, sample.project.name)

    def prompt(
        self, case: Case, setting: prompts.Setting = "local_completion", route: Route = "chat", fill: str = "none",
        window: int = 8192,
    ) -> list[Message]:  # fmt: skip
        """Signature and requirement; with the code above (local_completion), or above and below (local_infilling), or above a
        sample of another project (shuffled, a control).

        window: tokens of the prompt and the 500 of the answer together.
        """
        _check(setting, route, fill)
        sample = _sample(case)
        return prompts.prompt(sample, setting, route, fill, window, self.profile == "published", self._other(sample))

    def _other(self, sample: Sample) -> Sample:
        """The next sample of another project."""
        at = next((i for i, s in enumerate(self.samples) if s.namespace == sample.namespace), 0)
        behind = (*self.samples[at:], *self.samples[:at])
        return next((s for s in behind if s.project != sample.project), sample)

    def generation(self, **_: object) -> dict[str, object]:
        """Greedy; the published sampled runs had temperature 0.4 and top_p 0.95."""
        return {"temperature": 0.0, "top_p": 1.0, "max_tokens": prompts.GENERATED}

    def body(self, case: Case, output: str, route: Route = "chat") -> Extraction:
        """The body in an answer, by the published rules."""
        if route == "completion":
            return extraction.of_base(output)
        return extraction.of_chat(output, _sample(case).name, self.profile == "published")

    def program(self, case: Case, output: str, route: Route = "chat", **_: object) -> str:
        """The whole file with the body of an answer in its place."""
        return self._file(_sample(case), self.body(case, output, route).text)

    def reference(self, case: Case, route: Route = "chat", **_: object) -> str | Outcome:
        """An output that must score 1; an Outcome where the project is not here."""
        if isinstance(case.payload, Target):
            return Outcome(case.payload.facts, Status.UNSUPPORTED, NOT_HERE)
        sample: Sample = case.payload
        if route == "completion":
            return sample.reference
        code = f"{sample.header}{sample.reference}"  # the released parser reads no method that is still indented
        return f"```python\n{textwrap.dedent(code) if self.profile == 'published' else code}```"

    def replay(self, name: str, case: Case, trial: int, setting: str = "", **_: object) -> str | Outcome:
        """The body published by a model in a setting: `replay:deepseek-33b[setting=local_infilling]`."""
        if not isinstance(case.payload, Target):
            return Outcome({}, Status.UNSUPPORTED, "completions were published for the official samples alone")
        known = case.payload.completions
        key = (setting or "local_completion", name)
        if key not in known:
            raise unknown("published run", f"{name}[setting={key[0]}]", [f"{m}[setting={s}]" for s, m in known])
        given = known[key]
        if trial >= len(given):
            return Outcome({}, Status.UNSUPPORTED, f"{len(given)} completions were published")
        return given[trial]

    def contenders_in(self, data: str | None) -> list[str]:
        """The published runs, where the data are published completions."""
        if data is None or not has_completions(Path(data)):
            return ["gold", "copy-nearest"]
        first = read_targets(Path(data))[0]
        return [f"replay:{model}[setting={setting}]" for setting, model in first.completions if "sampled" not in model]

    def score(
        self, case: Case, output: str, setting: prompts.Setting = "local_completion", route: Route = "chat",
        fill: str = "none", **_: object,
    ) -> Outcome:  # fmt: skip
        """pass_at_1 and recall_at_1 of one answer (of published completions: what can be told without the project)."""
        _check(setting, route, fill)
        if isinstance(case.payload, Target):
            return published.score(output)
        sample: Sample = case.payload
        body = self.body(case, output, route)
        stub = extraction.is_stub(body.text)
        parsed = not stub and extraction.parses(body.text)
        metrics = {"parses": float(parsed), "stub": float(stub), **self._facts(sample)}
        artifacts = {"program": body.text, "log": f"{body.rung}: {body.why}"}
        if sample.needed:
            metrics["recall_at_1"] = self._recall(sample, body.text) if parsed else 0.0
        if not parsed:
            error = f"NoCode: {body.why}" if stub else f"SyntaxError: the body does not parse ({body.why})"
            return Outcome({"pass_at_1": 0.0, **metrics}, Status.OK, error, artifacts)
        ran = self._run(sample, body.text)
        artifacts["log"] += f"\n{ran.log}"
        if ran.ours:
            return Outcome({}, Status.FAILED, f"runner: {ran.message}", artifacts)
        return Outcome({"pass_at_1": float(ran.passed), **metrics}, Status.OK, _error(ran), artifacts)

    def summary(self, values: Any) -> dict[str, str | float]:
        """Pass@k and Recall@k over all samples (a missing one has failed), by domain with n, and how it stands there."""
        trials, recalls = values.trials("pass_at_1"), values.trials("recall_at_1")
        if not trials:
            return published.summary(values)
        found: dict[str, str | float] = {}
        n = max(map(len, trials.values()))
        for k in (k for k in KS if k <= n):
            at = pass_at_k_estimate([n] * len(trials), [round(sum(t)) for t in trials.values()], k)
            if at is not None:
                found[f"Pass@{k}"] = f"{100 * at.value:.2f} [{100 * at.low:.1f}, {100 * at.high:.1f}]"
            if recalls:
                found[f"Recall@{k}"] = f"{100 * recall_at_k(recalls.values(), k):.2f}"
        about = values.attributes("pass_at_1")
        of = {case: str(about.get(case, {}).get("domain", "")) for case in trials}
        real = (
            [other for other in values.others if other.contender not in GATES] if values.contender not in GATES else []
        )
        rivals = [domains.by_domain(other("pass_at_1"), of) for other in real]
        for name, own in domains.by_domain(values("pass_at_1"), of).items():
            stands = improvement(own, [r[name] for r in rivals if name in r])
            marks = [f"n={stands.n}", *(["too few"] if stands.few else [])]
            marks += (
                [f"DSI {100 * stands.dsi:+.0f} %{f', {stands.kind}' if stands.kind else ''}"]
                if stands.dsi is not None
                else []
            )
            found[name or "no domain"] = (
                f"{100 * stands.score:.0f} [{100 * stands.low:.0f}, {100 * stands.high:.0f}] ({', '.join(marks)})"
            )
        return found

    def build(
        self, out: Path | None, progress: Any, packages: Sequence[str] = (), since: date | None = None,
        until: date | None = None, recipe: str = "", limit: int = 6, writer: str = "", labeller: str = "", seed: int = 0,
    ) -> Built:  # fmt: skip
        """A dated slice from source distributions, or (recipe) a known one again. See docs/building.md."""
        from steelyard.benchmarks.code.evocodebench import building, writing

        if recipe:
            return writing.rebuild(recipe, out, progress)
        plan = building.Plan(tuple(packages), since, until, limit, writer, labeller, seed)
        return building.build(plan, out, progress)

    def _facts(self, sample: Sample) -> dict[str, float]:
        """What is no property of the answer but of the sample: how standalone samples are drawn, what a prompt says."""
        found = {}
        if "population_standalone" in sample.facts:
            found["standalone_excess"] = float(not sample.needed) - float(sample.facts["population_standalone"])
        if sample.type == "method":
            line = prompts.head(sample, self.profile == "published", chat=False)
            found["literal_class"] = float(prompts.LITERAL in line)
        return found

    def _file(self, sample: Sample, body: str) -> str:
        return replace_body(sample.source, sample.body, body, sample.indent)

    def _run(self, sample: Sample, body: str) -> TestRun:
        tests, changes = sample.tests, {sample.path: self._file(sample, body)}
        wall = min(300.0, self.timeout * len(tests) + 20.0)
        return run_tests(sample.project, tests, changes, first=True, test_s=self.timeout, wall_s=wall)

    def _recall(self, sample: Sample, body: str) -> float:
        """The share of the reference's dependencies that a body uses (recall_k.py)."""
        used = static.dependencies(_index(sample.project.root), sample.path, sample.qualname, body).project
        return len(sample.needed & used) / len(sample.needed)


def recall_at_k(recalls: Iterable[Sequence[float]], k: int) -> float:
    """Mean over samples of the largest recall among the first k outputs: no estimator, as published."""
    best = [max(each[:k]) for each in recalls]
    return sum(best) / len(best)


@functools.lru_cache(maxsize=16)
def _index(root: Path) -> static.Project:
    return static.Project.read(root)


def _sample(case: Case) -> Sample:
    if isinstance(case.payload, Target):
        raise InputError(
            f"{case.id}: {NOT_HERE}.", "Weigh replay:NAME on it, or build a slice: steelyard build evocodebench."
        )
    sample: Sample = case.payload
    return sample


def _check(setting: str, route: str, fill: str) -> None:
    check_options(route=route)
    for name, value, known in (("setting", setting, prompts.SETTINGS), ("fill", fill, prompts.FILLS)):
        if value not in known:
            raise InputError(f"option {name!r} is {value!r}.", f"Here it may be {', '.join(known)}.")


def _error(ran: TestRun) -> str:
    if ran.passed:
        return ""
    known = {
        "timeout": "Timeout",
        "memory": "MemoryError",
        "early-exit": "EarlyExit",
        "crashed": "Crash",
        "syntax": "SyntaxError",
    }
    return f"{known[ran.verdict]}: {ran.message}" if ran.verdict in known else ran.message or ran.verdict
