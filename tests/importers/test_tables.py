"""Plain tables: long and wide, what is dropped or merged, names, directions, and that nothing comes in twice."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind
from steelyard.pool import Pool
from steelyard.pool.importers import find
from steelyard.report.results import load
from tests.importers.taking import HIGHER, LOWER, bring, csv, rows

LONG = "model,sample_id,score\na,q1,0.5\na,q2,1\nb,q1,0.25\n"
VALUES = 'SELECT benchmark, contender, "case", trial, metric, value FROM latest ORDER BY ALL'


@pytest.fixture
def pool(tmp_path):
    with Pool(tmp_path / "pool") as store:
        yield store


def test_a_long_table_by_its_usual_column_names(tmp_path, pool) -> None:
    told = bring(pool, csv(tmp_path, LONG), directions=[("score", HIGHER)])
    assert rows(pool, VALUES) == [
        ("scores", "a", "q1", 0, "score", 0.5), ("scores", "a", "q2", 0, "score", 1.0), ("scores", "b", "q1", 0, "score", 0.25)
    ]  # fmt: skip
    assert (told.read, told.added, told.merged, told.conflicts, told.dropped) == (3, 3, 0, 0, {})
    assert told.mapped["contender"] == "model"
    [(provenance, artifacts)] = set(rows(pool, "SELECT provenance, artifacts FROM latest"))
    assert provenance == "published"
    assert json.loads(pool.get_blob(json.loads(artifacts)["source"]))["file"] == "scores.csv"


def test_the_mapping_names_columns_and_attributes_and_the_user_says_measured(tmp_path, pool) -> None:
    path = csv(tmp_path, "wer;who;prompt;level;run\n0.1;x;Say it;1;0\n0.2;x;Say it;1;1\n")
    told = bring(pool, path, benchmark="speech", measured=True, directions=[("wer", LOWER)],
                 mapping={"case": "prompt", "contender": "who", "value": "wer", "trial": "run", "level": "level"})  # fmt: skip
    assert rows(pool, VALUES) == [("speech", "x", "Say it", 0, "wer", 0.1), ("speech", "x", "Say it", 1, "wer", 0.2)]
    assert set(rows(pool, "SELECT provenance, case_attributes FROM latest")) == {("measured", '{"level":1}')}
    assert told.mapped["attribute level"] == "level"


def test_a_wide_table_gives_one_metric_a_column_and_tells_what_it_left(tmp_path, pool) -> None:
    path = csv(tmp_path, "model,id,accuracy,loss,comment\na,1,true,0.5,good\na,2,False,,fine\n")
    told = bring(pool, path)
    assert rows(pool, VALUES) == [
        ("scores", "a", "1", 0, "accuracy", 1.0), ("scores", "a", "1", 0, "loss", 0.5), ("scores", "a", "2", 0, "accuracy", 0.0)
    ]  # fmt: skip
    assert told.dropped == {"no value": 1}
    assert any("comment" in note for note in told.notes)
    assert {m["metric"]: (m["direction"], m["kind"]) for m in told.metrics} == {
        "accuracy": ("higher", "binary"), "loss": ("lower", "fraction")
    }  # fmt: skip


def test_a_leaderboard_keeps_published_names_and_makes_them_specs(tmp_path, pool) -> None:
    path = csv(tmp_path, "model,MT-bench\nGPT-4 (0613),8.99\nx*,7\nx,6\nc[a=1],5\n")
    told = bring(pool, path, directions=[("*", HIGHER)])
    found = dict(rows(pool, "SELECT contender, contender_config FROM latest"))
    assert found["GPT-4-0613"] == '{"name":"GPT-4 (0613)"}'
    assert {"x", "c[a=1]"} < set(found)  # specs already: as they stand
    [mark] = [name for name in found if name.startswith("x~")]  # x* would be x too, and is not
    assert found[mark] == '{"name":"x*"}'
    assert told.mapped["case"] == "'overall'"
    assert told.benchmarks[0]["contenders"] == 4


def test_repeats_are_merged_and_conflicts_told_the_first_is_kept(tmp_path, pool) -> None:
    path = csv(tmp_path, LONG + "a,q1,0.5\nb,q1,0.75\nb,q1,0.25\n")
    told = bring(pool, path, directions=[("score", HIGHER)])
    assert (told.read, told.added, told.merged, told.conflicts) == (6, 3, 2, 1)
    assert ("scores", "b", "q1", 0, "score", 0.25) in rows(pool, VALUES)
    assert told.examples == ["conflict: scores, q1, b, score: 0.25 is kept, a later 0.75 is not"]


def test_what_is_no_number_is_dropped_with_its_reason_and_a_bad_line_with_its_number(tmp_path, pool) -> None:
    path = csv(tmp_path, LONG + "b,q2,-\nb,q3,n/a\nb,q4,nan\nb,q5,inf\nb,q6,very good\n,q7,1\nc,,1\nc,q8\n")
    told = bring(pool, path, directions=[("score", HIGHER)])
    assert told.dropped == {
        "bad line": 1, "no case": 1, "no contender": 1, "no value": 2, "not a number": 1, "NaN": 1, "infinite": 1
    }  # fmt: skip
    assert told.added == 3
    assert any("line 12" in example for example in told.examples)
    assert any("very good" in example for example in told.examples)


def test_an_unknown_direction_is_refused_and_the_pool_stays_as_it_was(tmp_path, pool) -> None:
    with pytest.raises(InputError, match="not known of score") as caught:
        bring(pool, csv(tmp_path, LONG))
    assert "--higher-is-better METRIC" in caught.value.cure
    assert rows(pool, "SELECT count(*) FROM measurements") == [(0,)]
    assert pool.cards() == []


def test_a_direction_once_declared_is_remembered_and_never_contradicted(tmp_path, pool) -> None:
    bring(pool, csv(tmp_path, LONG), directions=[("*", HIGHER), ("sco*", LOWER)])  # the longest pattern decides
    more = csv(tmp_path, "model,sample_id,score\nc,q1,1\n", "more.csv")
    assert bring(pool, more, benchmark="scores").metrics[0]["known"] == "as before"
    with pytest.raises(InputError, match="lower is better"):
        bring(pool, csv(tmp_path, LONG + "d,q1,1\n"), directions=[("score", HIGHER)])
    scores = load(pool, "scores")
    assert scores.metric.direction is Direction.LOWER
    assert scores.contenders == ["a", "b", "c"]


def test_the_kind_only_widens(tmp_path, pool) -> None:
    bring(pool, csv(tmp_path, "model,id,accuracy\na,1,0.5\n"))
    bring(pool, csv(tmp_path, "model,id,accuracy\nb,1,1\n", "more.csv"), benchmark="scores")
    assert pool.card("scores").metric["accuracy"].kind is Kind.FRACTION


def test_the_same_file_adds_nothing_a_second_time_nor_after_compaction(tmp_path, pool) -> None:
    path = csv(tmp_path, LONG)
    bring(pool, path, directions=[("score", HIGHER)])
    again = bring(pool, path)
    assert (again.added, again.known) == (0, True)
    bring(pool, csv(tmp_path, LONG + "c,q1,1\n", "more.csv"), benchmark="scores")
    pool.compact()
    assert bring(pool, path).added == 0
    assert rows(pool, "SELECT count(*) FROM latest") == [(4,)]


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path) -> None:
    told = bring(None, csv(tmp_path, LONG), dry=True, directions=[("score", HIGHER)])
    assert (told.read, told.added, told.metrics[0]["direction"]) == (3, 0, "higher")
    assert list(tmp_path.iterdir()) == [tmp_path / "scores.csv"]


def test_a_table_of_cases_describes_them(tmp_path, pool) -> None:
    tags = [{"task": "sums"}, {"task": "words"}]
    pq.write_table(
        pa.table({"sample_id": ["q1", "q9"], "text": ["One?", "Nine?"], "tags": [json.dumps(t) for t in tags]}),
        tmp_path / "samples.parquet",
    )
    told = bring(pool, csv(tmp_path, LONG), directions=[("score", HIGHER)], cases=tmp_path / "samples.parquet")
    found = {c: json.loads(a) for c, a in rows(pool, 'SELECT DISTINCT "case", case_attributes FROM latest')}
    assert found == {"q1": {"text": "One?", "task": "sums"}, "q2": {}}
    assert told.notes == ["samples.parquet describes 1 of 2 cases"]


def test_parquet_with_dictionaries_small_integers_and_truth_values(tmp_path, pool) -> None:
    table = pa.table({"model": pa.array(["a", "b"]).dictionary_encode(), "id": pa.array([1, 2], pa.int8()),
                      "seed": pa.array([7, 123456], pa.int64()), "passed": [True, False]})  # fmt: skip
    pq.write_table(table, tmp_path / "t.parquet")
    told = bring(pool, tmp_path / "t.parquet", mapping={"value": "passed"}, directions=[("passed", HIGHER)])
    assert rows(pool, VALUES) == [("t", "a", "1", 0, "passed", 1.0), ("t", "b", "2", 1, "passed", 0.0)]
    assert "trials are numbered by the order of seed" in told.notes


def test_the_pools_own_export_comes_back_whole(tmp_path, pool) -> None:
    bring(pool, csv(tmp_path, LONG), directions=[("score", HIGHER)])
    pool.export(tmp_path / "shared.csv")
    with Pool(tmp_path / "other") as other:
        told = bring(other, tmp_path / "shared.csv", directions=[("score", HIGHER)])
        assert told.added == 3
        assert rows(other, VALUES) == rows(pool, VALUES)
        same = "SELECT started_at, status, case_attributes, benchmark_version FROM latest ORDER BY ALL"
        assert rows(other, same) == rows(pool, same)


def test_a_benchmark_of_ours_keeps_its_numbers_apart(tmp_path, pool) -> None:
    told = bring(pool, csv(tmp_path, "model,id,pass@1\na,HumanEval/0,1\n", "humaneval.csv"))
    assert [(b["benchmark"], b["version"]) for b in told.benchmarks] == [("humaneval", "imported")]
    assert pool.cards() == []  # its card is ours
    told = bring(pool, csv(tmp_path, "model,id,f1\na,HumanEval/0,1\n", "humaneval.csv"))
    assert [b["benchmark"] for b in told.benchmarks] == ["humaneval-table"]
    assert any("has no f1" in note for note in told.notes)


@pytest.mark.parametrize(
    ("text", "asked", "words"),
    [
        ("x,y\n1,2\n", {}, "no column is known to name the contender"),
        ("model,id,note\na,1,good\n", {}, "no column holds numbers"),
        ("model,metric,number\na,f1,1\n", {}, "no column is known to hold the values"),
        (LONG, {"mapping": {"case": "sampel_id"}}, "Did you mean sample_id"),
        (LONG, {"mapping": {"value": "scores"}}, "Did you mean score"),
        ("model,a b,a-b\nx,1,2\n", {"directions": [("*", HIGHER)]}, "would both be called 'a-b'"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path, pool, text, asked, words) -> None:
    with pytest.raises(InputError, match=words):
        bring(pool, csv(tmp_path, text), **asked)


def test_leaderboard_on_demand_takes_the_first_column(tmp_path, pool) -> None:
    path = csv(tmp_path, ",win_rate\nx,76.9\ny,70\n")
    bring(pool, path, "leaderboard")
    assert rows(pool, VALUES) == [
        ("scores", "x", "overall", 0, "win_rate", 76.9),
        ("scores", "y", "overall", 0, "win_rate", 70.0),
    ]


def test_files_of_no_known_format_are_named(tmp_path) -> None:
    csv(tmp_path, LONG)
    strange = csv(tmp_path, "hello", "notes.txt")
    sources, left = find([tmp_path])
    assert [s.format for s in sources] == ["table"]
    assert left == [strange]
    with pytest.raises(InputError, match="no format knows"):
        find([strange])
    with pytest.raises(InputError, match="no file or folder"):
        find([tmp_path / "nothing"])
    with pytest.raises(InputError, match="Did you mean lm-eval"):
        find([tmp_path], "lm-evl")
