"""Runs inside the sandbox, in the process of one run: copies the project, changes it, runs its tests, tells what they did.

Standard library, pytest and coverage only; its text is sent in with that of `apart`, it is never imported here.
"""

from __future__ import annotations

import filecmp
import json
import os
import secrets
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # its text stands behind this one
    from steelyard.benchmarks.code.apart import Tell, apart, as_if_passed, failed_as_it_must, must_fail

MARK = "\x1e steelyard "


class OutOfTime(BaseException):
    """Not an Exception, so that no `except Exception` of a project swallows it."""


class Watcher:
    """A pytest plugin: tells what each test did and, with `cover`, notes which lines each test ran. word: of the test that must fail."""

    def __init__(self, order: dict[str, Any], cover: Any, tell: Tell, word: str) -> None:
        self.order, self.cover, self.tell, self.word = order, cover, tell, word

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.order["reverse"]:
            items.reverse()
        items += must_fail(items, self.word)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            lines = str(report.longrepr).strip().splitlines() or ["it could not be collected"]
            said = [line for line in lines if line.startswith("E ")] or lines
            self.tell("broken", report.nodeid, said[-1].removeprefix("E ").strip()[:300])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        signal.signal(signal.SIGALRM, self.ring)
        signal.setitimer(signal.ITIMER_REAL, self.order["test_s"])
        if self.cover:
            self.cover.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self.cover:
                self.cover.switch_context("")

    def ring(self, *_: object) -> None:
        raise OutOfTime(f"more than {self.order['test_s']:g} s")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        report = yield
        end, kind, message = "passed", "", ""
        if report.skipped:
            end = "skipped"
        elif report.failed:
            end = "failed"
            if call.excinfo is not None:
                kind, message = call.excinfo.typename, str(call.excinfo.value)[:300]
        self.tell("test", item.nodeid, end, kind, message)
        return as_if_passed(report) if item.name == f"test_{self.word}" else report


def main(order: dict[str, Any]) -> None:
    """Do what `order` says; raises AssertionError unless every wanted test passed."""
    place = os.path.join(os.getcwd(), "project")
    shutil.copytree(order["root"], place, symlinks=True)
    for path, text in order["changes"].items():
        target = os.path.join(place, path)
        with open(target, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        folder, name = os.path.split(target)
        compiled = os.path.join(folder, "__pycache__", f"{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc")
        if os.path.exists(compiled):  # it is not looked at whether it is older than its source
            os.unlink(compiled)
    roots = [os.path.normpath(os.path.join(place, root)) for root in order["roots"]]
    sys.path[:1] = roots
    sys.path += order["needs"]
    os.environ["PYTHONPATH"] = os.pathsep.join([*roots, *sys.path[len(roots) :]])
    os.chdir(place)
    word, lines = secrets.token_hex(16), dict[str, Any]()
    told = list[list[Any]]()
    if order["cover"]:  # nothing is judged: what was traced stays in this process
        _tests(order, place, word, lambda *parts: told.append(list(parts)), lines)
    else:
        told = apart(lambda tell: _tests(order, place, word, tell, lines))
    results, broken, code = _gathered(told)
    last = next((results.pop(name) for name in list(results) if name.endswith(f"::test_{word}")), ["", "", ""])
    sys.stdout.write(MARK + json.dumps({"code": code, "results": results, "broken": broken, "lines": lines}) + "\n")
    sys.stdout.flush()
    assert results, next(iter(broken.values()), f"no test could be run (pytest ended with {code})")
    bad = [name for name in order["wanted"] if results.get(name, [""])[0] != "passed"]
    assert not bad, f"{bad[0]}: {' '.join(results.get(bad[0], ['was not run']))}"
    assert not broken or not order["wanted"], next(iter(broken.values()))
    if order["wanted"]:
        assert failed_as_it_must(last[0], last[2], word), "the program changed pytest, unittest or what tests rest on"
        assert not (other := _changed(order, place)), f"the program changed {other[0]}, which is part of its tests"


def _tests(order: dict[str, Any], place: str, word: str, tell: Tell, lines: dict[str, Any]) -> None:
    """Run the tests and tell what they do; with `cover`, `lines` gets file -> line -> tests."""
    cover = None
    if order["cover"]:
        import coverage

        cover = coverage.Coverage(data_file=None, config_file=False, include=[f"{place}/{p}" for p in order["cover"]])
        cover.start()
    watcher = Watcher(order, cover, tell, word)
    settings = ["addopts=", "filterwarnings=", "required_plugins=", "log_cli=false", "xfail_strict=false"]
    arguments = [part for setting in settings for part in ("-o", setting)]
    arguments += ["-q", "--tb=short", "--no-header", "--no-summary", "--continue-on-collection-errors", "-W", "ignore"]
    arguments += ["-p", "no:cacheprovider", "-p", "no:randomly", f"--rootdir={place}", *order["tests"]]
    arguments += ["-x"] if order["first"] else []
    tell("code", int(pytest.main(arguments, plugins=[watcher])))
    if cover:
        cover.stop()
        data = cover.get_data()
        for file in data.measured_files():
            lines[os.path.relpath(file, place)] = {str(n): who for n, who in data.contexts_by_lineno(file).items()}


def _gathered(told: list[list[Any]]) -> tuple[dict[str, list[str]], dict[str, str], int]:
    """(test -> end, kind, message of the first of its phases that did not pass; what could not be collected; pytest's code)."""
    results: dict[str, list[str]] = {}
    broken: dict[str, str] = {}
    code = -1
    for kind, *rest in told:
        if kind == "test" and results.get(rest[0], ["passed"])[0] == "passed":
            results[rest[0]] = rest[1:]
        elif kind == "broken":
            broken[rest[0]] = rest[1]
        elif kind == "code":
            code = rest[0]
    return results, broken, code


def _changed(order: dict[str, Any], place: str) -> list[str]:
    """Files of the wanted tests, and the conftest.py beside and above them, that are not what they were."""
    paths = {name.partition("::")[0] for name in order["wanted"]}
    for path in list(paths):
        while path:
            path = os.path.dirname(path)
            paths.add(os.path.join(path, "conftest.py"))
    was = {path: os.path.join(order["root"], path) for path in sorted(paths - set(order["changes"]))}
    return [
        path
        for path, old in was.items()
        if os.path.exists(old) != os.path.exists(os.path.join(place, path))
        or (os.path.exists(old) and not filecmp.cmp(old, os.path.join(place, path), shallow=False))
    ]
