"""TestBench: unit tests that a model writes for a Java method, judged by a cascade of checks, before and after a repair."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal

from steelyard.benchmarks.code.options import Profile, check_options
from steelyard.benchmarks.code.testbench import cascade, prompts, published, syntax
from steelyard.benchmarks.code.testbench.cascade import ACCEPT, SYNTAX, Judged
from steelyard.benchmarks.code.testbench.figures import gains, of_stage, of_stages, summarise
from steelyard.benchmarks.code.testbench.mending import mended
from steelyard.benchmarks.code.testbench.methods import Method, read_methods
from steelyard.benchmarks.code.testbench.prompts import Context
from steelyard.benchmarks.code.testbench.repair import Repaired, repaired
from steelyard.core.errors import InputError, MissingError, unknown
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Provenance, Status
from steelyard.sandbox.languages import java

Repair = Literal["none", "released", "fixed", "ours"]
REPAIRS = ("none", "released", "fixed", "ours")
VERDICTS = ("here", "syntax", "published")
CANDIDATES = 5  # released accepted tests that are tried as the reference of a method


class TestBench:
    """profile: sound, or published with javalang as the only parser and a build without tests accepted. timeout: seconds
    for all tests of an answer. mutants: how many are run on an accepted test at most, 0 for none.
    """

    __test__ = False  # for pytest, which takes it for tests
    own: ClassVar[Path] = Path(__file__).parent / "data"

    def __init__(self, profile: Profile = "sound", timeout: float = 30.0, mutants: int = 20) -> None:
        check_options(profile=profile, timeout=timeout)
        if mutants < 0:
            raise InputError(f"testbench: mutants is {mutants}.", "Give 0 or more.")
        self.profile, self.timeout, self.mutants = profile, timeout, mutants
        self.notes: list[str] = []
        self.released: dict[str, published.Released] = {}
        self.count = 0

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The methods of a folder in the released schema, and what is released beside them (answers, verdicts).

        Raises InputError naming line and field, MissingError for a file that is not here.
        """
        folder = Path(data) if data is not None else self.own
        methods = read_methods(folder)
        self.released, self.notes = published.read_released(folder, methods)
        self.count = len(methods)
        several = len({method.project for method in methods}) > 1
        for method in methods:
            about = {"project": method.project, "class": method.class_name, "method": method.name}
            yield Case(method.id, method, about, group=method.project if several else "")

    def contenders_in(self, data: str | None) -> list[str]:
        """Of our own data the drafts, as they are and after each repair; of others the published verdicts."""
        folder = Path(data) if data is not None else self.own
        released, _ = published.read_released(folder, read_methods(folder))
        out = []
        for name, record in released.items():
            contexts = sorted({context for context, _ in record.answers})
            for options in (
                [f"context={c},repair={r},verdicts=published" for c in contexts for r in ("none", "released")]
                if record.before
                else [f"context={c},repair={r}" for c in contexts for r in REPAIRS]
            ):
                out.append(f"replay:{name}[{options}]")
        return out

    def prompt(self, case: Case, context: Context = "simple", **_: object) -> list[Message]:
        """The task, the method, its context and a test class with a hole."""
        _check(context=context)
        return [Message("user", prompts.question(case.payload, context))]

    def generation(self, **_: object) -> dict[str, object]:
        """Ten answers need chance; the paper leaves its models at their defaults."""
        return {"temperature": 0.8, "top_p": 1.0, "max_tokens": 1024}

    def program(self, case: Case, output: str, repair: Repair = "none", **_: object) -> str:
        """The test in an answer, after the repair."""
        return self._repaired(case.payload, prompts.extracted(output).text, repair).text

    def reference(self, case: Case, **_: object) -> str | Outcome:
        """A test that is accepted: our own, or the first released one that is accepted here."""
        method: Method = case.payload
        if why := java.missing() or cascade.home(method)[1]:
            return Outcome({"methods": self.count}, Status.UNSUPPORTED, why)
        candidates = [method.reference] if method.reference else list(self._accepted(method))[:CANDIDATES]
        for text in candidates:
            if method.reference or self._judge(method, text).stage == ACCEPT:
                return prompts.fenced(text)
        return Outcome({"methods": self.count}, Status.UNSUPPORTED, "no test is known to be accepted here")

    def replay(self, name: str, case: Case, trial: int, verdicts: str = "here", **options: Any) -> Outcome:
        """A released answer judged here beside its released verdict; by the parsers only (verdicts=syntax), or not at all:
        the released verdict alone (verdicts=published)."""
        _check(verdicts=verdicts, **options)
        if name not in self.released:
            raise unknown("published model", name, self.released)
        method, context = case.payload, str(options.get("context", "simple"))
        repair = str(options.get("repair", "none"))
        record = self.released[name]
        key = (context, method.id)
        given = record.answers.get(key, ())
        if trial >= len(given):
            return Outcome({}, Status.UNSUPPORTED, f"{len(given)} answers were released in this context")
        stages = self._stages(record, key, repair)
        if verdicts == "published":
            if not stages:
                return Outcome({}, Status.UNSUPPORTED, f"no verdicts were released after repair={repair}")
            metrics = of_stages(record, method.id, context, repair, trial)
            return Outcome(metrics, Status.OK, stages[trial], provenance=Provenance.PUBLISHED)
        scored = self._parsed if verdicts == "syntax" else self._scored
        outcome = scored(method, given[trial], repair)
        metrics = dict(outcome.metrics)
        if stages:
            again = bool(cascade.class_of(self._repaired(method, given[trial], repair).text, "published"))
            metrics["syntax_agrees"] = float((stages[trial] != SYNTAX) == again)
        if stages and outcome.status is Status.OK:
            metrics["stage_agrees"] = float((outcome.error.partition(":")[0] or ACCEPT) == stages[trial])
        return Outcome(metrics, outcome.status, outcome.error, outcome.artifacts)

    def score(self, case: Case, output: str, repair: Repair = "none", **options: Any) -> Outcome:
        """How far one answer gets, what an accepted test covers and detects, and what the repair gained and lost."""
        _check(repair=repair, **options)
        found = prompts.extracted(output)
        outcome = self._scored(case.payload, found.text, repair)
        return Outcome(outcome.metrics, outcome.status, outcome.error, {**outcome.artifacts, "extraction": found.why})

    def summary(self, values: Any) -> dict[str, str | float]:
        """Counts at each stage, pass@k by method, coverage and kills, what a repair gained and lost."""
        return summarise(values)

    def _parsed(self, method: Method, text: str, repair: str, why: str = "only parsed, as asked") -> Outcome:
        """What the parsers alone can say of an answer."""
        after = self._repaired(method, text, repair)
        metrics = {"syntax_rate": float(bool(cascade.class_of(after.text, self.profile)))}
        if after.inserted:
            metrics["unparsable_insertions"] = float(not _parses("\n".join(after.inserted)))
        if repair != "none":
            before = float(bool(cascade.class_of(text, self.profile)))
            metrics |= gains("syntax", before, metrics["syntax_rate"])
        return Outcome(metrics, Status.UNSUPPORTED, why, {"program": after.text})

    def _scored(self, method: Method, text: str, repair: str) -> Outcome:
        """The whole cascade, and what a repair changed in it. Raises MissingError where there is no Java."""
        if missing := java.missing():
            raise MissingError(missing)
        parsed = self._parsed(method, text, repair)
        if why := cascade.home(method)[1]:
            return Outcome(parsed.metrics, Status.UNSUPPORTED, f"not runnable here: {why}", parsed.artifacts)
        metrics, artifacts = dict(parsed.metrics), dict(parsed.artifacts)
        after = artifacts["program"]
        judged = self._judge(method, after, self.mutants)
        before = self._judge(method, text) if repair != "none" else judged
        if judged.broken or before.broken:
            return Outcome({}, Status.FAILED, f"runner: {judged.why or before.why}", artifacts)
        metrics |= of_stage(judged.stage) | judged.metrics
        metrics["method_coverage_of_all"] = metrics.get("method_coverage", 0.0)
        if repair != "none":
            first, last = of_stage(before.stage), of_stage(judged.stage)
            for stage in ("syntax", "compile", "pass"):
                metrics |= gains(stage, first[f"{stage}_rate"], last[f"{stage}_rate"])
        if judged.survivors:
            artifacts["survivors"] = judged.survivors
        said = "" if judged.stage == ACCEPT else f"{judged.stage}: {judged.why}".removesuffix(": ")
        return Outcome(metrics, Status.OK, said, artifacts)

    def _judge(self, method: Method, text: str, mutants: int = 0) -> Judged:
        return cascade.judge(method, text, self.profile, self.timeout, mutants)

    def _repaired(self, method: Method, text: str, repair: str) -> Repaired:
        if repair in ("released", "fixed"):
            return repaired(text, method, "released" if repair == "released" else "fixed")
        return Repaired(mended(text, method) if repair == "ours" else text)

    def _stages(self, record: published.Released, key: published.Key, repair: str) -> Any:
        """The released verdicts on the answers after this repair; empty where there are none."""
        return (record.before if repair == "none" else record.after if repair == "released" else {}).get(key, ())

    def _accepted(self, method: Method) -> Iterable[str]:
        """Released tests of a method with the verdict Accept, as they are after the released repair."""
        for record in self.released.values():
            for (context, identity), stages in record.after.items():
                if identity == method.id:
                    for answer, stage in zip(record.answers.get((context, identity), ()), stages, strict=False):
                        if stage == ACCEPT:
                            yield repaired(answer, method, "released").text


def _parses(lines: str) -> bool:
    """Whether import lines read as Java before a class, by both parsers."""
    text = f"{lines}\npublic class T {{}}"
    return bool(syntax.published_class(text)) and bool(syntax.sound_class(text))


def _check(**options: Any) -> None:
    """InputError for an option of a contender and a value that it cannot take."""
    for name, known in (("context", tuple(published.CONTEXTS)), ("repair", REPAIRS), ("verdicts", VERDICTS)):
        if name in options and options[name] not in known:
            raise InputError(f"option {name!r} is {options[name]!r}.", f"Here it may be {', '.join(known)}.")
