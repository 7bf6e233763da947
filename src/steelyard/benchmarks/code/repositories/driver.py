"""Runs inside the sandbox, in the process of one run: copies the project, changes it, runs its tests, tells what they did.

Standard library, pytest and coverage only; its text is sent in, it is never imported here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from typing import Any

import pytest

MARK = "\x1e steelyard "


class OutOfTime(BaseException):
    """Not an Exception, so that no `except Exception` of a project swallows it."""


class Watcher:
    """A pytest plugin: what each test did and, with `cover`, which lines each test ran."""

    def __init__(self, order: dict[str, Any], cover: Any) -> None:
        self.order, self.cover = order, cover
        self.results: dict[str, list[str]] = {}
        self.broken: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.order["reverse"]:
            items.reverse()

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            lines = str(report.longrepr).strip().splitlines() or ["it could not be collected"]
            said = [line for line in lines if line.startswith("E ")] or lines
            self.broken[report.nodeid] = said[-1].removeprefix("E ").strip()[:300]

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
        before = self.results.get(item.nodeid, ["passed", "", ""])
        if before[0] == "passed":
            self.results[item.nodeid] = [end, kind, message]
        return report


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
    cover = None
    if order["cover"]:
        import coverage

        cover = coverage.Coverage(data_file=None, config_file=False, include=[f"{place}/{p}" for p in order["cover"]])
        cover.start()
    watcher = Watcher(order, cover)
    settings = ["addopts=", "filterwarnings=", "required_plugins=", "log_cli=false", "xfail_strict=false"]
    arguments = [part for setting in settings for part in ("-o", setting)]
    arguments += ["-q", "--tb=short", "--no-header", "--no-summary", "--continue-on-collection-errors", "-W", "ignore"]
    arguments += ["-p", "no:cacheprovider", "-p", "no:randomly", f"--rootdir={place}", *order["tests"]]
    arguments += ["-x"] if order["first"] else []
    code = int(pytest.main(arguments, plugins=[watcher]))
    told: dict[str, Any] = {"code": code, "results": watcher.results, "broken": watcher.broken}
    if cover:
        cover.stop()
        data = cover.get_data()
        told["lines"] = {
            os.path.relpath(file, place): {str(n): who for n, who in data.contexts_by_lineno(file).items()}
            for file in data.measured_files()
        }
    sys.stdout.write(MARK + json.dumps(told) + "\n")
    sys.stdout.flush()
    assert watcher.results, next(iter(watcher.broken.values()), f"no test could be run (pytest ended with {code})")
    bad = [name for name in order["wanted"] if watcher.results.get(name, [""])[0] != "passed"]
    assert not bad, f"{bad[0]}: {' '.join(watcher.results.get(bad[0], ['was not run']))}"
    assert not watcher.broken or not order["wanted"], next(iter(watcher.broken.values()))
