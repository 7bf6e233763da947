"""The catalogue reader, the benchmark and `steelyard agree` on small leaderboards."""

import json
import subprocess
import sys

import numpy as np
import pytest

from steelyard.benchmarks.stats.benchbench.benchmark import OWN, BenchBench
from steelyard.benchmarks.stats.benchbench.catalogue import NAMES, read_catalogue, read_names
from steelyard.contenders.analysis.agree import Agree
from steelyard.core.errors import InputError
from steelyard.stats.boards import Question


def steelyard(*arguments, check=0, **environment):
    import os

    done = subprocess.run(
        [sys.executable, "-m", "steelyard", *map(str, arguments)], capture_output=True, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == check, done.stderr + done.stdout
    return done


@pytest.fixture
def catalogue(tmp_path):
    """Three sound files, one without a model column, one with traps."""
    models = [f"Owner/Model {i} (Chat)" for i in range(8)]
    for name, order in (("one", range(8)), ("two", range(8)), ("three", reversed(range(8)))):
        rows = "".join(f"{m},{k}\n" for m, k in zip(models, order, strict=True))
        (tmp_path / f"{name}_2601_made.csv").write_text(f"model,{name}\n{rows}")
    (tmp_path / "broken.csv").write_text("who,score\nx,1\n")
    (tmp_path / "traps.csv").write_text(
        ",model,Odd Score\n0,model-0-chat,7\n1,MODEL 0 CHAT,9\n2,model-1-chat,-\n3,model-2-chat,n/a\n4,other,\n"
    )
    (tmp_path / "lower_is_better_benchmarks.txt").write_text("three_2601\n")
    (tmp_path / "scenarios_for_aggregate.txt").write_text("one\ntwo\nghost\n")
    return tmp_path


def test_names_become_comparable():
    names = read_names(NAMES["sound"])
    assert names.model("meta-llama/Meta-Llama-3-70B-Instruct-hf ") == "llama3_70b_instruct"
    assert names.model("Zephyr 7B β") == "zephyr_7b_beta"
    assert names.model("Command R+") == "command_r_plus"
    assert names.model("DBRX-Inst") == names.model("databricks/dbrx-instruct") == "dbrx_instruct"
    assert read_names(NAMES["published"]).model("dbrx-instruct") == "dbrx_instructruct"


def test_own_names_join_models(tmp_path):
    table = tmp_path / "names.csv"
    table.write_text(NAMES["sound"].read_text() + "alias,GPT-4 (0613),gpt_4,\ndisplay,one,The One,\n")
    names = read_names(table)
    assert names.model("gpt-4 (0613)") == "gpt_4"
    assert names.scenario("One") == "The One"
    table.write_text("kind,find,replace\nmodell,a,b\n")
    with pytest.raises(InputError, match="line 2: kind is 'modell'"):
        read_names(table)
    table.write_text("kind,find,replace\nmodel,(,b\n")
    with pytest.raises(InputError, match="line 2: '\\(' is no regular expression"):
        read_names(table)


def test_a_malformed_file_costs_only_itself(catalogue):
    reading = read_catalogue(catalogue)
    board = reading.board
    assert list(reading.skipped) == ["broken.csv"]
    assert "no column is called model" in reading.skipped["broken.csv"]
    assert set(board.scenarios) == {"one", "two", "three", "odd_score"}
    assert board.column("odd_score")[board.models.index("model_0_chat")] == 9  # the better of 7 and 9
    assert reading.duplicates == {("traps", "odd_score", "model_0_chat"): [7.0, 9.0]}
    assert sorted(reading.merged["model_0_chat"]) == ["MODEL 0 CHAT", "Owner/Model 0 (Chat)", "model-0-chat"]
    assert any("column 1 has no name" in note for note in reading.notes)
    assert any("1 cells hold text" in note for note in reading.notes)


def test_direction_is_by_source_and_never_by_the_released_reading(catalogue):
    sound, released = (read_catalogue(catalogue, profile=p).board for p in ("sound", "published"))
    # `three` runs backwards; turned round it agrees with `one`
    for board, sign in ((sound, 1), (released, -1)):
        x, y = board.column("three"), board.column("one")
        known = ~np.isnan(x + y)
        assert np.corrcoef(x[known], y[known])[0, 1] == pytest.approx(sign)
    assert sound.turned.sum() == 1
    assert released.turned.sum() == 0
    assert read_catalogue(catalogue, lower=["two"]).board.turned.sum() == 2
    with pytest.raises(InputError, match="twoo"):
        read_catalogue(catalogue, lower=["twoo"])


def test_agreement_of_equal_and_opposite_orders(catalogue):
    board = read_catalogue(catalogue, profile="published").board
    answer = Agree()(Question(board, board.scenarios))
    assert answer["one"]["agreement"] == 1
    assert answer["three"]["agreement"] == -1
    assert "agreement" not in answer["odd_score"]
    assert answer["odd_score"]["common_models"] == 1


@pytest.mark.parametrize(
    ("options", "words"), [({"n": -1}, "n=-1"), ({"threshold": "high"}, "threshold"), ({"repeats": 0}, "repeats=0")]
)
def test_options_out_of_range_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        Agree(**options)


def test_floor_and_ceiling_on_our_own_data():
    bench = BenchBench()
    cases = [c for c in bench.cases(None) if c.attributes["kind"] == "benchmark"]
    ceiling = [bench.measure(Agree(reference="itself"), c, 0).metrics["agreement"] for c in cases]
    floor = [bench.measure(Agree(reference="shuffled"), c, t).metrics["agreement"] for c in cases for t in range(8)]
    assert set(ceiling) == {1.0}
    assert abs(np.mean(floor)) < 0.15


def test_too_little_overlap_is_said():
    bench = BenchBench()
    case = next(c for c in bench.cases(None) if c.id == "Tiny")
    outcome = bench.measure(Agree(n=20), case, 0)
    assert outcome.error == "not enough overlap: n=6 (need 20)"
    assert outcome.metrics["common_models"] == 6


def test_an_own_file_in_one_command(tmp_path):
    mine = tmp_path / "mine.csv"
    lines = (OWN / "catalog" / "riddles_2601_made.csv").read_text().splitlines()[1:]
    mine.write_text("model,mine\n" + "\n".join(lines[:-1]) + "\nIbis-70B-chatt,70\n")
    done = json.loads(steelyard("agree", mine, "--catalogue", OWN, "--json").stdout)
    assert done["reference"][0]["benchmark"] == "mine"
    best = done["pairs"][0]
    assert (best["reference"], best["agreement"], best["models"]) == ("Riddles", 1.0, 23.0)
    assert best["low"] < 1
    assert best["subset"] == "all"
    assert done["unresolved_references"] == ["Lantern"]
    assert "ibis_70b_chat" in done["suggestions"]["ibis_70b_chatt"]
    text = steelyard("agree", mine, "--catalogue", OWN, "--n", 10, "--subset", "somewhere").stdout
    assert "somewhere x 10" in text
    assert "not enough overlap: n=6 (need 10)" in text


def test_merges_are_listed():
    done = json.loads(steelyard("agree", "--catalogue", OWN, "--merges", "--json").stdout)
    assert "otter-7b-chat" in done["merged"]["otter_7b_chat"]
    assert done["duplicates"][0]["scenario"] == "Atlas"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mine.csv"], "Add --catalogue"),
        (["--catalogue", "nowhere"], "not a folder"),
        (["humaneval"], "two benchmarks of the pool"),
        (["--catalogue", OWN, "--reference", "Riddels"], "Did you mean Riddles"),
        (["--catalogue", OWN, "--subset", "best"], "'random'"),
        (["--catalogue", OWN, "--profile", "old"], "sound"),
    ],
)
def test_bad_usage(tmp_path, arguments, words):
    done = steelyard("agree", *arguments, check=2, STEELYARD_POOL=str(tmp_path / "pool"))
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_benchmarks_of_the_pool_are_compared(tmp_path):
    from steelyard.core.card import Card
    from steelyard.core.words import Measurement
    from steelyard.pool import Pool

    with Pool(str(tmp_path / "pool")) as pool:
        for name, direction in (("alpha", "higher"), ("beta", "lower")):
            pool.put_card(Card(name=name, kind="benchmark", title=name, summary=name, track="made", interface="imported",
                               metrics=[{"name": "score", "direction": direction}]))  # fmt: skip
            for i in range(6):
                value = float(i if direction == "higher" else -i)
                pool.append([Measurement(name, "1", f"c{k}", f"m{i}", "score", value + k / 10) for k in range(3)])
    done = json.loads(steelyard("agree", "alpha", "beta", "--json", STEELYARD_POOL=str(tmp_path / "pool")).stdout)
    assert [(r["agreement"], r["models"]) for r in done["pairs"]] == [(1.0, 6.0)]
