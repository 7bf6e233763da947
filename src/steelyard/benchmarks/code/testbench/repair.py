"""The rule-based repair of arXiv:2409.17561: wrap what is no class, add what is always missing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from steelyard.benchmarks.code.testbench.methods import Method
from steelyard.benchmarks.code.testbench.syntax import javalang_parses

Rule = Literal["released", "fixed"]
JUPITER = "import org.junit.jupiter.api.*"
ASSERTIONS = "import static org.junit.jupiter.api.Assertions.*"
_PACKAGE = re.compile(r"^package\s+[\w.]+;", re.MULTILINE)
_HEADING = re.compile(r"^#+\s+.*$", re.MULTILINE)
_IMPORT = re.compile(r"^\s*import\s+[\w.]+;", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Repaired:
    """text: the test after the repair. inserted: the import lines of JUnit that it put in."""

    text: str
    inserted: tuple[str, ...] = ()


def repaired(text: str, method: Method, rule: Rule = "fixed") -> Repaired:
    """The released rules in their order. rule "released" inserts JUnit's imports without their semicolon, as the released
    script does; "fixed" with it. Everything else is alike.

    The first half touches only what javalang cannot parse. The second puts the package and the plain imports of the
    file under test (those of the first method of that name in the project) into every test, needed or not.
    """
    inserted: list[str] = []
    new = text
    if not javalang_parses(text):
        if "public class" in text:
            end = ";" if rule == "fixed" else ""
            if "import org.junit.jupiter.api" not in text:
                inserted.append(JUPITER + end)
            if "import static org.junit.jupiter.api.Assertions" not in text:
                inserted.append(ASSERTIONS + end)
            for line in inserted:
                new = _with_import(new, line)
        elif "@Test" in text:
            new = _class(text, method)
        elif "public void" in text:
            new = _class(f"@Test\n{text}\n", method)
        else:
            new = _class(f"@Test\npublic void {method.name}Test() {{\n    {_indented(text)}\n}}\n", method)
        new = _HEADING.sub("", new)
    if "package" not in new:
        new = f"package {method.package};\n\n{new}"
    for line in _IMPORT.findall(method.imports_of):
        new = _with_import(new, line)
    return Repaired(new, tuple(inserted))


def _with_import(text: str, line: str) -> str:
    """The line behind the package, else at the top."""
    found = _PACKAGE.search(text)
    if not found:
        return f"{line}\n{text}"
    return f"{text[: found.end()]}\n\n{line}\n{text[found.end() :]}"


def _class(body: str, method: Method) -> str:
    head = f"package {method.package};\n\n{JUPITER};\n{ASSERTIONS};\n\n"
    return f"{head}public class {method.class_name}Test {{\n    {_indented(body)}\n}}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
