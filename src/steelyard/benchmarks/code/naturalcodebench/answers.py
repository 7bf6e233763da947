"""From an answer to source files: the released ladders for Python and Java, and Java cut into one file a type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.extract import Extraction, Rung, climb
from steelyard.benchmarks.code.static import trees

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES = ("class_declaration", "interface_declaration", "enum_declaration", "record_declaration", "annotation_type_declaration")
JUNIT_IMPORTS = "import org.junit.jupiter.api.Test;\nimport static org.junit.jupiter.api.Assertions.*;\n"


def _between(opening: str, closing: str) -> re.Pattern[str]:
    return re.compile(f"{opening}(.*?){closing}", re.DOTALL)


_PY_TAG = _between(r"\[Python\]", r"\[/Python\]")
_PY_FENCE, _BARE = _between("```python", "```"), _between("```", "```")
_JAVA_TAG = _between(r"\[Java\]", r"\[/Java\]")
_JAVA_FENCE = re.compile(r"```(?:java|Java)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)


def _python_tag(answer: str) -> str | None:
    found = _PY_TAG.search(answer)
    return found[1] if found and "```" not in found[1] else None


def _python_open_tag(answer: str) -> str | None:
    _, tag, rest = answer.partition("[Python]")
    return rest.partition("```")[0] if tag and rest.partition("```")[0].strip() else None


def _first(pattern: re.Pattern[str], answer: str) -> str | None:
    found = pattern.search(answer)
    return found[1] if found else None


def _from_word(answer: str, *words: str) -> str | None:
    at = [answer.find(word) for word in words if word in answer]
    return answer[min(at) :] if at else None


PYTHON: list[Rung] = [
    ("tag", "between [Python] and [/Python]", _python_tag),
    ("tag", "from [Python] to a fence or the end", _python_open_tag),
    ("fence", "in the first ```python fence", lambda answer: _first(_PY_FENCE, answer)),
    ("fence", "in the first bare fence", lambda answer: _first(_BARE, answer)),
    ("heuristic", "from the first 'from' or 'import'", lambda answer: _from_word(answer, "from", "import")),
    ("heuristic", "from the first 'class'", lambda answer: _from_word(answer, "class")),
    ("heuristic", "from the first 'def'", lambda answer: _from_word(answer, "def")),
]


def _java_fences(answer: str) -> str | None:
    found = _JAVA_FENCE.findall(answer)
    return "\n".join(found) if found else None


def _java_words(answer: str) -> str | None:
    start = _from_word(answer, "import", "public", "interface", "class")
    return start[: start.rindex("}") + 1] if start and "}" in start else None


JAVA: list[Rung] = [
    ("tag", "between [Java] and [/Java]", lambda answer: _first(_JAVA_TAG, answer)),
    ("fence", "in all ```java, ```Java and bare fences", _java_fences),
    ("heuristic", "from the first 'import', 'public', 'interface' or 'class' to the last '}'", _java_words),
]


def extract(answer: str, language: str) -> Extraction:
    """The program in an answer, by the released ladder of its language; an empty one is no code."""
    found = climb(answer, PYTHON if language == "python" else JAVA)
    return found if found.text.strip() else Extraction("", "none", "no code in the answer")


@dataclass(frozen=True, slots=True)
class Java:
    """Java source cut into types. files: path -> text; tests: names of the classes that hold JUnit tests."""

    files: dict[str, str]
    tests: tuple[str, ...]


def cut(source: str) -> Java:
    """Each top-level type in a file of its own, under all imports of the source and those of JUnit; packages are dropped.

    A source without a type (broken, or prose) stays whole: the compiler then says what is wrong with it.
    """
    root = trees.parse("java", source).root_node
    imports = "".join(trees.text(node) + "\n" for node in root.children if node.type == "import_declaration")
    if "org.junit" not in imports:
        imports = JUNIT_IMPORTS + imports
    types = [node for node in root.children if node.type in _TYPES]
    if not types:
        return Java({"Answer.java": source}, ())
    files = {f"{_name(node)}.java": f"{imports}{trees.text(node)}\n" for node in types}
    if any(node.is_error for node in root.children):  # prose between the types: the compiler says what is wrong with it
        files = {f"{_name(types[0])}.java": source}
    return Java(files, tuple(_name(node) for node in types if _has_tests(node)))


def _name(node: Node) -> str:
    name = node.child_by_field_name("name")
    return trees.text(name) if name else "Answer"


def _has_tests(node: Node) -> bool:
    marks = ("@Test", "@ParameterizedTest", "@RepeatedTest", "@TestFactory")
    return any(
        inner.type in ("marker_annotation", "annotation") and trees.text(inner).split("(")[0].strip() in marks
        for inner in trees.walk(node)
    )


def program(answer: Java, hidden: Java, *, keep_tests: bool) -> dict[str, str]:
    """The files to compile: the answer's, then the hidden tests, which nothing in the answer replaces.

    keep_tests: whether test classes of the answer stay beside them (they are compiled, as released, but never run).
    """
    mine = {path: text for path, text in answer.files.items() if keep_tests or path.removesuffix(".java") not in answer.tests}
    return mine | hidden.files
