"""Every page over every kind of pool, and the numbers on them."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urlencode
from xml.etree import ElementTree

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from scipy.stats import kendalltau

from steelyard.catalog.suites import papers
from steelyard.report.viewer.app import PAGES, as_csv
from steelyard.report.viewer.queries import agreement
from tests.report import synthetic
from tests.viewer import making
from tests.viewer.conftest import settled

Plain = Callable[[str], Response]
VOID = {"meta", "br", "hr", "link", "img", "input"}


class Reader(HTMLParser):
    """Tags, the text that a person reads, and whether tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def addresses(benchmarks: list[str]) -> list[str]:
    return ["/", *PAGES, *(f"{page}?{urlencode({'b': name})}" for page in PAGES for name in benchmarks)]


# Pages of one benchmark: where nothing of it was measured, there is nothing to show.
ONE = {"/case", "/cases", "/compare"}
KINDS = {
    "plain": ["race", "problems", "cousin-1"], "hostile": [making.WEIRD], "failures": ["problems"], "empty": ["softmax"],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_answers_over_every_pool(clients: dict[str, TestClient], kind: str) -> None:
    for address in addresses(KINDS[kind]):
        answer = settled(clients[kind], address)
        page = address.partition("?")[0]
        missing = {"/paper", "/case"} if kind != "empty" else {"/paper", *ONE} if "?" in address else {"/paper"}
        assert answer.status_code == (404 if page in missing else 200), address
        read = Reader(answer.text)
        assert read.open == [], address
        ids = Counter(a["id"] for _, a in read.tags if a.get("id"))
        assert max(ids.values()) == 1, address
        assert "Traceback" not in read.text
        assert " nan" not in read.text.lower().replace("nan.", ""), address


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["json", "csv"])
def test_every_page_has_its_numbers_behind_it(clients: dict[str, TestClient], kind: str, ending: str) -> None:
    for page in PAGES:
        answer = clients[kind].get(f"{page}.{ending}")
        assert answer.status_code in (200, 404), page
        if answer.status_code == 200 and ending == "json":
            assert isinstance(json.loads(answer.text), dict)
        if answer.status_code == 404:
            assert answer.json()["error"]


def test_hostile_text_stays_text(clients: dict[str, TestClient]) -> None:
    web = clients["hostile"]
    where = urlencode({"b": making.WEIRD})
    case = urlencode({"b": making.WEIRD, "case": making.HOSTILE_CASE})
    for address in (
        "/",
        f"/board?{where}",
        f"/cases?{where}",
        f"/case?{case}",
        f"/failures?{where}",
        "/runs",
        f"/compare?{where}",
    ):
        answer = settled(web, address)
        assert answer.status_code == 200, address
        read = Reader(answer.text)
        scripts = [a for tag, a in read.tags if tag == "script"]
        assert [a.get("src") for a in scripts] == ["/static/viewer.js"], address
        assert not [tag for tag, _ in read.tags if tag in ("img", "iframe", "object", "style")], address
        for tag, attributes in read.tags:
            assert not [a for a in attributes if a.startswith("on") or a == "style"], (address, tag)
            assert (attributes.get("href") or "/").startswith(("/", "#")), address
            assert not (attributes.get("href") or "/").startswith("//"), address
        assert "\u202e" not in answer.text, address
    opened = settled(web, f"/case?{case}")
    assert making.SCRIPT in Reader(opened.text).text
    assert "280000 more characters" in opened.text.replace(str(making.HUGE + len(making.SCRIPT) - 20_000), "280000")
    assert len(opened.text) < 400_000  # 300 000 characters of output were kept
    assert "there is no artifact" in opened.text


def test_an_artifact_is_plain_text_to_be_saved(clients: dict[str, TestClient]) -> None:
    answer = clients["hostile"].get(f"/case.json?{urlencode({'b': making.WEIRD, 'case': making.HOSTILE_CASE})}")
    kept = json.loads(answer.json()["cells"][0]["artifacts"])
    found = clients["hostile"].get(f"/artifact/{kept['output']}")
    assert found.text == making.SCRIPT + making.MARKUP + making.BIDI
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["content-disposition"].startswith("attachment")
    assert clients["hostile"].get("/artifact/" + "0" * 64).status_code == 404
    assert clients["hostile"].get("/artifact/..%2f..%2fetc%2fpasswd").status_code == 404


