"""`steelyard import` as a user meets it, and the commands that work on what it brought."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.importers.taking import csv

SCORES = "model,sample_id,score\n" + "".join(
    f"{who},q{i},{int(i % 10 < good)}\n" for who, good in (("alpha", 9), ("beta", 5), ("gamma", 1)) for i in range(40)
)


def steelyard(place: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STEELYARD_POOL": str(place / "pool")}
    done = subprocess.run(
        [sys.executable, "-m", "steelyard", *map(str, arguments)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


def test_after_an_import_rank_compare_report_and_export_work(tmp_path: Path) -> None:
    path = csv(tmp_path, SCORES, "quiz.csv")
    told = json.loads(steelyard(tmp_path, "import", path, "--higher-is-better", "score", "--json").stdout)
    assert [(s["format"], s["added"]) for s in told["sources"]] == [("table", 120)]
    ranking = json.loads(steelyard(tmp_path, "rank", "quiz", "--json").stdout)
    assert [r["contender"] for r in ranking["rows"]] == ["alpha", "beta", "gamma"]
    table = json.loads(steelyard(tmp_path, "compare", "beta", "alpha", "--on", "quiz", "--json").stdout)
    assert [(r["contender"], round(r["estimate"], 3)) for r in table["rows"]] == [("beta", 0.5), ("alpha", 0.9)]
    assert table["rows"][1]["verdict"] == "better"
    steelyard(tmp_path, "report", "quiz", "--out", tmp_path / "quiz.html")
    page = (tmp_path / "quiz.html").read_text()
    assert "alpha" in page
    assert "published" in page
    steelyard(tmp_path, "pool", "export", tmp_path / "all.csv")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 121


def test_a_refused_file_does_not_stop_the_others_and_the_exit_code_tells(tmp_path: Path) -> None:
    csv(tmp_path, SCORES, "quiz.csv")
    csv(tmp_path, "model,accuracy\na,0.5\n", "board.csv")
    done = steelyard(tmp_path, "import", tmp_path / "quiz.csv", tmp_path / "board.csv", code=2)
    assert "board" in done.stdout
    assert "not known of score" in done.stdout
    assert "1 measurements added" in done.stdout


def test_dry_run_makes_no_pool(tmp_path: Path) -> None:
    path = csv(tmp_path, SCORES)
    done = steelyard(tmp_path, "import", path, "--dry-run", "--higher-is-better", "*")
    assert "nothing is written" in done.stdout
    assert not (tmp_path / "pool").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--map", "case"], "no FIELD=COLUMN"),
        (["--as", "tabel"], "Did you mean table"),
        (["--higher-is-better", "x", "--lower-is-better", "x"], "declared twice"),
        (["--cases", "nowhere.csv"], "there is no file nowhere.csv"),
        ([], "not known of score"),
    ],
)
def test_bad_usage_ends_with_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = steelyard(tmp_path, "import", csv(tmp_path, SCORES), *arguments, code=2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
