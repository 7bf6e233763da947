"""C, C++, Go, JavaScript, Rust, shell and TypeScript: how each is compiled, run and tested; one protocol for all.

Tests stand in files of their own. Where a language has a test framework at hand (Go, Rust), it is used. Elsewhere the tests print
lines that begin with the word TOKEN, which stands in their source and is replaced by a random one for each run:

    TOKEN ok NAME            TOKEN not ok NAME: what went wrong            TOKEN done COUNT

Only a program that came to `done`, told as many tests as it says, and ended with exit code 0 has passed: leaving early is no
success, and a line that a program prints itself is no report. Go's and Rust's frameworks know no such word: there a last test, or what
is called behind all tests, has it, so that a run that did not come to its end is no success either. What remains: program and tests
share a process, and native code that looks for the random word in its own memory or file finds it.
"""

from __future__ import annotations

import functools
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...core.errors import InputError, MissingError
from ..jail import bubblewrap
from ..outcome import GIB, MIB, CommandResult, Limits, Verdict
from ..pool import Sandbox
from ..sharing import isolation, shared
from .tests import TestResult, TestRun, verdict_of

COMPILE = Limits(wall_s=60.0, processes=256, file_bytes=512 * MIB, tmp_bytes=GIB, open_files=1024)
RUN = Limits(wall_s=10.0, processes=128, memory_bytes=2 * GIB)
TOKEN = "TOKEN"
Files = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Build:
    """What came of compiling: files to run (path -> contents), or why there are none (`message`, `limit` as in CommandResult)."""

    ok: bool
    files: Mapping[str, bytes] = field(default_factory=dict)
    message: str = ""
    limit: str = ""


@dataclass(frozen=True)
class Language:
    """One language. A program begins in its `main` file, tests in their `tests` file (C, C++ and Go: wherever its rules say).

    suffixes: of its sources. tools: programs it needs, and how to get them. build, test_build: shell commands that make the file
    `made` from `{sources}`, all sources there are; "": nothing to make. start, test_start: how a program, and how tests, are run.
    reads: the tests' report -> results, and whether it is whole. closed: the tests with what says the word of the run when all have
    run. outside: folders of tools that are not below /usr.
    """

    name: str
    suffixes: tuple[str, ...]
    tools: tuple[str, ...]
    cure: str
    start: tuple[str, ...]
    test_start: tuple[str, ...]
    reads: Callable[[CommandResult, str], tuple[list[TestResult], bool]]
    build: str = ""
    test_build: str = ""
    made: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    closed: Callable[[Files, str], Files] = lambda tests, token: tests
    outside: Callable[[], tuple[Path, ...]] = tuple

    def missing(self) -> str:
        """Why programs cannot be judged here, or ""."""
        try:
            if isolation() == "bubblewrap":
                bubblewrap()
            lacking = [tool for tool in self.tools if not shutil.which(tool)]
            if lacking:
                raise MissingError(f"{', '.join(lacking)} is not installed.", self.cure)
            self.outside()
        except MissingError as error:
            return str(error)
        return ""

    def compile(self, files: Files, limits: Limits = COMPILE) -> Build:
        """Compile a program; the same sources are compiled once. Raises MissingError where the tools are not here."""
        built = _built(self.name, tuple(sorted(files.items())), limits)
        if built.limit:  # it may come to another end the next time
            _built.cache_clear()
        return built

    def run(self, built: Build, stdin: str = "", limits: Limits = RUN) -> CommandResult:
        """Run a compiled program. Raises InputError for one that did not compile."""
        if not built.ok:
            raise InputError(f"the program does not compile: {built.message[:500]}")
        return self._command(self.start, built.files, stdin.encode(), limits)

    def test(self, program: Files, tests: Files, limits: Limits = RUN) -> TestRun:
        """The tests on a program; where both name a file, the tests' stands. Raises MissingError as `compile`."""
        token = secrets.token_hex(16)
        held = self.closed({path: re.sub(rf"\b{TOKEN}\b", token, text) for path, text in tests.items()}, token)
        built = _make(self, {**program, **held}, True, COMPILE)
        if not built.ok:
            verdict = {"timeout": Verdict.TIMEOUT, "memory": Verdict.MEMORY}.get(built.limit, Verdict.SYNTAX)
            return TestRun(verdict, message=built.message)
        done = self._command(self.test_start, built.files, b"", replace(limits, output_bytes=1 << 20))
        results, whole = self.reads(done, token)
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        return TestRun(
            _verdict(done, results, whole), tuple(results), stdout=out, stderr=err, message=err.strip()[-500:]
        )

    def _command(
        self, argv: Sequence[str], files: Mapping[str, bytes], stdin: bytes, limits: Limits, collect: Sequence[str] = ()
    ) -> CommandResult:
        if why := self.missing():
            raise MissingError(f"{self.name} cannot be judged here: {why}")
        outside = self.outside()
        sandbox = _wider(os.getpid(), isolation(), outside) if outside else shared()
        path = ":".join([*(f"{folder}/bin" for folder in outside), "/usr/local/bin:/usr/bin:/bin"])
        return sandbox.command(argv, files, stdin, limits, "work", {"PATH": path, **self.env}, collect)


