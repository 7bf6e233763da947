"""Following a ledger: what changed since a moment, as a table, a feed and a mail that a real server on loopback takes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from steelyard import catalog
from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Measurement
from steelyard.pool import Pool
from steelyard.report.changes import changes, moment
from steelyard.report.digest import digest, server_of
from steelyard.report.feed import ATOM, atom
from tests.conftest import need

FIRST, SECOND = 1_790_000_000.0, 1_790_086_400.0  # a day apart
CARD = """
name = "quiz"
kind = "benchmark"
title = "Quiz"
summary = "Questions."
track = "reasoning"
interface = "generator"
entry = "none:none"
[[metrics]]
name = "score"
primary = true
"""
CLAIM = """
[[claims]]
id = "{id}"
says = "{says}"
source = "section 2"
metric = "score"
statistic = "difference"
contender = "{contender}"
baseline = "base"
expect = "contender - baseline > 0.1"
scale = "as published"
"""
HOSTILE = "Mine is better <script>alert(1)</script>\\u202e & by far."


def answers(who: str, value: float, when: float, run: str) -> list[Measurement]:
    return [
        Measurement("quiz", "1", f"q{i}", who, "score", value + (i % 2) * 0.01, started_at=when, run=run)
        for i in range(40)
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A pool in which mine led by 0.4, and a day later, measured again, by nothing; third appears on the second day."""
    folder = tmp_path_factory.mktemp("following")
    (folder / "cards").mkdir()
    claims = [
        ("mine-leads", HOSTILE, "mine"),
        ("third-leads", "Third leads.", "third"),
        ("other-leads", "No.", "other"),
    ]
    text = CARD + "".join(CLAIM.format(id=i, says=s, contender=c) for i, s, c in claims)
    (folder / "cards" / "card.toml").write_text(text)
    with Pool(folder / "pool") as pool:
        pool.append([*answers("mine", 0.9, FIRST, "monday"), *answers("base", 0.5, FIRST, "monday")])
        pool.append([*answers("mine", 0.5, SECOND, "tuesday"), *answers("third", 0.8, SECOND, "tuesday")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "_folders", lambda: iter([folder / "cards"]))
        catalog.entries.cache_clear()
        yield folder
    catalog.entries.cache_clear()


@pytest.fixture
def pool(place: Path) -> Pool:
    return Pool(place / "pool", readonly=True)


@pytest.fixture
def changed(pool: Pool) -> list[dict[str, Any]]:
    return changes(pool, moment(pool, "tuesday", SECOND))[0]


def test_a_pool_is_read_as_it_was(place: Path) -> None:
    then = Pool(place / "pool", until=FIRST + 1)
    assert then.query("SELECT count(*) FROM measurements").column(0).to_pylist() == [80]
    assert then.frame("quiz", contender="third").num_rows == 0
    with pytest.raises(InputError, match="read only"):
        then.append(answers("mine", 1.0, SECOND, "x"))


def test_moments_are_dates_spans_and_runs(pool: Pool) -> None:
    assert moment(pool, "2026-09-21T14:13:20", SECOND) == FIRST  # date -u -d @1790000000
    assert moment(pool, "2d", SECOND) == SECOND - 2 * 86400
    assert FIRST < moment(pool, "tuesday", SECOND) < SECOND
    with pytest.raises(InputError, match="no date, no span and no run"):
        moment(pool, "yesterday", SECOND)


def test_verdicts_that_changed_with_the_reason(changed: list[dict[str, Any]]) -> None:
    found = {row["claim"]: (row["before"], row["after"]) for row in changed}
    assert found == {"mine-leads": ("holds", "fails"), "third-leads": ("not measured", "holds")}
    row = next(row for row in changed if row["claim"] == "mine-leads")
    assert row["value_before"] == pytest.approx(0.4)
    assert row["value"] == pytest.approx(0.0)
    assert row["why"] == "80 new measurements on quiz (mine, third)"
    assert row["when"] == SECOND


def test_nothing_new_nothing_changed_and_nothing_judged(pool: Pool) -> None:
    assert changes(pool, SECOND + 1) == ([], [])


def test_following_a_contender_or_a_benchmark(pool: Pool) -> None:
    since = FIRST + 1
    assert [r["claim"] for r in changes(pool, since, ["third"])[0]] == ["third-leads"]
    assert len(changes(pool, since, ["quiz"])[0]) == 2
    assert changes(pool, since, ["53"]) == ([], [])  # a paper of the seventy that this pool knows nothing of
    with pytest.raises(InputError, match="Did you mean third"):
        changes(pool, since, ["thrid"])


def test_the_feed_is_atom(changed: list[dict[str, Any]]) -> None:
    text = atom(changed, title="Ledger", home="https://example.org/feed.atom", updated=FIRST)
    feed = ElementTree.fromstring(text.encode())
    at = {"a": ATOM}

    def said(node: ElementTree.Element, tag: str) -> str:
        [child] = node.findall(f"a:{tag}", at)
        return child.text or ""

    # RFC 4287, 4.1.1 and 4.1.2: exactly one id, title and updated each; an author; a self link
    assert feed.tag == f"{{{ATOM}}}feed"
    assert (said(feed, "title"), said(feed, "id")) == ("Ledger", "https://example.org/feed.atom")
    assert feed.find("a:author/a:name", at) is not None
    assert [(link.get("rel"), link.get("href")) for link in feed.findall("a:link", at)] == [("self", said(feed, "id"))]
    entries = feed.findall("a:entry", at)
    assert {said(e, "title") for e in entries} == {
        "quiz/mine-leads: holds -> fails", "quiz/third-leads: not measured -> holds"
    }  # fmt: skip
    assert len({said(e, "id") for e in entries}) == 2
    for node in (feed, *entries):
        assert datetime.fromisoformat(said(node, "updated")).timestamp() == SECOND
    hostile = next(said(e, "summary") for e in entries if "Mine is better" in said(e, "summary"))
    assert "<script>alert(1)</script>" in hostile  # as text
    assert "\\u202e" in hostile  # spelled out: it can turn no words round
    assert "<script>" not in text
    assert text == atom(changed, title="Ledger", home="https://example.org/feed.atom", updated=SECOND)  # stable


def test_a_feed_without_changes_is_whole_too() -> None:
    feed = ElementTree.fromstring(atom([], title="L", home="urn:x", updated=FIRST).encode())
    assert feed.findtext(f"{{{ATOM}}}updated") == "2026-09-21T14:13:20Z"


def test_the_viewer_serves_the_feed(place: Path) -> None:
    from starlette.testclient import TestClient

    from steelyard.report.viewer.app import make_app

    client = TestClient(make_app(str(place / "pool")), base_url="http://127.0.0.1:8765")
    answer = client.get("/feed.atom?follow=quiz&token=secret")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/atom+xml")
    feed = ElementTree.fromstring(answer.content)
    assert feed.findtext(f"{{{ATOM}}}id") == "http://127.0.0.1:8765/feed.atom?follow=quiz"  # no token in it
    assert client.get("/feed.atom?follow=nobody").status_code == 400


class Box:
    """What the mail server took."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


@pytest.fixture
def post() -> Iterator[tuple[Box, str]]:
    need("aiosmtpd")
    from aiosmtpd.controller import Controller

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Box()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"127.0.0.1:{port}"
    controller.stop()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("STEELYARD_SMTP", "STEELYARD_SMTP_SECURITY", "STEELYARD_SMTP_USER", "STEELYARD_FROM"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def ask(place: Path, **given: Any) -> str:
    asked = {"to": "reader@example.org", "sender": "", "follow": [], "since": "", "smtp": "", "security": "none", "user": "",
             "dry_run": None, "pool": str(place / "pool")}  # fmt: skip
    return digest(**{**asked, **given})


def test_a_digest_reaches_a_real_server_once(place: Path, post: tuple[Box, str], state: Path) -> None:
    box, address = post
    assert ask(place, smtp=address, since="tuesday", follow=["quiz"]) == "sent 2 changed verdicts to reader@example.org"
    [(sender, to, content)] = box.mails
    assert (sender, to) == ("reader@example.org", ["reader@example.org"])
    mail = cast(EmailMessage, message_from_bytes(content, policy=policy.default))
    assert mail["Subject"] == "steelyard: 2 verdicts changed"
    text, page = (cast(EmailMessage, mail.get_body((kind,))).get_content() for kind in ("plain", "html"))
    assert "quiz/mine-leads" in text
    assert "holds -> fails" in text
    assert "80 new measurements on quiz (mine, third)" in text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    # The reader was told: without --since the next digest finds nothing new.
    assert ask(place, smtp=address, follow=["quiz"]) == "no verdict changed; no mail was sent"
    assert len(box.mails) == 1


def test_a_server_that_is_not_there_loses_nothing(place: Path, post: tuple[Box, str], state: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(MissingError, match="mail server 127"):
        ask(place, smtp=closed, since="tuesday")
    assert not (state / "state").exists()  # nobody was told, so nothing counts as told
    box, address = post
    ask(place, smtp=address, since="tuesday")
    assert len(box.mails) == 1


def test_dry_run_writes_the_mail_and_needs_no_server(place: Path, state: Path) -> None:
    out = state / "digest.eml"
    assert "nothing was sent" in ask(place, dry_run=out, since="tuesday", follow=["third"])
    mail = cast(EmailMessage, message_from_bytes(out.read_bytes(), policy=policy.default))
    assert mail["Subject"] == "steelyard: 1 verdict changed"
    assert mail.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"to": "nobody", "dry_run": Path("x.eml")}, "no mail address"),
        ({"to": "a@b.c\nBcc: d@e.f", "dry_run": Path("x.eml")}, "no mail address"),
        ({}, "no mail server is named"),
        ({"smtp": "host:many"}, "Write HOST or HOST:PORT"),
        ({"smtp": "host", "security": "tsl"}, "Did you mean ssl"),
        ({"smtp": "host", "follow": ["nothing-at-all"]}, "unknown paper, benchmark or contender"),
    ],
)
def test_bad_settings_say_what_to_do(place: Path, state: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        ask(place, **{"since": "tuesday", **given})
    assert words in str(caught.value)


def test_settings_from_the_environment(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEELYARD_SMTP", "mail.example.org")
    monkeypatch.setenv("STEELYARD_SMTP_USER", "me")
    monkeypatch.setenv("STEELYARD_SMTP_PASSWORD", "secret")
    server = server_of("", "", "")
    assert (server.host, server.port, server.security, server.user) == ("mail.example.org", 587, "starttls", "me")
    assert server_of("other:2525", "ssl", "").port == 2525


def test_the_command_answers_on_a_real_pool(tmp_path: Path) -> None:
    environment = {**os.environ, "STEELYARD_POOL": str(tmp_path / "pool")}
    with Pool(tmp_path / "pool") as pool:
        pool.append(answers("mine", 0.9, FIRST, "monday"))
    command = [sys.executable, "-m", "steelyard", "papers", "--since", "2026-01-01", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["changes"] == []
    assert [m["benchmark"] for m in told["measured"]] == ["quiz"]
