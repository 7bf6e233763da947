"""What a project needs to be imported and tested, as folders of wheels: nothing is built, so nothing of it runs here."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from steelyard.benchmarks.code.repositories import index
from steelyard.benchmarks.code.repositories.project import Project, pyproject
from steelyard.core.errors import InputError, MissingError

TOOLS = ("pytest", "coverage")
_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+")
_UNUSED = {"pytest", "pytest-cov", "pytest-xdist", "coverage", "tox", "nox", "pytest-randomly", "pytest-benchmark"}
_IMPORTED_AS = {
    "pyyaml": "yaml", "python-dateutil": "dateutil", "attrs": "attr", "beautifulsoup4": "bs4", "pillow": "PIL",
    "ruamel-yaml": "ruamel", "typing-extensions": "typing_extensions",
}  # fmt: skip


def tools() -> Path:
    """A folder with the pytest and the coverage of this interpreter and what they need, and nothing else of it.

    Raises MissingError where they are not installed.
    """
    found = list(_closure(TOOLS))
    key = hashlib.sha256(repr([(d.name, d.version) for d in found]).encode()).hexdigest()[:12]
    home = index.folder() / "tools" / f"{key}-{sys.version_info.major}.{sys.version_info.minor}"
    if not home.is_dir():
        with _made(home) as part:
            for distribution in found:
                for file in distribution.files or ():
                    if ".." not in file.parts:
                        target = part.joinpath(*file.parts)
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy2(str(file.locate()), target)
    return home


def _closure(names: Iterable[str]) -> Iterator[importlib.metadata.Distribution]:
    """The installed distributions of `names` and of all that they require."""
    from packaging.requirements import Requirement

    todo, seen = list(names), set()
    while todo:
        name = index.normalised(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise MissingError(
                f"{name} is not installed; tests of projects need it.", "pip install 'steelyard[code]'"
            ) from None
        yield found
        needs = [Requirement(text) for text in found.requires or ()]
        todo += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]


def equipped(project: Project, pinned: Sequence[str] | None = None) -> Project:
    """The project with a folder of what it needs: wheels of the index and its own metadata.

    pinned: exactly these (`name==version`), as a lock file has them; else what `requirements` finds.
    Raises InputError where they cannot be had.
    """
    wanted = list(pinned) if pinned is not None else requirements(project)
    if odd := [text for text in pinned or () if not _PIN.fullmatch(text)]:
        raise InputError(f"{project}: {odd[0]!r} pins no version.", "Write name==version.")
    key = hashlib.sha256("\n".join([str(project), *wanted, sys.version]).encode()).hexdigest()[:12]
    home = index.folder() / "needs" / f"{project.name}-{project.version}-{key}"
    if not home.is_dir():
        with _made(home) as part:
            if wanted:
                _install(wanted, part, project, alone=pinned is not None)
            _describe(project, part)
    return replace(project, needs=home)


def pins(project: Project) -> list[str]:
    """What its folder of needs holds, as `name==version`."""
    if project.needs is None:
        return []
    found = importlib.metadata.distributions(path=[str(project.needs)])
    named = {(index.normalised(d.metadata["Name"]), d.version) for d in found}
    return sorted(f"{name}=={version}" for name, version in named if name != project.name)


def _install(wanted: list[str], into: Path, project: Project, alone: bool) -> None:
    command = [*index.pip(), "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    command += ["--no-deps"] if alone else []
    done = subprocess.run([*command, "--target", str(into), *wanted], capture_output=True, text=True)
    if done.returncode:
        errors = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise InputError(f"what it needs cannot be had as wheels: {project}: {(errors or ['pip failed'])[0][:200]}.")


def _describe(project: Project, folder: Path) -> None:
    """Its metadata as if it were installed: projects ask for their own version."""
    info = folder / f"{project.name.replace('-', '_')}-{project.version or '0'}.dist-info"
    shutil.rmtree(info, ignore_errors=True)
    info.mkdir()
    pkg_info = project.root / "PKG-INFO"
    if pkg_info.is_file():
        shutil.copy(pkg_info, info / "METADATA")
    else:
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project.name}\nVersion: {project.version or '0'}\n"
        )
    for points in [
        *project.root.glob("*.egg-info/entry_points.txt"),
        *project.root.glob("src/*.egg-info/entry_points.txt"),
    ]:
        shutil.copy(points, info / "entry_points.txt")


def requirements(project: Project) -> list[str]:
    """What it requires to run, and of what it names for its tests only plugins of pytest and what the tests import."""
    from packaging.requirements import InvalidRequirement, Requirement

    imported = _imported(project)
    out = []
    for text, extra in _stated(project):
        try:
            need = Requirement(text.partition(" #")[0])
        except InvalidRequirement:
            continue
        if need.url or (need.marker is not None and not need.marker.evaluate({"extra": extra})):
            continue  # nothing is fetched from an address that a package names
        name = index.normalised(need.name)
        module = _IMPORTED_AS.get(name, name.replace("-", "_"))
        wanted = name not in _UNUSED and (name.startswith("pytest-") or module in imported)
        if (not extra or wanted) and name != project.name:
            need.marker = None
            out.append(str(need))
    return sorted(dict.fromkeys(out))


def _stated(project: Project) -> Iterator[tuple[str, str]]:
    """(requirement, extra): what the metadata say, else egg-info, else pyproject.toml; then what is named for developers."""
    facts = pyproject(project.root)
    said = project.metadata.get_all("Requires-Dist", [])
    eggs = [*project.root.glob("*.egg-info/requires.txt"), *project.root.glob("src/*.egg-info/requires.txt")]
    table = facts.get("project", {})
    if said:
        for text in map(str, said):
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", text)
            yield text, extra[1] if extra else ""
    elif eggs:
        yield from _of_egg(eggs[0].read_text("utf-8", "replace"))
    else:
        yield from ((text, "") for text in table.get("dependencies", []))
        yield from ((t, extra) for extra, texts in table.get("optional-dependencies", {}).items() for t in texts)
    for name, texts in facts.get("dependency-groups", {}).items():
        yield from ((text, name) for text in texts if isinstance(text, str))
    for path in project.root.rglob("*requirements*.txt"):
        yield from ((line.strip(), "development") for line in path.read_text("utf-8", "replace").splitlines())


def _of_egg(text: str) -> Iterator[tuple[str, str]]:
    """requires.txt: sections `[extra]`, `[:marker]` and `[extra:marker]`."""
    extra = marker = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            extra, _, marker = line.strip("[]").partition(":")
        else:
            yield f"{line}; {marker}" if marker else line, extra


def _imported(project: Project) -> set[str]:
    """The top-level modules that its tests and sources import."""
    found: set[str] = set()
    conftests = [p.relative_to(project.root).as_posix() for p in project.root.rglob("conftest.py")]
    for path in [*project.tests, *project.sources, *conftests]:
        try:
            tree = ast.parse(project.source(path))
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)


class _made:
    """A folder that appears whole or not at all."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> Path:
        self.home.parent.mkdir(parents=True, exist_ok=True)
        self.part = Path(tempfile.mkdtemp(prefix=f".{self.home.name}-", dir=self.home.parent))
        self.part.chmod(0o755)
        return self.part

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self.home.is_dir():
            try:
                os.rename(self.part, self.home)
            except OSError:  # another process was first
                pass
        shutil.rmtree(self.part, ignore_errors=True)
