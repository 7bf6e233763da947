"""`steelyard doctor`: each thing Steelyard uses, whether it is here, and the cure where it is not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from typing import Any

from steelyard.core.errors import SteelyardError

_EXTRAS = {
    "xllamacpp": ("models", "language models on this machine"),
    "torch": ("lab", "torch kernels and the lab"),
    "ray": ("ray", "--on ray"),
}


def checks() -> list[dict[str, str]]:
    """Rows of what, state (ok | missing | optional), detail, cure. `missing` is what the main job needs."""
    return [
        _python(),
        *_sandbox(),
        *_languages(),
        _native(),
        *_models(),
        *_libraries(),
        _counters(),
        _pool(),
        _machine(),
    ]


def _row(what: str, ok: bool, detail: str, cure: str = "", *, needed: bool = True) -> dict[str, str]:
    return {"what": what, "state": "ok" if ok else ("missing" if needed else "optional"), "detail": detail,
            "cure": "" if ok else cure}  # fmt: skip


def _python() -> dict[str, str]:
    import platform

    return _row("python", True, f"{platform.python_version()}, steelyard {importlib.metadata.version('steelyard')}")


def _sandbox() -> list[dict[str, str]]:
    from steelyard import sandbox

    return [_row(f"sandbox: {name}", ok, detail, cure) for name, ok, detail, cure in sandbox.health()]


def _languages() -> list[dict[str, str]]:
    from steelyard.sandbox import languages

    rows = []
    for name, why in sorted(languages.missing().items()):
        what, _, cure = why.partition("\n")
        rows.append(
            _row(f"programs in {name}", not why, what or "compiled, run and tested", cure.strip(), needed=False)
        )
    return rows


def _native() -> dict[str, str]:
    if importlib.util.find_spec("steelyard._native"):
        from steelyard import _native

        runs = [name for name, reason in _native.isas().items() if not reason]
        return _row("native kernels", True, f"built; this CPU runs {', '.join(runs)}")
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    cure = "pip install --force-reinstall --no-deps steelyard" if compiler else "install a C++20 compiler and reinstall"
    return _row("native kernels", False, "not built: softmax kernels other than torch, numpy, scipy", cure)


def _models() -> list[dict[str, str]]:
    from steelyard import llm

    rows = []
    for model in llm.list_models():
        detail = f"{model.title}, {model.bytes / 1e6:.0f} MB, {model.licence}"
        cure = f"steelyard models pull {model.name}" + ("" if model.free else " --accept-terms")
        rows.append(_row(f"model {model.name}", model.present(), detail, cure, needed=model.name == "smollm2"))
    return rows


def _libraries() -> list[dict[str, str]]:
    rows = []
    for module, (extra, use) in _EXTRAS.items():
        found = importlib.util.find_spec(module) is not None
        detail = f"{importlib.metadata.version(module) if found else 'not installed'}: {use}"
        rows.append(_row(module, found, detail, f"pip install 'steelyard[{extra}]'", needed=False))
    return rows


def _counters() -> dict[str, str]:
    from steelyard.probe import counts

    backend = counts.backend()
    return _row("instruction counts", bool(backend), backend or "neither perf_event nor valgrind",
                "install valgrind, or sysctl kernel.perf_event_paranoid=1", needed=False)  # fmt: skip


def _pool() -> dict[str, str]:
    from steelyard.pool import Pool, default_path

    try:
        with Pool():
            return _row("pool", True, default_path())
    except SteelyardError as error:
        return _row("pool", False, error.what, error.cure)


def _machine() -> dict[str, Any]:
    from steelyard.probe import machine

    return _row("machine", True, machine().describe())
