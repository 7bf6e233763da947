"""What is asked, in three contexts, and which part of an answer is the test."""

from __future__ import annotations

import re
from typing import Literal

from steelyard.benchmarks.code.extract import Extraction, Rung, climb
from steelyard.benchmarks.code.testbench.contexts import simple_context
from steelyard.benchmarks.code.testbench.methods import Method
from steelyard.benchmarks.code.testbench.repair import ASSERTIONS, JUPITER

Context = Literal["only", "full", "simple"]
_JAVA = re.compile(r"```java\n([\s\S]*?)\n```")
_TAGS = re.compile(r"\[JAVA\]([\s\S]*?)\[/JAVA\]")


def skeleton(method: Method) -> str:
    """The test class with a hole that a model is to fill."""
    return (
        f"package {method.package};\n\n{JUPITER};\n{ASSERTIONS};\n\npublic class {method.class_name}Test {{\n"
        f"    @Test\n    public void {method.name}Test() {{\n        <FILL>\n    }}\n}}"
    )


def question(method: Method, context: Context) -> str:
    """The parts of the released prompt in its order: task, source code, context (not for "only"), skeleton."""
    around = {"only": "", "full": method.full, "simple": method.simple or simple_context(method.full)}[context]
    parts = [
        "Here is a task. Answer it fully.",
        "### Task:\nWrite a JUnit test for the Java source code below."
        + (" The code that stands around it is given as its context." if around else "")
        + "\nThe test is begun. Replace the mark <FILL> and give the whole test case.",
        f"### Java source code:\n{method.source.strip()}",
        *([f"### Context:\n{around.strip()}"] if around else []),
        f"### JUnit test case:\n{skeleton(method)}",
        "### Answer:\n",
    ]
    return "\n\n".join(parts)


def extracted(output: str) -> Extraction:
    """The test in an answer, by the released rules: the first fence that says java, else what follows the first fence
    mark, else what [JAVA] tags enclose (nothing where they are not closed), else everything."""
    return climb(output, LADDER)


def _tagged(output: str) -> str | None:
    if "[JAVA]" not in output:
        return None
    found = _TAGS.search(output)
    return found[1] if found else ""


def _fence(output: str) -> str | None:
    found = _JAVA.search(output)
    return found[1] if found else None


LADDER: tuple[Rung, ...] = (
    ("fence", "the first closed fence that says java", _fence),
    ("fence", "what follows the first fence mark", lambda output: output.split("```")[1] if "```" in output else None),
    ("tag", "between [JAVA] tags", _tagged),
    ("heuristic", "the whole answer", lambda output: output),
)


def fenced(text: str) -> str:
    """An answer that extraction turns into `text`."""
    return f"```java\n{text}\n```"
