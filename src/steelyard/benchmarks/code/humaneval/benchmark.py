"""HumanEval: 164 functions to complete from signature and docstring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from steelyard.benchmarks.code import extract, join, programs, prompts, verdicts
from steelyard.benchmarks.code.options import Route, check_options
from steelyard.benchmarks.code.records import read_records
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status

FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
STOP = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```", "<file_sep>")


@dataclass(frozen=True, slots=True)
class Problem:
    """One task, as published."""

    prompt: str
    entry_point: str
    canonical_solution: str
    test: str


@dataclass(frozen=True)
class HumanEval:
    """timeout: seconds for a program with its tests."""

    timeout: float = 3.0

    own: ClassVar[Path] = Path(__file__).parent / "data" / "humaneval.jsonl"

    def __post_init__(self) -> None:
        check_options(timeout=self.timeout)

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The tasks in file order. InputError names line and field, MissingError a file that is not here."""
        for record in read_records(data if data is not None else self.own, FIELDS, "task_id"):
            problem = Problem(*(record.text(name) for name in FIELDS[1:]))
            identity = record.text("task_id")
            attributes = {"entry_point": problem.entry_point, "pair": join.humaneval_pair(identity)}
            yield Case(identity, problem, attributes)

    def prompt(self, case: Case, route: Route = "chat", **_: object) -> list[Message]:
        """route completion: the task's text, to be continued. route chat: CodeEval-Pro's instruction around it."""
        check_options(route=route)
        if route == "completion":
            return [Message("raw", case.payload.prompt)]
        return prompts.wrapped(prompts.one_problem(case.payload.prompt), None)

    def generation(self, route: Route = "chat", **_: object) -> dict[str, object]:
        """Greedy, one sample; base models stop where the function ends."""
        stop = {"stop_seqs": list(STOP)} if route == "completion" else {}
        return {"temperature": 0.0, "top_p": 1.0, "max_tokens": 1024, **stop}

    def program(self, case: Case, output: str, route: Route = "chat", **_: object) -> str:
        """prompt + completion; a chat answer's program stands after the prompt too, whose imports and helpers it needs.

        The answer may be a body, the whole function, or the prompt repeated: each is legal Python after the prompt.
        """
        check_options(route=route)
        if route == "completion":
            return str(case.payload.prompt) + output
        code = extract.first_fence(output)
        return f"{case.payload.prompt}\n{code}" if code.strip() else ""

    def reference(self, case: Case, route: Route = "chat") -> str:
        """An output that must score 1."""
        body: str = case.payload.canonical_solution
        return body if route == "completion" else f"```python\n{case.payload.prompt}{body}\n```"

    def visible_tests(self, case: Case, **_: object) -> list[str]:
        """The examples in the docstring."""
        return prompts.docstring_asserts(case.payload.prompt)

    def score(self, case: Case, output: str, route: Route = "chat", **options: object) -> Outcome:
        """pass_at_1 of one output; a wrong program is an OK 0 with the class of its error."""
        program = self.program(case, output, route)
        problem: Problem = case.payload
        ran = programs.check(program, f"{problem.test}\ncheck({problem.entry_point})", self.timeout)
        if programs.is_broken(ran):
            return programs.broken(ran, program)
        artifacts = {"program": program, "log": programs.log_of(ran)}
        return Outcome({"pass_at_1": float(ran.passed)}, Status.OK, verdicts.error_of(ran), artifacts)
