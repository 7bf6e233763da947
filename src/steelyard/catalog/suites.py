"""Suites: several benchmarks under one name (suites.toml)."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def suites() -> dict[str, dict[str, Any]]:
    """Suite name -> {summary, runs: [{benchmark, contenders, trials?, limit?, where?}]}."""
    text = Path(__file__).with_name("suites.toml").read_text(encoding="utf-8")
    return {suite["name"]: suite for suite in tomllib.loads(text)["suites"]}


@cache
def papers() -> list[dict[str, Any]]:
    """The seventy systems: {row, system, arxiv, track, names}."""
    text = Path(__file__).with_name("papers.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["papers"])
