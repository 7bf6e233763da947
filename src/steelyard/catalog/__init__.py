"""Finds cards, ours and other packages', without importing what they describe."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard.core.errors import InputError, MissingError, not_installed, unknown

if TYPE_CHECKING:
    from steelyard.core.card import Card
    from steelyard.core.spec import Spec

ENTRY_POINTS = "steelyard.cards"


@dataclass(frozen=True)
class Entry:
    """A card and the file it was read from. Its head is read at once, the rest when it is asked for.

    head: the fields before the first table, as they stand there.
    """

    head: Mapping[str, Any]
    path: Path

    @property
    def name(self) -> str:
        return str(self.head["name"])

    @property
    def kind(self) -> str:
        return str(self.head["kind"])

    @property
    def interface(self) -> str:
        return str(self.head["interface"])

    @cached_property
    def card(self) -> Card:
        """The card without its claims. Raises InputError naming file, line and field."""
        return _reader()(self.path, claims=False)

    def full(self) -> Card:
        """The card with its claims."""
        return _reader()(self.path)

    def facts(self) -> Mapping[str, Any]:
        """The card with its claims as JSON data; a contender's options are the fields of its class.

        Kept in the user's cache until a file changes that it was made from: to check a card and to import a class take
        many times as long as all else that `show` does. Raises InputError as `full` does.
        """
        import platformdirs

        kept = platformdirs.user_cache_path("steelyard") / "cards" / f"{self.name}.json"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            stored = json.loads(kept.read_text(encoding="utf-8"))
            if str(self.path) in stored["files"] and _states(stored["files"]) == stored["files"]:
                return dict(stored["card"])
        card = self.full().model_dump(mode="json")
        files = {str(self.path), str(Path(__file__).parents[1] / "core" / "card.py")}
        if self.kind == "contender" and not card["options"]:
            try:
                cls = self.load()
            except MissingError:  # the rest is worth showing without the library
                return card
            from steelyard.core.contender import option_facts

            card["options"] = option_facts(cls)
            files |= {found for c in cls.__mro__ if (found := getattr(sys.modules[c.__module__], "__file__", None))}
        with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
            kept.parent.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps({"files": _states(files), "card": card}), encoding="utf-8")
            fresh.replace(kept)
        return card

    def load(self) -> Any:
        """Import what the card describes.

        Raises MissingError when a library is not installed, InputError when the entry names nothing.
        """
        module, _, attribute = self.card.entry.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("steelyard"):
                raise InputError(f"{self.path}: entry {self.card.entry!r} cannot be imported: {error}.") from error
            raise not_installed(self.name, error.name or "") from error
        except AttributeError as error:
            raise InputError(f"{self.path}: entry {self.card.entry!r} names nothing in that module.") from error


def _states(files: Iterable[str]) -> dict[str, int]:
    return {file: os.stat(file).st_mtime_ns for file in sorted(files)}


def _reader() -> Callable[..., Card]:
    from steelyard.core.card import read_card  # with pydantic a third of the time that `list` takes

    return read_card


def _head(path: Path) -> Mapping[str, Any]:
    """The fields before the first table; where they make no head, the InputError of reading the whole card."""
    try:
        head = tomllib.loads(path.read_text(encoding="utf-8").partition("\n[")[0])
        if all(isinstance(head[name], str) for name in ("name", "kind", "interface", "title", "summary")):
            return head
    except (OSError, ValueError, KeyError):
        pass
    return _reader()(path, claims=False).model_dump()


@cache
def entries() -> dict[str, Entry]:
    """Every card by name. A name that two cards claim is an InputError naming both files."""
    found: dict[str, Entry] = {}
    for folder in _folders():
        for path in sorted(folder.rglob("*.toml")):
            entry = Entry(_head(path), path)
            if entry.name in found:
                raise InputError(f"two cards are named {entry.name!r}.", f"{found[entry.name].path}\n{path}")
            found[entry.name] = entry
    return found


def benchmarks() -> list[Entry]:
    return [e for e in entries().values() if e.kind == "benchmark"]


def contenders(interface: str = "") -> list[Entry]:
    return [e for e in entries().values() if e.kind == "contender" and interface in ("", e.interface)]


def benchmark(name: str) -> Entry:
    """The benchmark of that name; InputError with near names when there is none."""
    known = {e.name: e for e in benchmarks()}
    if name not in known:
        raise unknown("benchmark", name, known)
    return known[name]


def find(name: str) -> Entry:
    if name not in entries():
        raise unknown("name", name, entries())
    return entries()[name]


def make_contender(spec: Spec, interface: str) -> Any:
    """The contender a spec names: from a card, or from the user's own `file.py:name` or `module:name`.

    `family:name` is a member of a card whose class can make one: `named(name)` gives its dataclass.
    """
    from steelyard.core.contender import build
    from steelyard.core.interfaces import Replay

    name = spec.name
    if name in entries() and entries()[name].kind == "contender":
        entry = entries()[name]
        if entry.interface != interface and name != "gold":  # every benchmark may tell of its own references
            raise InputError(f"{name} offers {entry.interface!r}; this benchmark needs {interface!r}.")
        return build(entry.load(), spec.options, name)
    if name.startswith("replay:"):
        return Replay(name.removeprefix("replay:"), dict(spec.options))
    family, _, member = name.partition(":")
    if member and family in entries() and entries()[family].interface == interface:
        return build(entries()[family].load().named(member), spec.options, name)
    if ":" in name:
        return _own(spec)
    raise unknown("contender", name, [e.name for e in contenders(interface)])


def _own(spec: Spec) -> Any:
    from steelyard.core.contender import build

    where, _, attribute = spec.name.rpartition(":")
    try:
        if where.endswith(".py"):
            path = Path(where).resolve()
            module_name = f"steelyard_user_{path.stem}"
            loader = importlib.util.spec_from_file_location(module_name, path)
            if loader is None or loader.loader is None or not path.is_file():
                raise InputError(f"{where} is not a Python file here.", "Give a path to a .py file and a name in it.")
            module = importlib.util.module_from_spec(loader)
            sys.modules[module_name] = module
            loader.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
        thing = getattr(module, attribute)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise InputError(f"{spec.name!r} cannot be loaded: {error}.", "Write path/to/file.py:name.") from error
    if isinstance(thing, type):
        return build(thing, spec.options, spec.name)
    if spec.options:
        raise InputError(f"{spec.name} is a plain function: it has no options.", "Make it a dataclass to give it some.")
    return thing


def _folders() -> Iterator[Path]:
    """Our own folders, then those of packages with an entry point in the group `steelyard.cards`."""
    home = Path(__file__).resolve().parent.parent
    yield home / "benchmarks"
    yield home / "contenders"
    if not _is_extended():
        return
    from importlib.metadata import entry_points

    for point in entry_points(group=ENTRY_POINTS):
        top, _, rest = point.value.partition(".")
        package = importlib.util.find_spec(top)  # the top package only: its submodules are not imported
        for place in (package.submodule_search_locations or []) if package else []:
            yield Path(place, *rest.split(".")) if rest else Path(place)


def _is_extended() -> bool:
    """Whether an installed package speaks of our entry points: asking the library for them takes a sixth of `list`."""
    written = (file for place in sys.path for file in Path(place).glob("*.*-info/entry_points.txt"))
    return any(f"[{ENTRY_POINTS}]" in file.read_text(encoding="utf-8", errors="replace") for file in written)