def test_the_front_page_has_all_seventy(plain: Plain) -> None:
    rows = plain("/papers.json").json()["papers"]
    assert sorted(r["row"] for r in rows) == list(range(1, 71))
    assert len(papers()) == 70
    text = Reader(plain("/?sort=row").text).text
    assert "Two-Pass Softmax" in text
    assert "not weighable yet" in text
    assert [r["row"] for r in plain("/papers.json?q=2001.04438").json()["papers"]] == [23]
    kernels = plain("/papers.json?track=kernels").json()["papers"]
    assert {r["row"] for r in kernels} == {6, 19, 23, 60}
    settled_first = [r["holds"] + r["fails"] for r in plain("/papers.json").json()["papers"]]
    assert settled_first == sorted(settled_first, reverse=True)


def test_verdicts_are_those_of_the_ledger(plain: Plain) -> None:
    claims = plain("/ledger.json").json()["claims"]
    front = plain("/papers.json").json()["papers"]
    for verdict in ("holds", "fails", "undecided", "out of reach"):
        assert sum(r["verdict"] == verdict for r in claims) == sum(p[verdict] for p in front)
    one = plain("/ledger.json?card=softmax&verdict=out+of+reach").json()["claims"]
    assert {(r["card"], r["verdict"]) for r in one} == {("softmax", "out of reach")}


def test_a_leaderboard_shows_the_shares_of_the_pool(plain: Plain) -> None:
    passed: Counter[str] = Counter()
    for row in synthetic.problems():
        if row.metric == "pass_at_1" and row.status == "ok" and row.case != "problem/3":
            passed[row.contender] += int(row.value)
    text = Reader(plain("/board?b=problems").text).text
    for who in ("smollm2", "replay:gpt-x"):
        assert f"{100 * passed[who] / 79:.1f} % [" in text
    assert "1 case is left out" in text
    tiers = plain("/board.json?b=problems").json()["tiers"]
    assert {t["contender"] for t in tiers if t["tier"] == 1} >= {"gpt-x+self-debug[turns=3]"}
    assert next(t for t in tiers if t["contender"] == "smollm2")["tier"] > 1


def test_other_ways_to_rank(plain: Plain) -> None:
    tiers = plain("/board.json?b=problems&method=mean-win-rate").json()["tiers"]
    assert tiers[0]["contender"] == "gpt-x+self-debug[turns=3]"
    assert tiers[-1]["contender"] == "smollm2"
    assert plain("/board?b=problems&method=tossing-a-coin").status_code == 400


def test_filters_are_part_of_the_address(plain: Plain) -> None:
    rows = plain(
        "/board.json?"
        + urlencode({"b": "race", "where": "bytes > 1000000", "with": ["torch", "two-pass[isa=avx512]"]}, doseq=True)
    ).json()
    assert {r["name"] for r in rows["contenders"]} == {"torch", "two-pass[isa=avx512]"}
    assert all("4 cases" in r["n"] or "3 cases" in r["n"] for r in rows["contenders"])
    assert plain("/board?b=race&where=bytes+%3E").status_code == 400
    assert plain("/board?b=race&metric=beauty").status_code == 404
    assert plain("/board?b=rase").status_code == 404
    assert plain("/board?b=race&with=nobody").status_code == 404
    assert plain("/cases?b=race&page=x").status_code == 400
    assert plain("/cases?b=race&page=999").status_code == 200
    assert plain("/nowhere").status_code == 404


def test_several_benchmarks_are_ranked_together(plain: Plain) -> None:
    tiers = plain("/board.json?b=cousin-1&b=problems").json()["tiers"]
    assert len(tiers) == 5  # the cousins have no card, so no better and worse: only `problems` is ranked
    text = Reader(plain("/board?b=cousin-1&b=problems").text).text
    assert "Left out, for want of numbers that can be ranked: cousin-1" in text


