"""Shared fixtures: the folder of published data, and tools a test needs."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

# how long an example takes is a matter of what else runs on the machine
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

ROOT = Path(__file__).resolve().parent.parent


def need(tool: str) -> None:
    """Skip the test where `tool` (a program on PATH or an importable module) is missing; fail instead when CI=true."""
    if shutil.which(tool) or importlib.util.find_spec(tool.replace("-", "_")):
        return
    lacking(f"{tool} is not installed (scripts/system-packages says what to install)")


def lacking(message: str) -> NoReturn:
    """Skip the test for want of something optional, saying what; fail instead when CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published data and reference cards beside the checkout."""
    folder = Path(os.environ.get("STEELYARD_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"published data are not here ({folder}); set STEELYARD_SHARED to the folder that holds them")
    return folder
