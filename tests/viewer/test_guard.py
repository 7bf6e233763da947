"""Who may ask: host names, tokens, other sites; and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from steelyard.report.viewer.app import make_app
from steelyard.report.viewer.guard import Guard, host_of, is_loopback

TOKEN = "correct horse battery"


@pytest.fixture(scope="module")
def locked(pools: dict[str, Path]) -> TestClient:
    app = make_app(str(pools["empty"]), host="0.0.0.0", token=TOKEN)
    return TestClient(app, base_url="http://127.0.0.1:8765", follow_redirects=False)


def test_every_answer_carries_the_policy(clients: dict[str, TestClient]) -> None:
    for address in ("/", "/static/viewer.js", "/nowhere", "/runs.json", "/artifact/x", "/stamp"):
        headers = clients["empty"].get(address).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8765", "evil.example:8765", "", "192.168.1.7"]
)
def test_another_name_is_refused(clients: dict[str, TestClient], host: str) -> None:
    assert clients["empty"].get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8765", "LOCALHOST:1"])
def test_loopback_names_are_known(clients: dict[str, TestClient], host: str) -> None:
    assert clients["empty"].get("/stamp", headers={"host": host}).status_code == 200


def test_another_site_may_link_here_and_nothing_else(clients: dict[str, TestClient]) -> None:
    web = clients["plain"]
    other = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert web.get("/sql?q=SELECT+1&run=1", headers=other).status_code == 403
    linked = web.get("/sql?q=SELECT+41000%2B1234&run=1", headers=other | {"sec-fetch-mode": "navigate"})
    assert linked.status_code == 200
    assert "42234" not in linked.text  # shown, not asked
    assert "42234" in web.get("/sql?q=SELECT+41000%2B1234&run=1", headers={"sec-fetch-site": "same-origin"}).text


def test_a_wider_host_asks_for_the_token(locked: TestClient) -> None:
    for address in ("/", "/runs", "/runs.json", "/stamp", "/artifact/x", "/?token=wrong", "/nowhere"):
        answer = locked.get(address)
        assert answer.status_code == 401, address
        assert (
            "stamp" not in answer.json() if address == "/stamp" and "json" in answer.headers["content-type"] else True
        )
        assert "no measurements" not in answer.text
    assert locked.get("/runs.json", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert locked.get("/", headers={"authorization": "Bearer x"}).status_code == 401
    assert locked.get("/", headers={"host": "192.168.1.7:8765"}).status_code == 401  # known, but locked
    assert locked.get("/", headers={"host": "evil.example"}).status_code == 421


def test_the_token_becomes_a_strict_cookie_and_leaves_the_address(locked: TestClient) -> None:
    answer = locked.get("/board?b=x%2Fy&token=" + TOKEN.replace(" ", "+"))
    assert answer.status_code == 303
    assert answer.headers["location"] == "/board?b=x%2Fy"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    pair = cookie.partition(";")[0]
    assert locked.get("/runs", headers={"cookie": pair}).status_code == 200
    assert locked.get("/runs", headers={"cookie": pair[:-1] + "0"}).status_code in (200, 401)
    assert locked.get("/runs", headers={"cookie": pair.partition("=")[0] + "=" + "0" * 64}).status_code == 401
    away = locked.get("//evil.example/?token=" + TOKEN.replace(" ", "+"))
    assert not away.headers.get("location", "/").startswith("//")


def test_the_token_can_be_typed(locked: TestClient) -> None:
    assert locked.post("/enter", data={"token": "wrong"}).status_code == 401
    answer = locked.post("/enter", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_hosts_are_read_as_browsers_write_them() -> None:
    assert [host_of(h) for h in ("A.b:80", "[::1]:8765", "10.0.0.1", "[fe80::1]")] == [
        "a.b",
        "::1",
        "10.0.0.1",
        "fe80::1",
    ]
    assert [is_loopback(h) for h in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "0.0.0.0", "example.org")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


def test_a_guard_compares_whole_tokens() -> None:
    async def nothing(scope: object, receive: object, send: object) -> None: ...

    guard = Guard(nothing, "0.0.0.0", "abcdefgh")
    assert guard.fits("abcdefgh")
    assert not any(guard.fits(t) for t in ("", "abcdefg", "abcdefghi", "é"))
