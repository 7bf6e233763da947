"""From an answer to a class in place: extraction, replacement, undone TODOs, and methods put together one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from steelyard.benchmarks.code.extract import Extraction, Rung, climb
from steelyard.benchmarks.code.static import java
from steelyard.benchmarks.code.static.java import Method, Source, Span

JAVA_FENCE = re.compile(r"```java[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
ANY_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
TODO = re.compile(r"//[^\n]*\bTODO\b|/\*(?:(?!\*/).)*\bTODO\b", re.DOTALL)
EMPTY = "{\n    }"
LAZY = 10  # an answer's body must be so many characters longer than the skeleton's


def extraction(output: str, *, published: bool) -> Extraction:
    """The class in an answer: the first ```java block.

    Otherwise than as published, a block with another label or none counts too, and so does an answer that is a class and
    nothing else.
    """
    return climb(output, LADDER[:1] if published else LADDER)


def extract(output: str, *, published: bool) -> str:
    """The text of `extraction`; "" where there is no class."""
    return extraction(output, published=published).text


def _java_block(output: str) -> str | None:
    found = JAVA_FENCE.search(output)
    return found[1] if found else None


def _any_block(output: str) -> str | None:
    found = ANY_FENCE.search(output)
    return found[1] if found else None


def _bare(output: str) -> str | None:
    source = java.read(output)
    if not source.types or not output.rstrip().endswith("}"):
        return None
    before = source.text((0, source.types[0].span[0]))
    return output if re.match(r"\s*(package\b|import\b|//|/\*|@|\Z)", before) else None


LADDER: tuple[Rung, ...] = (
    ("fence", "the first ```java block", _java_block),
    ("fence", "the first block, whatever its label", _any_block),
    ("heuristic", "an answer that is a class and nothing else", _bare),
)


def fenced(source: str) -> str:
    """An answer that is one class."""
    return f"```java\n{source.strip()}\n```"


def in_place(skeleton: str, answer: str, *, published: bool) -> str | None:
    """The file that takes the skeleton's place; None where the answer cannot be put there.

    As published: the skeleton up to its first "public" and the answer from its first "public", wherever that word stands.
    Otherwise: the skeleton up to its class, with the imports of the answer that it lacks, and the answer from its first
    public type (else its first).
    """
    if published:
        head, _, rest = skeleton.partition("public")
        _, found, tail = answer.partition("public")
        return head + found + tail if rest and found else None
    old, new = java.read(skeleton), java.read(answer)
    ours, theirs = old.main_type, new.main_type
    if ours is None or theirs is None:
        return None
    head = old.data[: ours.span[0]].decode("utf-8", "replace")
    more = [i for i in new.imports if i not in old.imports]
    lines = [f"import {'static ' * i.static}{i.name}{'.*' * i.wildcard};" for i in more]
    if lines:
        head = (
            re.sub(r"(?<=;)", lambda _: "\n" + "\n".join(lines), head, count=1)
            if old.package
            else "\n".join(lines) + "\n" + head
        )
    return head + new.data[theirs.span[0] :].decode("utf-8", "replace")


def todo_methods(source: Source) -> dict[tuple[str, int], Method]:
    """(name, occurrence) -> the methods whose body holds a TODO comment."""
    return {
        key: m for key, m in java.occurrences(source.methods()).items() if m.body and TODO.search(source.text(m.body))
    }


def has_todo(skeleton: str, answer: str) -> bool:
    """Whether some method was left undone: its TODO comment still stands, and without comment lines its body is less than
    ten characters longer than that of the skeleton."""
    old, new = java.read(skeleton), java.read(answer)
    answered = todo_methods(new)
    return any(
        len(_without_comments(new, answered[key])) - len(_without_comments(old, method)) < LAZY
        for key, method in todo_methods(old).items()
        if key in answered
    )


def _without_comments(source: Source, method: Method) -> str:
    lines = source.text(method.body or (0, 0)).split("\n")
    return "\n".join(line for line in lines if not line.strip().startswith(("//", "/*", "*")))


def step_name(key: tuple[str, int]) -> str:
    return f"{key[0]}#{key[1]}"


def steps(skeleton: str) -> list[str]:
    """The methods of a skeleton that are to be done, in the order of the text: name#occurrence."""
    return [step_name(key) for key in todo_methods(java.read(skeleton))]


def for_step(done: str, step: str) -> str:
    """The class as it is shown for one method: `done` (the skeleton, or what earlier steps made of it) with the bodies of
    all other methods that are still undone emptied."""
    source = java.read(done)
    found = todo_methods(source)
    new: Mapping[Span, str] = {
        m.body: EMPTY for key, m in found.items() if step_name(key) != step and m.body is not None
    }
    return java.replaced(source, new)


def take_step(done: str, answer: str, step: str) -> str:
    """`done` with the body that the answer gives to one method; unchanged where it has no such method or that has a syntax
    error."""
    source, given = java.read(done), java.read(answer)
    ours, theirs = (
        {step_name(key): m for key, m in java.occurrences(s.methods()).items()}.get(step) for s in (source, given)
    )
    if ours is None or theirs is None or not ours.body or not theirs.body or not theirs.whole:
        return done
    return java.replaced(source, {ours.body: given.text(theirs.body)})
