"""The five kinds of feedback of Self-Debugging: one loop, and only these texts differ."""

from __future__ import annotations

import re
from dataclasses import dataclass

RIGHT = "The code above is correct."
WRONG = "The code above is wrong. Please fix it."
ANSWER = "Give the whole corrected program in one fenced block."
EXPLAIN = "Explain the code above line by line: what does each line do?"
EXPLAIN_BOTH = "Explain the {source} code of the task line by line, then the translation above: where do they differ?"
TRACE = "Follow the code above line by line on the input of this test, and write the value of each variable: {test}"
QUESTION = "What does the question ask for? Name the columns and the rows that the answer must have."
CLAUSES = "{execution}\nExplain the query above clause by clause: what does each clause do?"
JUDGE = "Is the code above correct? Begin your answer with yes or no."
_VERDICT = re.compile(r"\b(yes|no|not correct|incorrect|wrong|correct)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """What one kind of feedback tells and asks. tests: failing visible tests are told. questions: put to the model."""

    tests: bool
    questions: tuple[str, ...] = ()


KINDS = {
    "simple": Kind(tests=False),
    "ut": Kind(tests=True),
    "expl": Kind(tests=True, questions=(EXPLAIN,)),
    "trace": Kind(tests=True, questions=(TRACE,)),
    "sql": Kind(tests=False, questions=(QUESTION, CLAUSES)),
}


def request(told: list[tuple[str, str]]) -> str:
    """The request to fix. told: (failing visible test, what it gave)."""
    report = [f"This test fails: {test}\nIt gives: {gave}" for test, gave in told]
    return "\n\n".join([*report, WRONG, ANSWER])


def says_right(answer: str) -> bool:
    """Whether an answer calls the program correct: its first word of verdict decides; without one it does not."""
    found = _VERDICT.search(answer)
    return found is not None and found[1].lower() in ("yes", "correct")
