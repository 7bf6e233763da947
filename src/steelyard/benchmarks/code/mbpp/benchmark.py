"""MBPP: short functions asked for in a sentence; with MBPP+ data, tested on many inputs too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from steelyard.benchmarks.code import extract, join, programs, prompts, selfinvoke, verdicts
from steelyard.benchmarks.code.mbpp.plus import PlusTask, restore
from steelyard.benchmarks.code.options import Profile, Route, check_options
from steelyard.benchmarks.code.records import Record, read_records
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status

FIELDS = ("task_id", "text", "code", "test_list", "test_setup_code")
PLUS_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "base_input", "plus_input", "atol")
STOP = ("\nclass", "\nassert", '\n"""', "\nprint", "\nif", "\n<|/", "\n```")
SPLITS = {"prompt": range(1, 11), "test": range(11, 511), "validation": range(511, 601), "train": range(601, 975)}


@dataclass(frozen=True)
class Problem:
    """One task. tests: asserts, of which the first is shown. setup: code to run before them. plus: MBPP+ inputs."""

    text: str
    code: str
    entry_point: str
    tests: tuple[str, ...]
    setup: str = ""
    prompt: str = ""
    plus: PlusTask | None = None


@dataclass(frozen=True)
class Mbpp:
    """profile: "published" leaves test_setup_code out, as the released harness does. timeout: seconds for the asserts.

    split: which tasks of the official file, by their number (test: 11 to 510); MBPP+ and own data are used whole.
    """

    profile: Profile = "sound"
    timeout: float = 3.0
    split: Literal["test", "train", "validation", "prompt", "all"] = "test"

    own: ClassVar[Path] = Path(__file__).parent / "data" / "mbpp.jsonl"

    def __post_init__(self) -> None:
        check_options(profile=self.profile, timeout=self.timeout)
        if self.split not in (*SPLITS, "all"):
            raise InputError(f"option 'split' is {self.split!r}.", f"It may be {', '.join((*SPLITS, 'all'))}.")

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The tasks in file order, from mbpp.jsonl or MbppPlus-*.jsonl. Raises InputError naming line and field."""
        records = read_records(data if data is not None else self.own, ("task_id",), "task_id")
        problems = [_plus(r) if "base_input" in r.fields else _plain(r) for r in records]
        keys = join.by_entry_point([(p.entry_point, p.text) for p in problems])
        for record, problem, key in zip(records, problems, keys, strict=True):
            number = _number(record)
            split = next((name for name, numbers in SPLITS.items() if number in numbers), "own")
            if problem.plus is None and split != "own" and self.split not in (split, "all"):
                continue
            identity = f"{'own' if split == 'own' else 'Mbpp'}/{number}"
            attributes = {"entry_point": problem.entry_point, "split": split} | ({"pair": key} if key else {})
            yield Case(identity, problem, attributes)

    def case_id(self, task_id: int | str) -> str:
        """The case that a predictions file names by task_id: 11 and Mbpp/11 are one."""
        return f"Mbpp/{task_id}" if str(task_id).isdigit() else str(task_id)

    def prompt(self, case: Case, route: Route = "chat", **_: object) -> list[Message]:
        """completion: a docstring of the sentence and the first assert. chat: CodeEval-Pro's instruction."""
        check_options(route=route)
        problem: Problem = case.payload
        if route == "completion":
            return [Message("raw", problem.prompt)]
        return prompts.wrapped(prompts.one_sentence(problem.text, problem.tests[0]), None)

    def generation(self, route: Route = "chat", **_: object) -> dict[str, object]:
        """Greedy, one sample; base models stop where the function ends."""
        stop = {"stop_seqs": list(STOP)} if route == "completion" else {}
        return {"temperature": 0.0, "top_p": 1.0, "max_tokens": 1024, **stop}

    def program(self, case: Case, output: str, route: Route = "chat", **_: object) -> str:
        """prompt + completion, or the program in a chat answer."""
        check_options(route=route)
        return str(case.payload.prompt) + output if route == "completion" else extract.first_fence(output)

    def reference(self, case: Case, route: Route = "chat") -> str:
        """An output that must score 1."""
        code: str = case.payload.code
        return code if route == "completion" else f"```python\n{code}\n```"

    def visible_tests(self, case: Case, **_: object) -> list[str]:
        """The one assert that the prompt shows."""
        return [case.payload.tests[0]]

    def score(self, case: Case, output: str, route: Route = "chat", **options: object) -> Outcome:
        """pass_at_1: all asserts hold. With MBPP+ data: pass_base (pass_at_1 repeats it) and pass_plus (base and plus).

        A wrong program is an OK 0 with the class of its error.
        """
        program = self.program(case, output, route)
        problem: Problem = case.payload
        if problem.plus is not None:
            return self._score_plus(program, problem.plus)
        setup = "" if (options.get("profile") or self.profile) == "published" else problem.setup
        ran = programs.check(program, "\n".join([setup, *problem.tests]), self.timeout)
        if programs.is_broken(ran):
            return programs.broken(ran, program)
        artifacts = {"program": program, "log": programs.log_of(ran)}
        return Outcome({"pass_at_1": float(ran.passed)}, Status.OK, verdicts.error_of(ran), artifacts)

    def _score_plus(self, program: str, task: PlusTask) -> Outcome:
        base = programs.check(program, task.tests(task.base), task.seconds(task.base))
        last = base
        if base.passed:
            last = programs.check(program, task.tests(task.plus), task.seconds(task.plus))
        for ran in (base, last):
            if programs.is_broken(ran):
                return programs.broken(ran, program)
        metrics = {"pass_at_1": float(base.passed), "pass_base": float(base.passed), "pass_plus": float(last.passed)}
        artifacts = {"program": program, "log": programs.log_of(last)}
        return Outcome(metrics, Status.OK, verdicts.error_of(last), artifacts)


def _number(record: Record) -> int:
    found = re.fullmatch(r"(?:Mbpp/)?(\d+)", str(record.fields["task_id"]))
    if not found:
        raise InputError(f"{record.where}: task_id {record.fields['task_id']!r} is no number.", "Write 11 or Mbpp/11.")
    return int(found[1])


def _plain(record: Record) -> Problem:
    record.need(FIELDS)
    text, code, setup = (record.text(name) for name in ("text", "code", "test_setup_code"))
    tests = record.fields["test_list"]
    if not (isinstance(tests, list) and tests and all(isinstance(test, str) for test in tests)):
        raise InputError(f"{record.where}: field 'test_list' is no list of asserts.")
    names = selfinvoke.tested("\n".join(tests), selfinvoke.defined(code.replace("\r\n", "\n")))
    if not names:
        raise InputError(f"{record.where}: field 'code' defines no function.")
    return Problem(text, code, names[-1], tuple(tests), setup, f'"""\n{text}\n{tests[0]}\n"""\n')


def _plus(record: Record) -> Problem:
    record.need(PLUS_FIELDS)
    prompt, entry_point, code = (record.text(name) for name in ("prompt", "entry_point", "canonical_solution"))
    number = _number(record)
    base, plus = (restore(number, record.fields[name]) for name in ("base_input", "plus_input"))
    task = PlusTask(entry_point, prompt + code, base, plus, record.fields["atol"])
    sentence, _, test = prompt.strip().strip('"').strip().partition("assert")
    return Problem(sentence.strip(), code, entry_point, (f"assert{test}",), "", prompt, task)