def test_a_comparison_counts_wins_and_losses(plain: Plain) -> None:
    values: dict[str, dict[str, float]] = {}
    for row in synthetic.problems():
        if row.metric == "pass_at_1" and row.status == "ok" and row.case != "problem/3":
            values.setdefault(row.contender, {})[row.case] = row.value
    a, c = values["gemma3"], values["smollm2"]
    both = a.keys() & c.keys()
    wins, losses = sum(c[k] > a[k] for k in both), sum(c[k] < a[k] for k in both)
    text = Reader(plain("/compare?b=problems&a=gemma3&c=smollm2").text).text
    assert (
        f"On {len(both)} shared cases smollm2 is better on {wins} , worse on {losses} , equal on {len(both) - wins - losses}"
        in text
    )
    assert plain("/compare?b=problems&a=gemma3&c=gemma3").status_code == 400


def test_agreement_is_kendalls_tau_b() -> None:
    rng = np.random.default_rng(3)
    boards = [{f"m{i}": float(rng.integers(0, 6)) for i in range(8 - k)} for k in range(3)]
    tau, n = agreement(boards)
    shared = [f"m{i}" for i in range(6)]
    expected = kendalltau([boards[0][m] for m in shared], [boards[2][m] for m in shared]).statistic
    assert tau[0, 2] == pytest.approx(expected)
    assert n[0, 2] == 6
    assert np.isnan(agreement([{"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0}])[0][0, 1])  # two are too few


def test_agreement_of_the_same_order_is_one(plain: Plain) -> None:
    # Every kernel of `race` stands nowhere else; problems and race share no contender.
    pairs = {(p["a"], p["b"]): p for p in plain("/agreement.json").json()["pairs"]}
    assert pairs[("problems", "race")] == {
        "a": "problems", "b": "race", "tau_b": None, "n": 0, "low": None, "high": None,
    }  # fmt: skip


def test_charts_are_whole_svg_files(plain: Plain) -> None:
    for address in ("/pareto.svg?b=problems", "/profiles.svg?b=race", "/board.svg?b=race"):
        answer = plain(address)
        assert answer.status_code == 200, answer.text
        root = ElementTree.fromstring(answer.content)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in answer.text
    assert plain("/sql.svg").status_code == 404


def test_csv_keeps_formulas_from_running(clients: dict[str, TestClient]) -> None:
    assert as_csv([{"who": "=cmd()", "x": -1.5}, {"who": "+1", "x": float("nan")}]) == "who,x\n'=cmd(),-1.5\n'+1,\n"
    answer = clients["hostile"].get(f"/board.csv?{urlencode({'b': making.WEIRD})}")
    assert {r["name"][:2] for r in csv.DictReader(io.StringIO(answer.text))} >= {"'="}


def test_sql_reads_the_pool_and_nothing_else(plain: Plain) -> None:
    count = len(list(synthetic.race()))
    asked = {"q": "SELECT count(*) AS n FROM measurements WHERE benchmark = 'race'", "run": "1"}
    assert plain(f"/sql.json?{urlencode(asked)}").json()["rows"] == [{"n": count}]
    for bad in (
        "DROP VIEW latest",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT 1; SELECT 2",
        "COPY measurements TO 'x'",
        "SELEC",
    ):
        answer = plain(f"/sql.csv?{urlencode({'q': bad, 'run': '1'})}")
        assert answer.status_code == 400, bad
        assert "root:" not in answer.text
        shown = plain(f"/sql?{urlencode({'q': bad, 'run': '1'})}")
        assert "Refused" in shown.text


def test_failures_tell_why(plain: Plain, clients: dict[str, TestClient]) -> None:
    text = Reader(plain("/failures?b=problems").text).text
    assert "the answer took longer than 300 s" in text
    assert "problem/3" in text
    assert "9 failed cells" in Reader(settled(clients["failures"], "/failures?b=problems").text).text
