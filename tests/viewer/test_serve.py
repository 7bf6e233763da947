"""The command: ports, places, Ctrl-C."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from steelyard.core.errors import InputError, MissingError
from steelyard.report.viewer.serve import address_of, bind, view
from tests.viewer.conftest import start, stop


def test_ctrl_c_stops_it_at_once_even_while_it_computes(pools: dict[str, Path]) -> None:
    made, address = start(pools["plain"], "--port", "0")
    assert httpx.get(address, timeout=60).status_code == 200
    slow = "SELECT+sum(a.range*b.range)+FROM+range(10000000)+a,+range(100000)+b"
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{address}sql.json?q={slow}&run=1", timeout=1.0)
    code, took = stop(made)
    assert code == 130
    assert took < 5.0


def test_a_pool_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "steelyard", "view", "--pool", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    assert f"there is no pool at {tmp_path / 'none'}" in done.stderr
    assert not (tmp_path / "none").exists()


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(MissingError, match=f"port {taken} on 127.0.0.1 cannot be used"):
            bind("127.0.0.1", taken)


def test_without_a_port_the_next_free_one_is_taken() -> None:
    with bind("127.0.0.1", None) as first, bind("127.0.0.1", None) as second:
        ports = [s.getsockname()[1] for s in (first, second)]
    assert ports[0] >= 8765
    assert ports[1] > ports[0]


def test_what_is_no_host_and_no_token() -> None:
    with pytest.raises(InputError, match="no address"):
        bind("no.such.host.invalid", 0)
    with pytest.raises(InputError, match="too short"):
        view(None, port=0, host="127.0.0.1", token="short", open_browser=False)


def test_a_wider_host_prints_a_token(pools: dict[str, Path]) -> None:
    made, address = start(pools["empty"], "--port", "0", "--host", "0.0.0.0")
    port = int(address.rpartition(":")[2].partition("/")[0])
    token = address.partition("?token=")[2]
    try:
        assert len(token) >= 32
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 401
        assert httpx.get(f"http://127.0.0.1:{port}/?token={token}", timeout=60).status_code == 303
    finally:
        stop(made)
    assert address_of("::1", 80, "") == "http://[::1]:80/"
