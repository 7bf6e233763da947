"""`steelyard pool ...` as a person or a script uses it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from steelyard.cli.pool import app
from steelyard.core.errors import MissingError
from steelyard.core.words import Status
from steelyard.pool import Pool
from tests.pool.making import row


@pytest.fixture
def place(tmp_path: Path) -> str:
    with Pool(tmp_path / "pool") as store:
        store.append([row(1), row(2), row(3, value=math.nan, status=Status.FAILED, error="[red]no markup[/red]")])
        store.flush()
        store.append([row(4, benchmark="other")])
    return str(tmp_path / "pool")


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "150"}, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_info_counts_and_the_environment_names_the_pool(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEELYARD_POOL", place)
    shown = run("info")
    assert "4 measurements; 2 parts" in shown
    line = next(line for line in shown.splitlines() if line.startswith("sums"))
    assert line.split()[1:6] == ["3", "1", "3", "1", "1"]
    told = json.loads(run("info", "--json"))
    assert (told["rows"], [one["name"] for one in told["benchmarks"]]) == (4, ["other", "sums"])


def test_query_prints_a_table_or_json(place: str) -> None:
    assert run("query", "SELECT sum(value) AS total FROM latest WHERE status = 'ok'", "--pool", place).split() == [
        "total",
        "7",
    ]
    sql = 'SELECT value, error FROM measurements ORDER BY "case"'
    rows = json.loads(run("query", sql, "--json", "--pool", place))
    assert [one["value"] for one in rows] == [1.0, 2.0, None, 4.0]
    shown = run("query", sql, "--limit", "3", "--pool", place)
    assert "[red]no markup[/red]" in shown
    assert "1 more rows" in shown


def test_compact_check_and_export(place: str, tmp_path: Path) -> None:
    with Pool(place) as store:
        store.append([row(5)])
    assert "1 files fewer" in run("compact", "--pool", place)
    assert "sound" in run("check", "--pool", place)
    assert "5 measurements" in run("export", str(tmp_path / "out.csv"), "--pool", place)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
    (part,) = Path(place).glob("benchmark=other/*")
    part.write_bytes(part.read_bytes()[:100])
    assert "torn part" in run("check", "--pool", place, code=1)
    assert part.exists()
    assert json.loads(run("check", "--pool", place, "--set-aside", "--json", code=1))[0]["kind"] == "torn part"
    assert not part.exists()


@pytest.mark.parametrize("command", [["info"], ["query", "SELECT 1"], ["compact"], ["check", "--set-aside"]])
def test_a_mistyped_place_becomes_no_pool(command: list[str], tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no pool"):
        run(*command, "--pool", str(tmp_path / "typo"))
    assert not (tmp_path / "typo").exists()
