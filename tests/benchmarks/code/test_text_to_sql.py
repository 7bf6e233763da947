"""Text to SQL: result comparison, difficulty, and queries that may not harm."""

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.benchmarks.code.text_to_sql import databases
from steelyard.benchmarks.code.text_to_sql.benchmark import TextToSql
from steelyard.benchmarks.code.text_to_sql.hardness import LEVELS, hardness, ordered
from steelyard.benchmarks.code.text_to_sql.matching import same_result
from steelyard.core.errors import InputError, MissingError

SHOP = TextToSql.own / "database" / "shop.sql"


@pytest.mark.parametrize(
    ("gold", "given_rows", "in_order", "same"),
    [
        ([(1,), (2,)], [(2,), (1,)], False, True),  # a multiset
        ([(1,), (2,)], [(2,), (1,)], True, False),  # in order
        ([(1,), (1,)], [(1,)], False, False),  # how often counts
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False, False),
        ([(1, "a"), (2, "b")], [("a", 1), ("b", 2)], True, True),  # columns in another order
        ([(1, 2), (2, 1)], [(1, 1), (2, 2)], False, False),  # each column fits, the rows do not
        ([(1, 2), (3, 4)], [(2, 1), (3, 4)], False, False),  # no one assignment fits all rows
        ([(1, 1)], [(1,)], False, False),
        ([(1,)], [(1.0,)], False, True),
        ([(1,)], [("1",)], False, False),
        ([(None,)], [(None,)], False, True),
        ([(None,)], [(0,)], False, False),
        ([], [], True, True),
        ([], [(1,)], False, False),
    ],
)
def test_same_result(gold, given_rows, in_order, same):
    assert same_result(gold, given_rows, ordered=in_order) is same


VALUE = st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["a", "b"]))


@given(st.integers(1, 4).flatmap(lambda w: st.lists(st.tuples(*[VALUE] * w), min_size=1, max_size=6)), st.randoms())
def test_any_shuffle_of_rows_and_columns_is_the_same_result(rows, chance):
    columns = list(range(len(rows[0])))
    chance.shuffle(columns)
    moved = [tuple(r[c] for c in columns) for r in rows]
    assert same_result(rows, moved, ordered=True)
    chance.shuffle(moved)
    assert same_result(rows, moved, ordered=False)
    assert not same_result(rows, [*moved, moved[0]], ordered=False)


@pytest.mark.parametrize(
    ("sql", "level"),
    [  # the three counts by hand: clauses, other, nested
        ("SELECT count(*) FROM t WHERE a > 4", "easy"),  # 1, 0, 0
        ("SELECT a, b FROM t", "medium"),  # 0, 1 (two columns), 0
        ("SELECT a FROM t WHERE b = 1 AND c = 2", "medium"),  # 1, 1 (two conditions), 0
        ("SELECT a FROM t WHERE b BETWEEN 1 AND 2", "easy"),  # 1, 0, 0: the AND is BETWEEN's
        ("SELECT t.a, count(*) FROM t JOIN u ON t.i = u.i GROUP BY t.i", "medium"),  # 2, 1, 0
        ("SELECT a FROM t JOIN u ON t.i = u.i WHERE b = 1 ORDER BY a", "hard"),  # 3, 0, 0
        ("SELECT a FROM t WHERE b LIKE '%x%' OR c = 'select from'", "hard"),  # where, like, or = 3, 1, 0
        ("SELECT a FROM t WHERE b > (SELECT avg(b) FROM t)", "hard"),  # 1, 0, 1
        ("SELECT a FROM t EXCEPT SELECT a FROM u", "hard"),  # 0, 0, 1
        ("SELECT a, b FROM t WHERE b NOT IN (SELECT c FROM u)", "extra"),  # 1, 1, 1
        ("SELECT a, count(*) FROM t JOIN u ON t.i = u.i GROUP BY a ORDER BY count(*) DESC LIMIT 1", "extra"),  # 4, 2, 0
    ],
)
def test_difficulty(sql, level):
    assert hardness(sql) == level


def test_our_questions_cover_every_class():
    cases = list(TextToSql().cases())
    assert len(cases) >= 40
    for level in LEVELS:
        places = [c.attributes["place"] for c in cases if c.attributes["difficulty"] == level]
        assert len(places) >= 10
        assert sorted(places) == list(range(len(places)))


