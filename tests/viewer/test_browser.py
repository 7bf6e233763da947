"""In a real browser: clicks, keys, a page that follows a run, and hostile text that does nothing."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from steelyard.core.words import Measurement
from steelyard.pool import Pool
from tests.viewer import making
from tests.viewer.conftest import start, stop


@pytest.fixture(scope="module")
def live(browser: Any, pools: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server over a copy of the plain pool, which a test may add to."""
    place = tmp_path_factory.mktemp("live") / "pool"
    shutil.copytree(pools["plain"], place)
    made, address = start(place, "--port", "0")
    yield address, place
    stop(made)


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if found := what():
                return found
        except Exception:  # the page is just being replaced
            pass
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def text(browser: Any) -> str:
    return str(browser.execute_script("return document.getElementById('main').innerText"))


def opened(browser: Any, address: str) -> None:
    """Go there and wait until everything is computed."""
    browser.get(address)
    until(lambda: browser.execute_script("return document.body.dataset.pending") == "0", 120)


def complaints(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_clicking_from_the_front_page_to_an_output(browser: Any, live: tuple[str, Path]) -> None:
    from selenium.webdriver.common.by import By

    opened(browser, live[0])
    box = browser.find_element(By.NAME, "q")
    box.send_keys("softmax")
    until(lambda: "BiBench" not in text(browser))  # filtered while typing
    assert "Two-Pass Softmax" in text(browser)
    box.submit()
    until(lambda: "q=softmax" in browser.current_url)
    browser.find_element(By.LINK_TEXT, "Leaderboards").click()
    until(lambda: browser.find_element(By.LINK_TEXT, "problems")).click()
    until(lambda: "Self-invoking problems" in text(browser))
    browser.find_element(By.LINK_TEXT, "cases").click()
    until(lambda: browser.find_element(By.LINK_TEXT, "problem/1")).click()
    until(lambda: "What each contender did" in text(browser))
    assert making.SCRIPT in browser.execute_script(
        "return document.querySelector('.artifact').closest('main').textContent"
    )
    assert browser.title.startswith("problem/1")
    assert complaints(browser) == []


def test_a_choice_in_a_list_becomes_an_address(browser: Any, live: tuple[str, Path]) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    opened(browser, f"{live[0]}compare?b=race")
    Select(browser.find_element(By.NAME, "b")).select_by_value("problems")
    until(lambda: browser.current_url.endswith("/compare?b=problems"))
    Select(browser.find_element(By.NAME, "c")).select_by_value("smollm2")
    browser.find_element(By.CSS_SELECTOR, "form.controls button").click()
    until(lambda: "c=smollm2" in browser.current_url)
    assert "where=" not in browser.current_url  # what is empty stays out
    assert "smollm2 against" in text(browser)


def test_new_rows_appear_without_reload(browser: Any, live: tuple[str, Path]) -> None:
    opened(browser, f"{live[0]}runs")
    browser.execute_script("window.same = true")
    with Pool(live[1]) as pool:
        pool.append(
            [
                Measurement("fresh", "1", f"c{i}", "newcomer", "score", 1.0, run="just-now", started_at=time.time())
                for i in range(3)
            ]
        )
        until(lambda: "just-now" in text(browser))  # read from the journal: the run still goes on
    until(lambda: "new numbers" in browser.execute_script("return document.getElementById('news').textContent"))
    assert browser.execute_script("return window.same") is True


def test_following_can_be_stopped(browser: Any, live: tuple[str, Path]) -> None:
    from selenium.webdriver.common.by import By

    opened(browser, f"{live[0]}runs")
    button = browser.find_element(By.ID, "follow")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    with Pool(live[1]) as pool:
        pool.append([Measurement("fresh", "1", "c9", "newcomer", "score", 1.0, run="unseen", started_at=time.time())])
    time.sleep(3)
    assert "unseen" not in text(browser)
    button.click()
    until(lambda: "unseen" in text(browser))


def test_the_keyboard_goes_everywhere(browser: Any, live: tuple[str, Path]) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened(browser, f"{live[0]}board?b=problems")
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    first = browser.switch_to.active_element
    assert first.get_attribute("class") == "skip"
    assert first.location["x"] >= 0  # it shows when focused
    first.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#main")
    outline = browser.execute_script(
        "const a = document.querySelector('nav a'); a.focus({focusVisible: true}); return getComputedStyle(a).outlineStyle"
    )
    assert outline == "solid"


def test_pages_are_labelled_for_those_who_listen(browser: Any, live: tuple[str, Path]) -> None:
    case = urlencode({"b": "problems", "case": "problem/1"})
    for page in (
        "",
        "board?b=problems",
        "cases?b=problems",
        f"case?{case}",
        "compare?b=race",
        "agreement",
        "sql",
        "runs",
        "ledger",
    ):
        opened(browser, live[0] + page)
        found = browser.execute_script("""
            const named = (n) => n.labels?.length || n.ariaLabel || n.textContent.trim() || n.type === 'hidden';
            return {
              fields: [...document.querySelectorAll('input,select,textarea,button')].filter((n) => !named(n)).map((n) => n.outerHTML),
              heads: [...document.querySelectorAll('th:not([scope])')].length,
              drawings: [...document.querySelectorAll('svg:not([aria-label]):not([aria-hidden])')].length,
              marks: ['header', 'nav', 'main', 'footer', '[aria-live]', '.skip'].filter((s) => !document.querySelector(s)),
              levels: [...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1])),
              wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
            }""")
        assert (found["fields"], found["heads"], found["drawings"], found["marks"]) == ([], 0, 0, []), page
        assert found["levels"][0] == 1, page
        assert all(b <= a + 1 for a, b in zip(found["levels"], found["levels"][1:], strict=False)), page
        assert found["wide"] <= 0, page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_whole_and_readable(browser: Any, live: tuple[str, Path], scheme: str) -> None:
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    try:
        for page in (
            "",
            "board?b=problems",
            "cases?b=problems",
            "compare?b=race",
            "agreement",
            "sql",
            "failures?b=problems",
            "pareto?b=problems",
        ):
            opened(browser, live[0] + page)
            wide = browser.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, page
            faint = browser.execute_script(CONTRAST)
            assert faint == [], page
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


# WCAG 2.1, 1.4.3: relative luminance of text against what lies behind it, 4.5 to 1 at least (3 to 1 for large text).
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
const light = (c) => [0, 1, 2].map((i) => c[i] / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (n) => { for (; n; n = n.parentElement) { const c = rgb(getComputedStyle(n).backgroundColor); if (c[3] === 255) return c; } return rgb('white'); };
const out = [];
for (const n of document.querySelectorAll('main *, nav *, footer *')) {
  if (![...n.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim()) || n.closest('svg, option')) continue;
  const style = getComputedStyle(n), box = n.getBoundingClientRect();
  if (!box.width || style.visibility === 'hidden') continue;
  const [a, b] = [light(rgb(style.color)), light(behind(n))].sort((x, y) => y - x);
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < (large ? 3 : 4.5)) out.push(`${n.tagName}.${n.className} ${ratio.toFixed(2)} ${n.textContent.trim().slice(0, 30)}`);
}
return out.slice(0, 5);
"""


def test_hostile_text_does_nothing(browser: Any, pools: dict[str, Path]) -> None:
    made, address = start(pools["hostile"], "--port", "0")
    try:
        where = urlencode({"b": making.WEIRD})
        case = urlencode({"b": making.WEIRD, "case": making.HOSTILE_CASE})
        browser.get_log("browser")
        for page in (
            "",
            f"board?{where}",
            f"cases?{where}",
            f"case?{case}",
            f"failures?{where}",
            "runs",
            f"compare?{where}",
        ):
            opened(browser, address + page)
            time.sleep(0.2)
            assert browser.title != "taken", page
            assert (
                browser.execute_script("return document.querySelectorAll('main img, main b.x, main script').length")
                == 0
            )
        # Nothing was even tried: the policy had nothing to refuse.
        assert [m for m in complaints(browser) if "Content Security Policy" in m or "/x" in m] == []
        # And if a script did get in, the policy would stop it.
        opened(browser, address)
        browser.execute_script(f"document.getElementById('main').innerHTML = {json.dumps(making.MARKUP)}")
        time.sleep(0.5)
        assert browser.title != "taken"
        assert any("Content Security Policy" in m for m in complaints(browser))
    finally:
        stop(made)