def _verdict(done: CommandResult, results: Sequence[TestResult], whole: bool) -> Verdict:
    if done.limit:
        return Verdict.TIMEOUT if done.limit == "timeout" else Verdict.MEMORY
    verdict = verdict_of(results)
    if done.signal is not None:
        return Verdict.CRASHED
    if verdict not in (Verdict.PASSED, Verdict.NO_TESTS):
        return verdict
    if not whole:
        return Verdict.EARLY_EXIT if done.ok else Verdict.EXCEPTION
    return verdict if done.ok else Verdict.EXCEPTION


@functools.lru_cache(maxsize=8)
def _wider(pid: int, isolation: str, outside: tuple[Path, ...]) -> Sandbox:
    """A sandbox that shows toolchains from outside /usr, read-only."""
    return Sandbox(isolation, readable=outside)


@functools.lru_cache(maxsize=256)
def _built(name: str, files: tuple[tuple[str, str], ...], limits: Limits) -> Build:
    return _make(LANGUAGES[name], dict(files), False, limits)


def _make(language: Language, files: Files, tests: bool, limits: Limits) -> Build:
    command = language.test_build if tests else language.build
    if not command:
        return Build(True, {path: text.encode("utf-8", "replace") for path, text in files.items()})
    sources = " ".join(shlex.quote(path) for path in files if path.endswith(language.suffixes))
    held = {path: text.encode("utf-8", "replace") for path, text in files.items()}
    command = command.replace("{sources}", sources)
    done = language._command(["sh", "-c", command], held, b"", limits, collect=[language.made])
    if not done.ok or language.made not in done.files:
        said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        return Build(False, message=said[-5000:] or f"the compiler ended with {done.exit_code}", limit=done.limit)
    kept = {
        path: blob for path, blob in held.items() if not path.endswith(language.suffixes)
    }  # data that programs read
    return Build(True, {**kept, **done.files})


def _by_token(done: CommandResult, token: str) -> tuple[list[TestResult], bool]:
    results: list[TestResult] = []
    count = -1
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        _, mark, told = line.partition(token + " ")
        if not mark:
            continue
        if told.startswith("ok "):
            results.append(TestResult(told[3:], Verdict.PASSED))
        elif told.startswith("not ok "):
            name, _, message = told[7:].partition(": ")
            results.append(TestResult(name, Verdict.ASSERTION, message))
        elif told.startswith("done ") and told[5:].isdigit():
            count = int(told[5:])
    return results, count == len(results)


def _go_report(done: CommandResult, token: str) -> tuple[list[TestResult], bool]:
    """The lines of `go test -json`: one event each (`go doc test2json`)."""
    results: list[TestResult] = []
    printed: dict[str, str] = {}
    whole = said = False
    kinds = {"pass": Verdict.PASSED, "fail": Verdict.ASSERTION, "skip": Verdict.SKIPPED}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        name, action = event.get("Test", ""), event.get("Action")
        if action == "output":
            said = said or token in event.get("Output", "")
            printed[name] = printed.get(name, "") + event.get("Output", "")
        elif action in kinds and name:
            panicked = "panic: " in printed.get(name, "")
            verdict = Verdict.EXCEPTION if panicked else kinds[action]
            message = "" if action == "pass" else printed.get(name, "").strip()[-1000:]
            results.append(TestResult(name, verdict, message, float(event.get("Elapsed", 0.0))))
        elif action in kinds:
            whole = True
    return [one for one in results if token not in one.name], whole and said


