"""One project: its unpacked files, which of them are packages and which are tests, and what its metadata says."""

from __future__ import annotations

import email.parser
import functools
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import Any

from steelyard.benchmarks.code.repositories import index
from steelyard.benchmarks.code.repositories.unpack import unpack
from steelyard.core.errors import InputError

_TEST_FILE = re.compile(r"(test_.*|.*_test|tests)\.py")
_NO_PACKAGE = {
    "test", "tests", "testing", "doc", "docs", "example", "examples", "build", "dist", "script", "scripts", "tool", "tools",
    "benchmark", "benchmarks", "bench", "ci", "sample", "samples", "demo", "demos", "tasks", "noxfile", "conftest", "setup",
}  # fmt: skip
_TESTS = {"test", "tests", "testing", "conftest"}
_BUILT = (".pyx", ".pxd", ".c", ".cc", ".cpp", ".rs", ".f90", ".f")


@dataclass(frozen=True)
class Project:
    """Files and facts of one source distribution (or of a folder of one's own).

    root: where it lies; nothing is ever written there. roots: folders below it that go on the import path ("" is the
    root itself). sources: its own modules; tests: its test files; both as paths below root. needs: the folder with
    what it depends on, None where that is nothing.
    """

    name: str
    root: Path
    version: str = ""
    sha256: str = ""
    uploaded: str = ""
    licence: str = ""
    roots: tuple[str, ...] = ("",)
    sources: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    needs: Path | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    def source(self, path: str) -> str:
        """The text of one of its files, exactly (no line end is changed)."""
        return _read(self.root / path)

    def module_of(self, path: str) -> str:
        """The dotted name under which a source file is imported."""
        root = next((r for r in sorted(self.roots, key=len, reverse=True) if r and path.startswith(f"{r}/")), "")
        parts = PurePosixPath(path.removeprefix(f"{root}/") if root else path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @functools.cached_property
    def metadata(self) -> Message:
        return metadata(self.root)


@functools.lru_cache(maxsize=512)
def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace")


def unpacked(release: index.Release) -> Project:
    """The project of a release: fetched, checked, unpacked and laid out; nothing of it has run, its needs are not here yet.

    Raises InputError where it is no pure Python project with tests, saying why; MissingError where it cannot be fetched.
    """
    root = index.folder() / "sources" / f"{release.name}-{release.version}-{release.sha256[:12]}"
    if not root.is_dir():
        unpack(index.fetch(release), root)
    project = laid_out(root, release.name)
    return replace(project, version=release.version, sha256=release.sha256, uploaded=release.uploaded.isoformat())


def laid_out(root: Path, name: str) -> Project:
    """The project in a folder. Raises InputError: no modules, no tests, or sources that would have to be built."""
    files = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*.py")) if p.is_file()]
    tops = _roots(root)
    own = [f for f in files if _is_source(f, tops)]
    tests = [f for f in files if _TEST_FILE.fullmatch(PurePosixPath(f).name) and "/fixtures/" not in f]
    own = [f for f in own if f not in tests]
    built = [p for p in root.rglob("*") if p.suffix in _BUILT and any(p.is_relative_to(root / t) for t in tops)]
    if not own:
        raise InputError(f"{name}: no package or module of its own was found.")
    if not tests:
        raise InputError(f"{name}: no test files come with it.")
    if built and not any(part in _NO_PACKAGE for part in built[0].relative_to(root).parts):
        raise InputError(f"{name}: {built[0].relative_to(root)} would have to be built.")
    return Project(name, root, licence=licence(metadata(root)), roots=tops, sources=tuple(own), tests=tuple(tests))


def _roots(root: Path) -> tuple[str, ...]:
    return ("src",) if (root / "src").is_dir() and any((root / "src").rglob("*.py")) else ("",)


def _is_source(path: str, roots: Sequence[str]) -> bool:
    """Whether a file is a module, or part of a package, directly below an import root."""
    for root in roots:
        if root and not path.startswith(f"{root}/"):
            continue
        names = [PurePosixPath(part).stem.lower() for part in PurePosixPath(path.removeprefix(f"{root}/")).parts]
        if names[0] not in _NO_PACKAGE and not names[0].startswith(".") and not set(names) & _TESTS:
            return True
    return False


def metadata(root: Path) -> Message:
    """PKG-INFO, or an empty message."""
    path = root / "PKG-INFO"
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    return email.parser.Parser().parsestr(text)


def pyproject(root: Path) -> dict[str, Any]:
    """pyproject.toml, {} where there is none that can be read."""
    try:
        return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def licence(facts: Message) -> str:
    """What the metadata says of the licence, "" where they are silent."""
    if said := facts.get("License-Expression"):
        return str(said)
    classes = [c.rpartition(" :: ")[2] for c in facts.get_all("Classifier", []) if c.startswith("License ::")]
    return ", ".join(classes) or str(facts.get("License", "")).strip().split("\n")[0][:80]
