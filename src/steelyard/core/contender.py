"""What makes a class a contender: a name, an interface, a source, and options that are its dataclass fields."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from steelyard.core.errors import InputError, unknown
from steelyard.core.spec import Spec, Value

C = TypeVar("C", bound=type)


def contender(name: str, *, interface: str, source: str = "") -> Callable[[C], C]:
    """Name a frozen dataclass as a contender.

    interface: what it offers a benchmark (`kernel`, `generator`, `solver`, ...; see core.interfaces).
    source: where the method is published, to the section.
    """

    def mark(cls: C) -> C:
        if not dataclasses.is_dataclass(cls):
            raise TypeError(f"{cls.__name__} must be a dataclass: its fields are the options of {name!r}")
        cls.steelyard_name = name  # type: ignore[attr-defined]
        cls.interface = interface  # type: ignore[attr-defined]
        cls.source = source  # type: ignore[attr-defined]
        return cls

    return mark


def options_of(cls: type) -> dict[str, tuple[Any, Any]]:
    """Option name -> (type, default) of a dataclass; `dataclasses.MISSING` where there is no default."""
    hints = typing.get_type_hints(cls)
    return {
        f.name: (hints[f.name], f.default if f.default_factory is dataclasses.MISSING else f.default_factory())
        for f in dataclasses.fields(cls)
        if f.init
    }


def option_facts(cls: type) -> list[dict[str, Any]]:
    """The options of a dataclass as JSON data, in the form of a card's options."""
    rows = []
    for name, (kind, default) in options_of(cls).items():
        values = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
        shown = "" if default is dataclasses.MISSING else default
        about = "" if values else getattr(kind, "__name__", str(kind))
        rows.append({"name": name, "default": shown, "values": list(values), "help": about, "scope": "contender"})
    return rows


def build(cls: type, options: Mapping[str, Value], name: str) -> Any:
    """An instance of a dataclass from spec options, each checked against its field's type.

    Raises InputError naming the option, what it may be, and the nearest name when it is unknown.
    """
    fields = options_of(cls)
    given = {}
    for key, value in options.items():
        field = key.replace("-", "_")
        if field not in fields:
            raise unknown("option", key, fields, where=name)
        given[field] = _checked(value, fields[field][0], key, name)
    for key, (_, default) in fields.items():
        if default is dataclasses.MISSING and key not in given:
            raise InputError(f"{name} needs option {key!r}.", f"Write {name}[{key}=...].")
    return cls(**given)


def config_of(instance: Any) -> dict[str, Any]:
    """The options a contender really runs with, defaults included."""
    if not dataclasses.is_dataclass(instance):
        return {}
    return {f.name: getattr(instance, f.name) for f in dataclasses.fields(instance) if f.init}


def source_hash(*things: Any) -> str:
    """A hash over the files that define `things` (classes with their bases, functions, modules, instances), over files
    themselves (paths), and over texts.

    Of a compiled module it is the compiled file.
    """
    digest = hashlib.sha256()
    holders: list[Any] = []
    for thing in things:
        if isinstance(thing, str | Path):
            digest.update(thing.encode() if isinstance(thing, str) else thing.read_bytes())
            continue
        holder = thing if isinstance(thing, type | types.ModuleType | types.FunctionType) else type(thing)
        bases = holder.__mro__ if isinstance(holder, type) else (holder,)
        holders += [b for b in bases if getattr(b, "__module__", "") not in ("builtins", "typing", "abc")]
    for holder in holders:
        module = holder if isinstance(holder, types.ModuleType) else sys.modules.get(holder.__module__)
        path = getattr(module, "__file__", None)
        try:
            digest.update(_file_bytes(path) if path else inspect.getsource(holder).encode())
        except (OSError, TypeError):  # typed in by hand: nothing but the name is known
            digest.update(repr(holder).encode())
    return digest.hexdigest()[:16]


def _file_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def code_version(benchmark: str, version: str, spec: Spec, source: str) -> str:
    """Hash of what a number depends on: the benchmark and its version, the contender's source and its options."""
    return hashlib.sha256("\0".join([benchmark, version, str(spec), source]).encode()).hexdigest()[:16]


def _checked(value: Value, kind: Any, key: str, name: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        for choice in choices:
            if value == choice or (isinstance(choice, str) and str(value) == choice):
                return choice
        raise InputError(f"{name}: option {key!r} is {value!r}.", f"It may be {', '.join(map(repr, choices))}.")
    if origin in (typing.Union, types.UnionType):
        for inner in typing.get_args(kind):
            try:
                return _checked(value, inner, key, name)
            except InputError:
                continue
    elif kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif kind is str:
        return value if isinstance(value, str) else str(value)
    elif kind is bool or isinstance(value, bool):
        if kind is bool and isinstance(value, bool):
            return value
    elif isinstance(kind, type) and isinstance(value, kind):
        return value
    wanted = getattr(kind, "__name__", str(kind))
    raise InputError(f"{name}: option {key!r} is {value!r}.", f"It must be of type {wanted}.")