def _go_closed(tests: Files, token: str) -> Files:
    """A TestMain that says the word when all tests have run; where the tests have their own, a last test that does."""
    code = "\n".join(tests.values())
    package = re.search(r"^package (\w+)", code, re.MULTILINE)
    if re.search(r"^func TestMain\(", code, re.MULTILINE):
        imports, body = '"testing"', f"func Test_{token}(t *testing.T) {{}}"
    else:
        imports, body = (
            '"os"; "testing"',
            f'func TestMain(m *testing.M) {{ code := m.Run(); os.Stdout.WriteString("{token}\\n"); os.Exit(code) }}',
        )
    return {
        **tests,
        "zz_closed_test.go": f"package {package[1] if package else 'main'}\n\nimport ({imports})\n\n{body}\n",
    }


_RUST = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)", re.MULTILINE)


def _rust_report(done: CommandResult, token: str) -> tuple[list[TestResult], bool]:
    text = done.stdout.decode("utf-8", "replace")
    kinds = {"ok": Verdict.PASSED, "FAILED": Verdict.ASSERTION, "ignored": Verdict.SKIPPED}
    said = dict(re.findall(r"^---- (\S+) stdout ----\n(.*?)(?=^----|^failures:|\Z)", text, re.MULTILINE | re.DOTALL))
    found = [TestResult(name, kinds[kind], said.get(name, "").strip()[:1000]) for name, kind in _RUST.findall(text)]
    ended = re.search(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", text, re.MULTILINE)
    whole = ended is not None and sum(map(int, ended.groups())) == len(found)
    return [one for one in found if token not in one.name], whole and any(token in one.name for one in found)


def _rust_closed(tests: Files, token: str) -> Files:
    """With a test whose name, the last in the order in which they are run, has the word."""
    return {
        path: f"{text}\n#[test]\nfn zzzz_{token}() {{}}\n" if path == "tests.rs" else text
        for path, text in tests.items()
    }


@functools.cache
def _rust_home() -> tuple[Path, ...]:
    """The tool chain of rustc where it is not below /usr. Raises MissingError."""
    said = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, timeout=60)
    if said.returncode:
        raise MissingError(f"rustc does not answer: {said.stderr.strip()[:300]}", "rustup default stable")
    home = Path(said.stdout.strip())
    return () if home.is_relative_to("/usr") else (home,)


_GO = {
    "GOCACHE": "/tmp/.go",
    "GOPATH": "/tmp/.gopath",
    "GOPROXY": "off",
    "GOFLAGS": "-mod=mod",
    "CGO_ENABLED": "0",
}
_MOD = "[ -f go.mod ] || printf 'module program\\n\\ngo 1.18\\n' > go.mod"
_TSC = "tsc --strict --target es2020 --module commonjs --lib es2020,dom --rootDir . --outDir out {sources} && tar -cf out.tar out"
_APT = "Debian and Ubuntu: apt install "
_C = "gcc -std=c17 -O2 -o program {sources} -lm -pthread"
_CPP = "g++ -std=c++20 -O2 -o program {sources} -pthread"
_TEST2JSON = ("go", "tool", "test2json", "./program", "-test.v")

LANGUAGES = {
    one.name: one
    for one in (
        Language("c", (".c",), ("gcc",), _APT + "gcc", ("./program",), ("./program",), _by_token, _C, _C, "program"),
        Language(
            "cpp", (".cpp", ".cc"), ("g++",), _APT + "g++", ("./program",), ("./program",), _by_token, _CPP, _CPP, "program"
        ),
        Language(
            "go", (".go",), ("go",), _APT + "golang-go", ("./program",), _TEST2JSON, _go_report,
            f"{_MOD}; go build -o program .", f"{_MOD}; go test -c -vet=off -o program .", "program", _GO, _go_closed,
        ),
        Language(
            "javascript", (".js",), ("node",), _APT + "nodejs", ("node", "main.js"), ("node", "tests.js"), _by_token
        ),
        Language(
            "rust", (".rs",), ("rustc", "cc"), "https://rustup.rs, or " + _APT + "rustc gcc", ("./program",),
            ("./program", "--test-threads=1"), _rust_report, "rustc --edition 2021 -O -o program main.rs",
            "rustc --edition 2021 --test -o program tests.rs", "program", closed=_rust_closed, outside=_rust_home,
        ),
        Language("shell", (".sh",), ("bash",), _APT + "bash", ("bash", "main.sh"), ("bash", "tests.sh"), _by_token),
        Language(
            "typescript", (".ts",), ("tsc", "node"), _APT + "nodejs node-typescript", ("sh", "-c", "tar -xf out.tar && exec node out/main.js"),
            ("sh", "-c", "tar -xf out.tar && exec node out/tests.js"), _by_token, _TSC, _TSC, "out.tar",
        ),
    )
}  # fmt: skip
