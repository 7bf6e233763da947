"""Pools for the viewer's tests: a plain one with cards, and one in which every text is hostile."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path

from steelyard.core.card import Card
from steelyard.core.words import Measurement, Status
from steelyard.pool import Pool
from tests.report import synthetic

SCRIPT = "<script>document.title='taken'</script>"
MARKUP = "<img src=x onerror=\"document.title='taken'\"><b>bold</b></pre></main>"
BIDI = "‮txt.exe‬"
HUGE = 300_000
WEIRD = 'a/b "c" é模型?#&%=' + BIDI
HOSTILE_CASE = f"../..//{WEIRD}'{SCRIPT}"


def card(name: str) -> Card:
    """A synthetic benchmark as an import leaves it: the report's test card without code behind it."""
    facts = tomllib.loads(synthetic.CARDS[name]) | {"interface": "imported", "entry": "", "claims": []}
    return Card.model_validate(facts)


def fill(path: Path) -> Path:
    """Kernels and generators as the report's tests have them, with prompts, outputs and logs of some cases."""
    with Pool(path) as pool:
        for name in ("race", "problems"):
            pool.put_card(card(name))
        pool.append(synthetic.race())
        rows = []
        for row in synthetic.problems():
            kept = {}
            if row.metric == "pass_at_1" and row.case in ("problem/1", "problem/2"):
                kept = {
                    "prompt": pool.put_blob(f"Write a function for {row.case}."),
                    "output": pool.put_blob(f"def f():\n    return {row.contender!r}\n{SCRIPT}{MARKUP}{BIDI}"),
                    "log": pool.put_blob("assert f() == 1\n" * 3),
                }
            rows.append(dataclasses.replace(row, artifacts=json.dumps(kept)))
        pool.append(rows)
        pool.append(cousins())
    return path


def cousins() -> list[Measurement]:
    """Two benchmarks without cards on which the same contenders were measured."""
    skill = {"smollm2": 1, "gemma3": 2, "qwen2.5-coder[size=7b]": 3, "gpt-x+self-debug[turns=3]": 5, "replay:gpt-x": 4}
    return [
        Measurement(
            f"cousin-{k}", "1", f"c{i}", who, "score", float(s + (i + k) % 3), started_at=synthetic.START + i,
            run=f"cousins-{k}", machine=synthetic.MACHINE,
        )
        for k in (1, 2)
        for i in range(12)
        for who, s in skill.items()
    ]  # fmt: skip


def fill_hostile(path: Path) -> Path:
    """Names, cases, errors and outputs that try to break out of a page; every third cell fails."""
    with Pool(path) as pool:
        kept = json.dumps(
            {
                "output": pool.put_blob(f"{SCRIPT}{MARKUP}{BIDI}"), "huge": pool.put_blob("x" * HUGE + SCRIPT),
                SCRIPT: pool.put_blob(b"\xff\xfe\x00binary"), "gone": "0" * 64, "wrong": "../../etc/passwd",
            }
        )  # fmt: skip
        rows = []
        for i in range(6):
            for who in (WEIRD, SCRIPT, "=cmd()"):
                bad = i % 3 == 0
                rows.append(
                    Measurement(
                        WEIRD, BIDI, HOSTILE_CASE if i == 1 else f"{MARKUP}{i}", who, MARKUP, float("nan") if bad else i,
                        unit=SCRIPT, status=Status.FAILED if bad else Status.OK, error=SCRIPT * 3 if bad else "",
                        case_attributes=json.dumps({SCRIPT: MARKUP, "size": i}), case_group=BIDI, run=SCRIPT, machine=MARKUP,
                        contender_config=json.dumps({"x": SCRIPT}), started_at=1.79e9 + i, artifacts=kept,
                    )
                )  # fmt: skip
        pool.append(rows)
    return path


def fill_failures(path: Path) -> Path:
    """Nothing but failures."""
    with Pool(path) as pool:
        pool.put_card(card("problems"))
        pool.append(
            Measurement(
                "problems", "1", f"p{i}", "nobody", "pass_at_1", float("nan"), status=Status.TIMEOUT,
                error="took too long", started_at=1.79e9 + i,
            )
            for i in range(9)
        )  # fmt: skip
    return path
