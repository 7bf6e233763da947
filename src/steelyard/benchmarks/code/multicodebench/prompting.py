"""What a model is shown: declaration and docstring, and one of six kinds of context around them."""

from __future__ import annotations

from typing import Literal

from steelyard.benchmarks.code import budget
from steelyard.benchmarks.code.multicodebench.tasks import Task
from steelyard.core.errors import InputError

Context = Literal["docstring", "import", "api", "dep", "api+dep", "local-file", "shuffled"]
CONTEXTS = ("docstring", "import", "api", "dep", "api+dep", "local-file", "shuffled")
NAMES = {
    "c": "C", "cpp": "C++", "csharp": "C#", "go": "Go", "java": "Java", "javascript": "JavaScript", "kotlin": "Kotlin",
    "lua": "Lua", "php": "PHP", "python": "Python", "rust": "Rust", "scala": "Scala", "solidity": "Solidity",
    "swift": "Swift", "typescript": "TypeScript",
}  # fmt: skip
_COMMENT = {"python": "#", "lua": "--"}
_ROOM = 2000  # tokens of dependencies, and of the file around the function


def context_of(task: Task, other: Task, context: str) -> list[tuple[str, str]]:
    """(title, code) of what stands before the function in a setting. other: whose dependencies a shuffled context shows.

    Raises InputError for a setting that does not exist, and where the data do not hold the file around the function.
    """
    if context not in CONTEXTS:
        raise InputError(f"option 'context' is {context!r}.", f"It may be {', '.join(CONTEXTS)}.")
    if context == "local-file":
        if not task.local_file:
            cure = "Records need a field local_file_context; the released tasks have none. Choose another context."
            raise InputError(f"the data do not hold the file {task.path} of {task.repository}.", cure)
        return [(f"The file {task.path} around it", _shortened(task.local_file))]
    parts = []
    if context == "import" and task.imports:
        parts.append(("Imports of its file", "\n".join(task.imports)))
    if context in ("api", "api+dep") and task.api:
        parts.append(("Functions it may call", "\n".join(task.api)))
    whose = other if context == "shuffled" else task
    code = "\n\n".join(code for _, code in whose.dependencies if len(code.strip()) > 1)
    if context in ("dep", "api+dep", "shuffled") and code:
        parts.append(("Code of the repository that it may use", _shortened(code)))
    return parts


def chat(task: Task, parts: list[tuple[str, str]]) -> str:
    """The instruction for a chat model."""
    name = NAMES[task.language]
    shown = "".join(f"{title}:\n```\n{code}\n```\n\n" for title, code in parts)
    return (
        f"{shown}Write this {name} function.\n{task.described}\n\n"
        f"```{task.language}\n{task.declaration}\n```\nAnswer with the whole function in one fenced block."
    )


def completion(task: Task, parts: list[tuple[str, str]]) -> str:
    """A text to be continued: context and docstring as comments, then the declaration."""
    mark = _COMMENT.get(task.language, "//")
    lines = [f"{title}:\n{code}" for title, code in parts]
    comments = "\n".join(f"{mark} {line}".rstrip() for text in (*lines, task.described) for line in text.splitlines())
    return f"{comments}\n{task.declaration}"


def _shortened(code: str) -> str:
    """The beginning of a long piece of code, up to a line end."""
    cut = budget.cut_right(code, _ROOM)
    return code if cut == code else cut.rpartition("\n")[0] or cut
