"""Worked dialogues that show a model the loop: one program that is right, so that it learns to stop, and one that is not."""

from __future__ import annotations

from dataclasses import dataclass

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser

from steelyard.contenders.solvers.feedback import CLAUSES, JUDGE, KINDS, RIGHT, request


@dataclass(frozen=True)
class Worked:
    """One example. replies: question's kind -> what a good model answers. fixed: "" where the program is right."""

    task: str
    program: str
    replies: tuple[str, ...]
    test: str = ""
    gave: str = ""
    fixed: str = ""


_RIGHT = (
    "Write a function that says whether a word reads the same backwards.\nIt must satisfy: assert same('level') == True"
)
_WRONG = "Write a function that adds the even numbers of a list.\nIt must satisfy: assert even_sum([1, 2, 4]) == 6"
_PYTHON = {
    "expl": (
        ("The function compares the word with its reverse, made by word[::-1], and returns whether they are equal.",),
        (
            "total starts at 0. The loop takes each number; the test n % 2 keeps the odd ones, so odd numbers are added.",
        ),
    ),
    "trace": (
        ("word = 'level', word[::-1] = 'level', they are equal, so True is returned.",),
        ("total = 0; n = 1: n % 2 = 1, total = 1; n = 2: n % 2 = 0; n = 4: n % 2 = 0; 1 is returned.",),
    ),
}
_SCHEMA = "CREATE TABLE pet (id INTEGER, name TEXT, age INTEGER)"
_SQL = (
    Worked(
        f"{_SCHEMA}\nQuestion: How many pets are there?", "SELECT count(*) FROM pet",
        ("One number in one row.", "It counts all rows of pet and returns the number."),
    ),
    Worked(
        f"{_SCHEMA}\nQuestion: What is the name of the oldest pet?", "SELECT name FROM pet ORDER BY age LIMIT 1",
        ("One column, name, and one row.", "It sorts pets from young to old and takes the first: the youngest."),
        fixed="SELECT name FROM pet ORDER BY age DESC LIMIT 1",
    ),
)  # fmt: skip


def demonstrations(feedback: str) -> list[ChatMessage]:
    """The two dialogues of a kind of feedback, as chat turns to stand before the task."""
    examples = _SQL if feedback == "sql" else _python(feedback)
    language = "sql" if feedback == "sql" else "python"
    return [message for worked in examples for message in _turns(worked, feedback, language)]


def _python(feedback: str) -> tuple[Worked, ...]:
    right, wrong = _PYTHON.get(feedback, ((), ()))
    return (
        Worked(_RIGHT, "def same(word):\n    return word == word[::-1]", right, "assert same('level') == True"),
        Worked(
            _WRONG, _even_sum("n % 2"), wrong, "assert even_sum([1, 2, 4]) == 6", "1", _even_sum("n % 2 == 0"),
        ),
    )  # fmt: skip


def _even_sum(test: str) -> str:
    return f"def even_sum(numbers):\n    total = 0\n    for n in numbers:\n        if {test}:\n            total += n\n    return total"


def _turns(worked: Worked, feedback: str, language: str) -> list[ChatMessage]:
    """Task, program, this kind's questions with their answers, then the verdict, or the request and the fixed program."""
    said: list[ChatMessage] = [ChatMessageUser(content=worked.task), _program(worked.program, language)]
    ran = "The query returns 1 row with 1 column."
    for question, reply in zip(KINDS[feedback].questions, worked.replies, strict=True):
        asked = question.format(test=worked.test, execution=ran if question is CLAUSES else "")
        said += [ChatMessageUser(content=asked), ChatMessageAssistant(content=reply)]
    verdict = "yes" if not worked.fixed else "no"
    if feedback == "sql":  # no test decides: the model says whether it is right
        said += [ChatMessageUser(content=JUDGE), ChatMessageAssistant(content=verdict)]
    if worked.fixed:
        told = [(worked.test, worked.gave)] if KINDS[feedback].tests else []
        return [*said, ChatMessageUser(content=request(told)), _program(worked.fixed, language)]
    return [*said, ChatMessageUser(content=RIGHT), ChatMessageAssistant(content="Then it stands.")]


def _program(code: str, language: str) -> ChatMessage:
    return ChatMessageAssistant(content=f"```{language}\n{code}\n```")
