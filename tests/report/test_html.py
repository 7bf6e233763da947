"""The report as a browser and a reader meet it: nothing is loaded, nothing runs, and the numbers are those of the pool."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from steelyard.core.errors import InputError
from steelyard.pool import Pool
from steelyard.report.html import build_page, write_report
from steelyard.report.sections import Section, gather, only
from tests.report import synthetic

VOID = {"meta", "br", "hr", "link", "img", "input"}


class Reader(HTMLParser):
    """Every tag with its attributes, the text that a person reads, and whether tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.style = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    return Reader(page)


def test_the_page_loads_nothing_and_runs_nothing(read: Reader, page: str) -> None:
    names = Counter(tag for tag, _ in read.tags)
    assert not names.keys() & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "image",
        "use",
        "style",
    } - {"style"}
    assert names["style"] == 1
    for tag, attributes in read.tags:
        assert not [a for a in attributes if a.startswith("on") or a in ("src", "style", "srcset", "xlink:href")], tag
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\(|@import|@font-face", read.style)
    assert len(page) < 5_000_000


def test_the_policy_allows_this_style_and_nothing_else(read: Reader) -> None:
    policy = next(
        a["content"] for tag, a in read.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_page_is_well_formed_and_its_links_lead_somewhere(read: Reader) -> None:
    assert read.open == []
    ids = Counter(a["id"] for _, a in read.tags if "id" in a)
    assert max(ids.values()) == 1
    assert {a["href"][1:] for tag, a in read.tags if tag == "a" and a["href"]} <= ids.keys()
    assert all(a.get("scope") in ("row", "col") for tag, a in read.tags if tag == "th")
    assert all(a.get("aria-label") or a.get("aria-hidden") for tag, a in read.tags if tag == "svg")
    headings = [int(tag[1]) for tag, _ in read.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(headings))


def test_hostile_text_is_shown_as_text(read: Reader, page: str) -> None:
    assert synthetic.HOSTILE in read.text  # a contender's name
    assert f"no code block in the answer{synthetic.SCRIPT}" in read.text  # an error
    assert r"\u202e gpj.exe \u0007" in read.text  # turned text and a bell, spelled out
    assert "\u202e" not in page
    assert "<script" not in page.lower()
    labels = [a["aria-label"] for tag, a in read.tags if tag == "svg" and a.get("aria-label")]
    assert any(synthetic.HOSTILE in label for label in labels)


def test_shares_are_those_of_the_pool(read: Reader) -> None:
    passed: Counter[str] = Counter()
    for row in synthetic.problems():
        if row.metric == "pass_at_1" and row.status == "ok" and row.case != "problem/3":
            passed[row.contender] += int(row.value)
    for name in ("smollm2", "gpt-x+self-debug[turns=3]", "replay:gpt-x"):
        assert f"{name}: {passed[name]} of 79 cases" in [a.get("aria-label") for tag, a in read.tags if tag == "svg"]
        p, n, z = passed[name] / 79, 79, 1.959964  # Wilson 1927
        centre, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        low, high = (100 * (centre + s * half) / (1 + z * z / n) for s in (-1, 1))
        assert f"{100 * p:.1f} % [{low:.1f}, {high:.1f}] n = 79 cases" in read.text


def test_ratios_are_those_of_the_medians(read: Reader) -> None:
    times: dict[tuple[str, str], list[float]] = {}
    for row in synthetic.race():
        if row.metric == "time":
            times.setdefault((row.contender, row.case), []).append(row.value)
    cases = sorted({case for _, case in times})
    logs = {who: np.mean([np.log(np.median(times[who, case])) for case in cases]) for who, _ in times}
    for who in ("two-pass[isa=avx512]", "torch"):
        ratio = np.exp(logs[who] - logs["three-pass-reload[isa=avx512]"])
        assert f"{ratio:.2f}× [" in read.text


def test_failures_exclusions_and_provenance_are_told(read: Reader) -> None:
    assert "86 failed cells" in read.text
    assert "79 slowpoke timeout the answer took longer than 300 s" in read.text
    assert "no number: all 79 cells failed" in read.text
    assert "problem/3 its own reference does not pass: pass_at_1 is 0" in read.text
    assert "replay:gpt-x published" in read.text
    assert "Nothing was measured on untouched yet." in read.text


def test_the_ledger_stands_on_the_page(read: Reader) -> None:
    for words in ("✓ holds 1", "✕ fails 1", "≈ undecided 1", "○ out of reach 1"):
        assert words in read.text
    assert "1.41 [1.36, 1.47] typical case 1.20 [1.17, 1.24]" in read.text
    assert "about 40 more" in read.text
    assert "needs an AMD Zen 2 processor" in read.text


def test_no_number_is_shown_as_nan_or_none(read: Reader) -> None:
    assert not re.search(r"\b(nan|None|inf)\b", read.text)


def test_commands_measure_it_again(read: Reader) -> None:
    commands = [t for t in read.texts if t.startswith("steelyard ")]
    assert "steelyard claims race --pool /pools/mine" in commands
    run = next(c for c in commands if c.startswith("steelyard run race"))
    assert "--with 'two-pass[isa=avx512]'" in run
    assert "--trials 30" in run


def page_of(section: Section) -> str:
    return Reader(build_page([section], [], written=0.0, pool="p")).text


def test_an_empty_pool_says_so() -> None:
    text = Reader(build_page([], [], written=0.0, pool="p")).text
    assert "The pool holds no measurements." in text
    assert "No claim was judged" in text


def test_one_contender_is_not_ranked(sections: list[Section]) -> None:
    race = sections[0]
    alone = dataclasses.replace(race, metrics=[only(race.metrics[0], contenders=["torch"])])
    assert "A ranking needs two contenders with numbers; there is one." in page_of(alone)


def test_all_failed_is_a_page_of_failures(sections: list[Section]) -> None:
    problems = sections[1]
    lost = dataclasses.replace(problems, metrics=[only(problems.metrics[0], contenders=["slowpoke"])])
    text = page_of(lost)
    assert "there is none" in text
    assert "79 slowpoke timeout" in text


def test_metrics_stand_in_the_cards_order_then_costs_whatever_the_hashes(place: Path, tmp_path: Path) -> None:
    names = ["pass_at_1", "response_time", "wall_time", "output_tokens", "input_tokens", "model_calls"]
    with Pool(tmp_path / "pool") as pool:
        for name in names[::-1]:
            pool.append([synthetic._row("problems", "p0", "alpha", name, 1.0)])
        pool.flush()
        assert [scores.metric.name for scores in gather(pool, "problems").metrics] == names


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_infinite_value_is_explained(sections: list[Section]) -> None:
    scores = only(sections[1].metrics[0], contenders=["smollm2", "replay:gpt-x"])
    values = scores.values.copy()
    values[0, 0, 0] = np.inf
    text = page_of(dataclasses.replace(sections[1], metrics=[dataclasses.replace(scores, values=values)]))
    assert "infinite" in text
    assert "replay:gpt-x" in text


def test_write_report_reads_the_pool_and_judges(place: Path, tmp_path: Path) -> None:
    out = write_report(["race"], tmp_path / "new" / "race.html", pool=str(place / "pool"))
    text = Reader(out.read_text(encoding="utf-8")).text
    assert out == tmp_path / "new" / "race.html"
    assert "two-pass-is-faster" in text
    assert "library-is-slower" in text  # a claim of a contender that was weighed
    assert "✓ holds 1" in text  # beyond the cache the synthetic two-pass takes 0.71 of the time: 1/0.71 = 1.41 >= 1.28


def test_write_report_names_what_is_wrong(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown benchmark 'rase'"):
        write_report(["rase"], tmp_path / "x.html", pool=str(place / "pool"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(["untouched"], tmp_path / "file" / "x.html", pool=str(place / "pool"))
