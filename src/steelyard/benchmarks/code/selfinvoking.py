"""Self-invoking benchmarks: a base problem, and a harder one that should be solved by calling the base solution.

Protocol of CodeEval-Pro/CodeEval-Pro (arXiv:2412.21199), shared by humaneval-pro, mbpp-pro and bigcodebench-lite-pro.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from steelyard.benchmarks.code import extract, join, programs, prompts, selfinvoke, verdicts
from steelyard.benchmarks.code.options import VARIANTS, Profile, Route, check_options
from steelyard.benchmarks.code.records import Record, read_records
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status
from steelyard.sandbox import Outcome as Ran

FIELDS = ("id", "raw_problem", "raw_solution", "new_problem", "new_solution", "test_code")
WORDS = ("pass", "fail")
FILE_S = 30.0  # seconds the released exit-code runner gives a file


@dataclass(frozen=True, slots=True)
class Pair:
    """A base problem and the problem built on it, as published, with the names of their functions.

    base: the base function (the last one that raw_problem defines). new: the functions under test.
    """

    raw_problem: str
    raw_solution: str
    new_problem: str
    new_solution: str
    test_code: str
    base: str
    new: tuple[str, ...]

    @property
    def reference(self) -> str:
        return self.raw_problem + self.raw_solution + self.new_problem + self.new_solution


@dataclass(frozen=True)
class SelfInvoking:
    """The machinery; a benchmark names its own data and what differs.

    profile: "sound", or "published" with the known defects of the released scripts. timeout: seconds for a program.
    """

    profile: Profile = "sound"
    timeout: float = 3.0

    own: ClassVar[Path]
    base: ClassVar[str] = ""  # the benchmark that these problems build on
    variants: ClassVar[tuple[str, ...]] = VARIANTS
    visible_line: ClassVar[int] = 0  # of test_code, which 1shot shows
    after: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_options(profile=self.profile, timeout=self.timeout)

    # --- cases

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The cases in file order.

        data: the official file (.json, .jsonl, gzipped or not) or hf:NAME; None for our own small data. Raises
        InputError naming record and field, MissingError for a file that is not here.
        """
        records = read_records(data if data is not None else self.own, FIELDS, "id", split="train")
        for record, key in zip(records, self.joins(records), strict=True):
            yield self._case(record, key)

    def joins(self, records: Sequence[Record]) -> list[str]:
        """For each case the attribute `pair` that its base case has too; empty without a base benchmark here."""
        return [""] * len(records)

    def _case(self, record: Record, key: str) -> Case:
        raw, new, tests = (record.text(name) for name in ("raw_problem", "new_problem", "test_code"))
        solution = record.text("new_solution")
        base = selfinvoke.defined(raw)
        if not base:
            raise InputError(f"{record.where}: raw_problem defines no function.", "It holds `def NAME(...):`.")
        defined = [*selfinvoke.defined(new), *selfinvoke.defined(new + solution)]
        names = tuple(dict.fromkeys(selfinvoke.tested(tests, defined)))
        pair = Pair(raw, record.text("raw_solution"), new, solution, tests, base[-1], names)
        identity = str(record.fields["id"])
        attributes = {"entry_point": base[-1], "asserts": tests.count("assert ")}
        return Case(identity, pair, attributes | ({"pair": key} if key else {}))

    # --- prompts and programs

    def prompt(self, case: Case, prompt: str = "0shot", route: Route = "chat", **_: object) -> list[Message]:
        """What to ask. prompt: 0shot, 1shot (one visible test) or cot. route: chat, or completion with a prefix."""
        check_options(prompt=prompt, route=route, variants=self.variants)
        pair: Pair = case.payload
        shown = f"\n\n{self._shown(pair)}" if prompt == "1shot" else self.after
        instruction = prompts.two_problems(pair.raw_problem, pair.new_problem, shown)
        return prompts.wrapped(
            instruction,
            pair.raw_problem if route == "completion" else None,
            steps=prompt == "cot",
            primed=self.profile == "sound",
        )

    def generation(self, route: Route = "chat", **_: object) -> dict[str, object]:
        """How the paper decodes: greedily, one sample; 0.2 for models behind a chat interface in its script."""
        temperature = 0.2 if route == "chat" and self.profile == "published" else 0.0
        return {"temperature": temperature, "top_p": 1.0, "max_tokens": 4096}

    def program(self, case: Case, output: str, route: Route = "chat", **options: object) -> str:
        """The program in an output. A completion continues the base function; a chat answer stands alone."""
        check_options(route=route)
        if route == "completion":
            return str(case.payload.raw_problem) + extract.before_fence(output)
        profile = options.get("profile") or self.profile
        return extract.python_fence(output) if profile == "published" else extract.first_fence(output)

    def reference(self, case: Case, route: Route = "chat") -> str:
        """An output that must score 1: the published solution, as a model would give it on that route."""
        pair: Pair = case.payload
        if route == "completion":
            return pair.raw_solution + pair.new_problem + pair.new_solution
        return f"```python\n{pair.reference}\n```"

    def visible_tests(self, case: Case, prompt: str = "0shot", **_: object) -> list[str]:
        """The tests a solver may use: examples in the docstring of the base problem, and the one that 1shot shows."""
        pair: Pair = case.payload
        shown = [self._shown(pair)] if prompt == "1shot" else []
        return [*prompts.docstring_asserts(pair.raw_problem), *shown]

    def _shown(self, pair: Pair) -> str:
        lines = pair.test_code.split("\n")
        return lines[self.visible_line] if self.visible_line < len(lines) else ""

    # --- scores

    def score(self, case: Case, output: str, route: Route = "chat", **options: object) -> Outcome:
        """pass_at_1 and its two views of one output, and whether a passing program really calls the base function.

        pass_at_1 is the program as extracted (pass_raw); pass_sanitised is the same program cut by the released
        sanitiser. The published figure is the higher of the two *means*: `summarise` takes it and says which won.
        A wrong program, a timeout of it or an empty one is an OK 0 with the class of its error.
        """
        program = self.program(case, output, route, **options)
        cut = extract.before_fence(output) if route == "completion" else program
        head = program[: len(program) - len(cut)]
        sanitised = head + extract.sanitise(cut)
        pair: Pair = case.payload
        profile = options.get("profile") or self.profile
        judge = self.published if profile == "published" else self.sound
        ran = judge(program, pair)
        views = {"pass_raw": ran, "pass_sanitised": ran if sanitised == program else judge(sanitised, pair)}
        for one in views.values():
            if programs.is_broken(one):
                return programs.broken(one, program)
        metrics = {name: float(one.passed) for name, one in views.items()}
        metrics |= {"pass_at_1": metrics["pass_raw"]} | self.beside(program, pair, ran)
        if ran.passed and not metrics.get("false_passes"):
            metrics |= self._invocation(program, pair)
        error = self._published_error(program, pair, ran) if profile == "published" else verdicts.error_of(ran)
        return Outcome(metrics, Status.OK, error, {"program": program, "log": programs.log_of(ran)})

    def sound(self, program: str, pair: Pair) -> Ran:
        """Only a program whose last assert was reached, and held, passes."""
        return programs.check(program, pair.test_code, self.timeout)

    def published(self, program: str, pair: Pair) -> Ran:
        """As the released scripts judge. For the first two benchmarks that is the classic runner: sound."""
        return self.sound(program, pair)

    def as_file(self, program: str, pair: Pair) -> Ran:
        """The released exit-code runner: tabs become blanks, candidate and tests are one file, 30 s, 0 is a pass."""
        return programs.run_file(program.replace("\t", "    ") + "\n" + pair.test_code, FILE_S)

    def _published_error(self, program: str, pair: Pair, judged: Ran) -> str:
        """The class in the released error statistics: from the exit-code runner, whatever the score rests on."""
        ran = self.as_file(program, pair)
        name = verdicts.published_class(ran.passed, ran.verdict.value == "timeout", ran.stderr)
        if name != "Passed":
            return name
        return "" if judged.passed else f"Passed: left with exit code 0, but {verdicts.error_of(judged)}"

    def beside(self, program: str, pair: Pair, ran: Ran) -> dict[str, float]:
        """More metrics of one program."""
        return {}

    def _invocation(self, program: str, pair: Pair) -> dict[str, float]:
        static = selfinvoke.calls_statically(program, list(pair.new), pair.base)
        watched = programs.run_file(selfinvoke.watched(program, pair.test_code, pair.base), 5 * self.timeout)
        if watched.exit_code not in (0, selfinvoke.NOT_CALLED):
            return {"self_invocation_static": float(static)}  # it ended otherwise under observation: not known
        return {"self_invocation_static": float(static), "self_invocation_rate": float(watched.passed)}

    def summary(self, values: Callable[..., Mapping[str, float]]) -> dict[str, float | str]:
        """The published figure (see `summarise`) and, where the base benchmark was measured too, who passes which.

        values: (metric, benchmark="") -> pair -> value. The 2 x 2 table needs one trial a case: passes are 0 or 1.
        """
        views = {name: values(name) for name in ("pass_raw", "pass_sanitised")}
        if not views["pass_raw"]:
            return {}
        found = summarise(views)
        base, pro = values("pass_at_1", self.base) if self.base else {}, values("pass_at_1")
        if base and {*base.values(), *pro.values()} <= {0.0, 1.0}:
            both = join.two_by_two(base, pro)
            if both.joined:
                table = {f"base {b}, pro {p}": float(getattr(both, f"{b}_{p}")) for b in WORDS for p in WORDS}
                drop = (both.pass_fail - both.fail_pass) / both.joined
                found |= {"joined": float(both.joined), **table, "drop": drop}
        return found


def summarise(values: Mapping[str, Mapping[str, float]]) -> dict[str, float | str]:
    """The released rule: the higher of the two mean scores, over all cases, and which of the two it was.

    values: metric -> case -> 0 or 1, with pass_raw and pass_sanitised over the same cases. won: "raw", "sanitised" or
    "equal". Raises InputError when the cases differ.
    """
    raw, sanitised = values.get("pass_raw", {}), values.get("pass_sanitised", {})
    if not raw or set(raw) != set(sanitised):
        odd = sorted(set(raw) ^ set(sanitised))[:5]
        raise InputError(f"pass_raw and pass_sanitised are not over the same cases ({', '.join(odd) or 'none given'}).")
    means = {"raw": sum(raw.values()) / len(raw), "sanitised": sum(sanitised.values()) / len(sanitised)}
    won = "equal" if means["raw"] == means["sanitised"] else max(means, key=lambda view: means[view])
    return {
        "pass_at_1_published": max(means.values()),
        "won": won,
        "pass_raw": means["raw"],
        "pass_sanitised": means["sanitised"],
    }