def test_only_the_outermost_order_counts():
    assert ordered("SELECT a FROM t ORDER BY a")
    assert not ordered("SELECT a FROM (SELECT a FROM t ORDER BY a)")
    assert not ordered("SELECT 'order by' FROM t")


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE customer", "UPDATE customer SET name = 'x'", "DELETE FROM customer", "INSERT INTO customer(id) VALUES (9)",
        "CREATE TABLE x (a)", "PRAGMA query_only = OFF", "ATTACH '/etc/passwd' AS x", "SELECT load_extension('x')", "VACUUM INTO '/tmp/x'",
        "WITH x AS (SELECT 1) DELETE FROM customer",
    ],
)  # fmt: skip
def test_a_query_that_does_more_than_read_is_refused_and_changes_nothing(sql):
    before = databases.query(SHOP, "SELECT * FROM customer ORDER BY id", 5).rows
    assert databases.query(SHOP, sql, 5).error
    assert databases.query(SHOP, "SELECT * FROM customer ORDER BY id", 5).rows == before
    assert len(before) == 5


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n", "timeout"),
        ("SELECT zeroblob(2000000000)", "too big"),
        ("SELECT randomblob(900000) FROM line a, line b, line c, line d", "bytes"),
        ("SELECT 1 FROM line a, line b, line c, line d, line e, line f, line g", "rows"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELEC 1", "syntax"),
        ("-- nothing", "no table"),
    ],
)
def test_a_query_ends_with_a_reason(sql, error):
    assert error in databases.query(SHOP, sql, 2.0 if error == "timeout" else 100.0).error


def test_the_program_in_an_answer():
    case = next(iter(TextToSql().cases()))
    find = lambda output: TextToSql().program(case, output)  # noqa: E731
    assert find("Try:\n```sql\nSELECT 1;\n```\nor not") == "SELECT 1;"
    assert find("```\nSELECT 2\n") == "SELECT 2"
    assert find("SELECT a\nFROM t; that is it") == "SELECT a\nFROM t"
    assert find("I select nothing.") == ""


def test_what_running_a_query_gives_in_words():
    case = next(iter(TextToSql().cases()))
    say = lambda sql: TextToSql().execute(case, sql)  # noqa: E731
    assert (
        say("SELECT id, name FROM customer WHERE id = 1")
        == "The query returns 1 row with the columns id, name.\n(1, 'Ada')"
    )
    assert say("SELECT x FROM customer") == "The query fails: no such column: x."


def spider(folder, questions):
    """A folder as Spider is published: dev.json and database/<db_id>/<db_id>.sqlite."""
    place = folder / "database" / "pets"
    place.mkdir(parents=True)
    with sqlite3.connect(place / "pets.sqlite") as made:
        made.executescript(
            "CREATE TABLE pet (name TEXT, age INT); INSERT INTO pet VALUES ('a', 1), ('b', 2), (CAST(x'ff' AS TEXT), 3);"
        )
    made.close()
    (folder / "dev.json").write_text(json.dumps(questions))
    return str(folder)


def test_official_data_in_the_official_form(tmp_path):
    asked = [
        {"db_id": "pets", "question": "Oldest?", "query": "SELECT max(age) FROM pet", "sql": {}},
        {"db_id": "pets", "question": "Any over 9?", "query": "SELECT name FROM pet WHERE age > 9"},
    ]
    bench = TextToSql()
    oldest, none = bench.cases(spider(tmp_path, asked))
    score = lambda case, sql: bench.score(case, f"```sql\n{sql}\n```").metrics  # noqa: E731
    assert score(oldest, "SELECT age FROM pet ORDER BY age DESC LIMIT 1")["execution_accuracy"] == 1
    assert score(oldest, "SELECT min(age) FROM pet")["execution_accuracy"] == 0
    assert score(none, "SELECT age, name FROM pet WHERE age > 5") == {
        "execution_accuracy": 1, "query_error": 0, "gold_empty": 1}  # fmt: skip
    assert score(none, "DROP TABLE pet") == {"execution_accuracy": 0, "query_error": 1, "gold_empty": 1}
    assert "�" in bench.execute(oldest, "SELECT name FROM pet WHERE age = 3"), (
        "bytes that are no UTF-8 do not end a run"
    )


def test_bad_data_is_named_before_any_model_is_asked(tmp_path):
    ok = {"db_id": "pets", "question": "?", "query": "SELECT 1"}
    folder = spider(tmp_path, [ok, {**ok, "db_id": "cats"}])
    with pytest.raises(MissingError, match=r"cats\.sqlite: no such database"):
        list(TextToSql().cases(folder))
    for wrong, says in (({**ok, "db_id": "../pets"}, "is no name"), ({"db_id": "pets"}, "'question' is missing")):
        (tmp_path / "dev.json").write_text(json.dumps([wrong]))
        with pytest.raises(InputError, match=says):
            list(TextToSql().cases(folder))
    (tmp_path / "database" / "pets" / "pets.sqlite").write_text("this is no database, though it is long enough for one")
    databases.open_copy.cache_clear()
    (tmp_path / "dev.json").write_text(json.dumps([ok]))
    with pytest.raises(InputError, match="is no SQLite database"):
        list(TextToSql().cases(folder))
