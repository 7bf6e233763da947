"""Runs in the sandbox: the tests of one answer by pytest, told one by one; ends well only where all of them passed.

Its text follows the line `CASE = {...}`. It reports on a copy of the standard error, each line behind a word that is drawn for this
run, so that neither a flood of output nor a printed line of the program's is taken for a report.
"""

import ast
import json
import os
import sys

CASE: dict  # solution, tests, setup, files (name -> hexadecimal), word, hidden_only


def expected(source: str) -> set[str]:
    """What pytest will find in the hidden tests, by their names."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            case = any("TestCase" in ast.unparse(base) for base in node.bases)
            methods = [inner.name for inner in node.body if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef))]
            if case or node.name.startswith("Test") and "__init__" not in methods:
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
    with open("test_case.py", "w", encoding="utf-8") as file:
        file.write(f"import pytest\nfrom solution import *\n{hidden}")
    os.environ |= {"MPLBACKEND": "Agg", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    sys.path.insert(0, os.getcwd())
    word, results, wanted = CASE["word"], {}, expected(hidden)
    import inspect

    import pytest

    def tell(kind: str, *parts: object) -> None:
        os.write(out, (json.dumps([word, kind, *parts]) + "\n").encode())

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

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):  # noqa: ANN201
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
            return report

    code = pytest.main(["-q", "-s", "-p", "no:cacheprovider", "--rootdir=.", "-o", "addopts=", "test_case.py"], plugins=[Listener()])
    names = {name.partition("[")[0] for name in results}
    tell("end", int(code), sorted(wanted - names))
    assert code == 0 and results and all(kind == "passed" for kind, _, _ in results.values()), "not all tests passed"
    assert wanted <= names, f"not run: {sorted(wanted - names)}"


main()
