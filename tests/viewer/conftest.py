"""Clients over pools of each kind, and a browser on a real server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from steelyard.pool import Pool
from steelyard.report.viewer.app import make_app
from tests.conftest import ROOT, need
from tests.viewer import making

Get = Callable[..., Response]


def client(path: Path) -> TestClient:
    return TestClient(make_app(str(path)), base_url="http://127.0.0.1:8765", follow_redirects=False)


@pytest.fixture(scope="session")
def pools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """plain, hostile, failures, empty."""
    folder = tmp_path_factory.mktemp("viewer")
    Pool(folder / "empty").close()
    return {
        "plain": making.fill(folder / "plain"), "hostile": making.fill_hostile(folder / "hostile"),
        "failures": making.fill_failures(folder / "failures"), "empty": folder / "empty",
    }  # fmt: skip


@pytest.fixture(scope="session")
def clients(pools: dict[str, Path]) -> dict[str, TestClient]:
    return {name: client(path) for name, path in pools.items()}


def settled(web: TestClient, address: str) -> Response:
    """The page once everything on it is computed."""
    for _ in range(400):
        answer = web.get(address)
        if answer.headers.get("x-pending", "0") == "0":
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{address} is still being computed")


@pytest.fixture(scope="session")
def plain(clients: dict[str, TestClient]) -> Callable[[str], Response]:
    return lambda address: settled(clients["plain"], address)


def start(pool: Path, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """`steelyard view` in a process of its own, and where it says it is."""
    command = [sys.executable, "-m", "steelyard", "view", "--pool", str(pool), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    made = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    line = made.stdout.readline() if made.stdout else ""
    found = re.search(r"http://\S+", line)
    assert found, line + (made.stderr.read() if made.stderr else "")
    return made, found[0]


def stop(made: subprocess.Popen[str]) -> tuple[int, float]:
    """Ctrl-C; the exit code and how long it took (s)."""
    began = time.monotonic()
    made.send_signal(signal.SIGINT)
    code = made.wait(timeout=20)
    for pipe in (made.stdout, made.stderr):
        if pipe:
            pipe.close()
    return code, time.monotonic() - began


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium with a profile of its own."""
    need("chromium")
    need("chromedriver")
    need("selenium")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    flags = (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-dev-shm-usage", "force-prefers-reduced-motion", "window-size=1280,1000",
    )  # fmt: skip
    for flag in (*flags, f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    import shutil

    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()
