"""Runs in the sandbox: the tests of one answer by pytest, told one by one; ends well only where all of them passed.

Its text stands behind that of `apart`, with the case written in. It reports on a copy of the standard error, each line behind a
word that is drawn for this run, so that neither a flood of output nor a printed line of the program's is taken for a report.
"""

import ast
import inspect
import json
import os
import secrets
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from steelyard.benchmarks.code.apart import Tell, apart, as_if_passed, failed_as_it_must, must_fail

CASE: dict = {}  # solution, tests, setup, files (name -> hexadecimal), word, hidden_only


def expected(source: str) -> set[str]:
    """What pytest will find in the hidden tests, by their names."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            case = any("TestCase" in ast.unparse(base) for base in node.bases)
            methods = [inner.name for inner in node.body if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))]
            if case or (node.name.startswith("Test") and "__init__" not in methods):
                found |= {f"{node.name}::{name}" for name in methods if name.startswith("test")}
    return found


def main() -> None:
    out = os.dup(2)
    os.dup2(1, 2)
    os.makedirs("case", exist_ok=True)
    os.chdir("case")
    for name, text in CASE["files"].items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(bytes.fromhex(text))
    feed = "import sys as _sys\nwith open('stdin.txt', 'w') as _file:\n    _file.write('1\\n' * 1000)\n_sys.stdin = open('stdin.txt')\ndel _sys, _file\n"
    hidden = f"{CASE['tests']}\n{CASE['setup']}\n"
    with open("solution.py", "w", encoding="utf-8") as file:
        file.write(f"{feed}import pytest\n{CASE['solution']}\n")
    tests = f"import pytest\nfrom solution import *\n{hidden}"
    with open("test_case.py", "w", encoding="utf-8") as file:
        file.write(tests)
    os.environ |= {"MPLBACKEND": "Agg", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.path.insert(0, os.getcwd())
    secret = secrets.token_hex(16)
    results: dict[str, str] = {}
    last = ["", ""]

    def hear(kind: str, *rest: Any) -> None:
        if kind == "test" and rest[0] == f"test_{secret}":
            last[:] = rest[1:3]
        elif kind in ("test", "collect"):
            os.write(out, (json.dumps([CASE["word"], kind, *rest]) + "\n").encode())
            results.update({rest[0]: rest[1]} if kind == "test" else {})

    told = apart(lambda tell: run(tell, out, secret), hear)
    names, wanted = {name.partition("[")[0] for name in results}, expected(hidden)
    os.write(out, (json.dumps([CASE["word"], "end", sorted(wanted - names)]) + "\n").encode())
    assert results and all(kind == "passed" for kind in results.values()), "not all tests passed"
    assert not any(kind == "collect" for kind, *_ in told), "not all tests could be collected"
    assert wanted <= names, f"not run: {sorted(wanted - names)}"
    assert failed_as_it_must(*last, secret), "the program changed pytest, unittest or what tests rest on"
    with open("test_case.py", encoding="utf-8") as file:
        assert file.read() == tests, "the program changed its tests"


def run(tell: "Tell", out: int, secret: str) -> None:
    """Run the tests and tell what each came to. out: where the report goes, which is not for the program."""
    os.close(out)
    results: dict[str, tuple[str, str, float]] = {}

    def here(item: pytest.Item) -> bool:
        code = getattr(inspect.unwrap(getattr(item, "function", None) or getattr(item, "obj", item)), "__code__", None)
        return code is None or code.co_filename.endswith("test_case.py")

    class Listener:
        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                tell("collect", str(report.longrepr)[-3000:])

        def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
            if CASE["hidden_only"]:
                items[:] = [item for item in items if here(item)]
            items += must_fail(items, secret)

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
            report = yield
            name = item.nodeid.partition("::")[2]
            kind = "passed" if report.passed else "skipped" if report.skipped else "exception"
            message = ""
            if call.excinfo is not None and kind != "passed":
                if call.excinfo.errisinstance((AssertionError, pytest.fail.Exception)):
                    kind = "assertion" if kind == "exception" else kind
                message = call.excinfo.exconly()[:500]
            before = results.get(name, ("passed", "", 0.0))
            worst = before if before[0] != "passed" else (kind, message, 0.0)
            results[name] = (worst[0], worst[1], before[2] + call.duration)
            if report.when == "teardown":
                tell("test", name, *results[name])
            return as_if_passed(report) if name == f"test_{secret}" else report

    arguments = ["-q", "-s", "-p", "no:cacheprovider", "--rootdir=.", "-o", "addopts=", "test_case.py"]
    pytest.main(arguments, plugins=[Listener()])


main()
