"""Plain tables: CSV and Parquet, long (one row a number) or wide (one row a case or a contender, one column a metric)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from steelyard.core.errors import InputError, unknown
from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Asked, Source
from steelyard.pool.importers.metrics import HIGHER, LOWER
from steelyard.pool.importers.staging import COLUMNS, Staging, quoted

ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
FIELDS = {
    "benchmark": ("benchmark", "dataset", "task"),
    "case": ("case", "case_id", "sample_id", "task_id", "doc_id", "question_id", "instance_id", "problem_id", "item_id",
             "item", "id"),
    "contender": ("contender", "model", "model_name", "system", "method", "submission"),
    "metric": ("metric", "metric_name"),
    "value": ("value", "score"),
    "trial": ("trial", "epoch", "repetition", "run_index", "seed"),
    "case_group": ("case_group", "group"),
    **{name: (name,) for name in ("benchmark_version", "seed", "status", "error", "duration_s", "started_at",
                                  "case_attributes", "contender_config")},
}  # fmt: skip
PLAIN = ("status", "error", "case_attributes", "contender_config", "case_group", "benchmark_version")
WHOLE = "overall"  # the case of a number over a whole benchmark


class Table:
    """Any table; `--map` says what its columns are."""

    NAME = "table"
    SAYS = "CSV or Parquet table"
    METRICS: Mapping[str, tuple[Direction, str]] = {
        **dict.fromkeys(("accuracy", "acc", "exact_match", "f1", "precision", "recall", "pass@*", "pass_at_*", "bleu",
                         "rouge*", "auc", "auroc", "mcc", "win_rate", "elo"), (HIGHER, "1")),
        **dict.fromkeys(("loss", "perplexity", "ppl", "wer", "cer", "mae", "mse", "rmse", "error_rate"), (LOWER, "1")),
    }  # fmt: skip

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        return iter(())

    def recognises(self, path: Path, head: str) -> bool:
        return path.name.lower().endswith(ENDINGS)

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        [path] = source.files
        load(into, path, "raw")
        names = [name for name, *_ in into.rows("DESCRIBE raw")]
        columns = self.columns(path, names, asked)
        values = _values(into, path, names, columns, asked)
        insert(into, columns, values, {n: c for n, c in asked.mapping.items() if n not in FIELDS}, asked, _stem(path))
        spare = [n for n in names if n not in {*columns.values(), *values, *asked.mapping.values()}]
        if spare:
            into.told.notes.append(f"columns not imported: {', '.join(spare)} (a case attribute: --map NAME=COLUMN)")

    def columns(self, path: Path, names: Sequence[str], asked: Asked) -> dict[str, str]:
        """field -> column: as the user says, else by the column's name. Raises InputError where no contender is named."""
        found = {}
        for field, column in asked.mapping.items():
            if field != "value" and column not in names:
                raise unknown("column", column, names, where=str(path))
            if field in FIELDS and field != "value":
                found[field] = column
        taken = {*asked.mapping.values(), *asked.mapping.get("value", "").split("+")}
        for field in FIELDS:
            column = column_for(field, [n for n in names if n not in taken])
            if field not in found and column and field != "value":
                found[field] = column
                taken.add(column)
        if asked.contender:
            found.pop("contender", None)
        elif "contender" not in found:
            raise InputError(
                f"{path}: no column is known to name the contender ({', '.join(names[:12])}).",
                "Say it: --map contender=COLUMN, --contender NAME, or --as leaderboard (the first column names them).",
            )
        return found


class Leaderboard(Table):
    """One row a contender, no cases; the first column names the contender."""

    NAME = "leaderboard"
    SAYS = "leaderboard, one row a contender"

    def recognises(self, path: Path, head: str) -> bool:
        return False  # asked for with --as; a table whose contenders are named is read without

    def columns(self, path: Path, names: Sequence[str], asked: Asked) -> dict[str, str]:
        return {"contender": asked.mapping.get("contender", names[0])}


def load(into: Staging, path: Path, table: str) -> None:
    """Read a CSV (all columns as text) or Parquet file into `table`; lines that do not fit are told with their number."""
    import duckdb

    try:
        if path.name.lower().endswith(".parquet"):
            into.con.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet(?)", [str(path)])
        else:
            into.con.execute(
                f"CREATE TABLE {table} AS SELECT * FROM read_csv(?, all_varchar = true, header = true, skip = 0, "
                "comment = '', store_rejects = true)", [str(path)]
            )  # fmt: skip
            bad = into.rows("SELECT line, any_value(error_message) FROM reject_errors GROUP BY line ORDER BY line")
            for line, message in bad[:3]:
                into.told.drop("bad line", 1, f"{path.name}, line {line}: {message}")
            into.told.drop("bad line", len(bad[3:]))
            into.con.execute("DROP TABLE reject_errors; DROP TABLE reject_scans")
    except duckdb.Error as error:
        raise InputError(f"{path}: cannot be read as a table: {str(error).splitlines()[0]}") from error


def column_for(field: str, names: Sequence[str]) -> str | None:
    """The column that is named like `field` or one of its usual names."""
    lower = {name.strip().lower(): name for name in reversed(names)}
    exact = next((lower[name] for name in FIELDS[field] if name in lower), None)
    if exact is None and field == "contender":
        exact = next((name for name in names if "model" in re.split(r"[^a-z]+", name.lower())), None)
    return exact


def insert(
    into: Staging, columns: Mapping[str, str], values: Sequence[str], attributes: Mapping[str, str], asked: Asked,
    name: str, table: str = "raw",
) -> None:  # fmt: skip
    """Stage `table`: one row for each of its rows and value columns. name: the benchmark, where nothing else says so."""
    text = {field: f"trim(CAST({quoted(column)} AS VARCHAR))" for field, column in columns.items()}
    given = {n: f"nullif({text[n]}, '')" if n in PLAIN else text[n] for n in text}
    given["benchmark"] = _literal(asked.benchmark) if asked.benchmark else text.get("benchmark", _literal(name))
    given["contender"] = _literal(asked.contender) if asked.contender else text["contender"]
    given["case"] = text.get("case", _literal(WHOLE))
    given = {"status": "'ok'", "benchmark_version": "'imported'"} | given
    for number in ("seed", "duration_s", "started_at"):
        if number in columns:
            given[number] = f"TRY_CAST({text[number]} AS {COLUMNS[number]})"
    if "trial" in columns:
        given["trial"] = _trial(into, columns["trial"], table)
    if attributes:
        made = attributes_sql(into, table, attributes)
        own = given.get("case_attributes", "NULL")
        given["case_attributes"] = f"json_merge_patch(coalesce({own}, '{{}}'), {made})"
    for column in values:
        raw = f"trim(CAST({quoted(column)} AS VARCHAR))"
        row = {**given, "metric": given.get("metric", _literal(column))}
        row["value"] = f"CASE lower({raw}) WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE TRY_CAST({raw} AS DOUBLE) END"
        row["raw"] = f"CASE WHEN TRY_CAST({raw} AS DOUBLE) IS NULL THEN {raw} END"
        into.con.execute(
            f"INSERT INTO staged BY NAME SELECT {', '.join(f'{sql} AS {quoted(n)}' for n, sql in row.items())} "
            f"FROM {table} ORDER BY rowid"
        )
    into.told.mapped = {
        **columns,
        **{n: repr(v) for n, v in (("benchmark", asked.benchmark or name), ("case", WHOLE)) if n not in columns},
        **({"contender": repr(asked.contender)} if asked.contender else {}),
        "value": ", ".join(values),
        **{f"attribute {n}": c for n, c in attributes.items()},
    }


def attributes_sql(into: Staging, table: str, columns: Mapping[str, str]) -> str:
    """SQL for the JSON object of case attributes; columns of numbers give numbers, JSON objects give their entries."""
    plain, opened = [], []
    for name, column in columns.items():
        text = f"CAST({quoted(column)} AS VARCHAR)"
        whole, real, object_ = into.rows(
            f"""SELECT bool_and(TRY_CAST({text} AS BIGINT) IS NOT NULL), bool_and(TRY_CAST({text} AS DOUBLE) IS NOT NULL),
            bool_and(json_valid({text}) AND starts_with({text}, '{{')) FROM {table} WHERE {text} <> ''"""
        )[0]
        if object_:
            opened.append(f"coalesce({text}, '{{}}')")
        else:
            cast = f"TRY_CAST({text} AS {'BIGINT' if whole else 'DOUBLE'})" if real else f"nullif({text}, '')"
            plain.append(f"{_literal(name)}, {cast}")
    made = f"json_object({', '.join(plain)})"
    return f"json_merge_patch('{{}}', {', '.join([made, *opened])})"  # merging leaves nulls out


def _values(into: Staging, path: Path, names: Sequence[str], columns: Mapping[str, str], asked: Asked) -> list[str]:
    """The columns that hold values: as the user says, else the one so named, else all other columns of numbers."""
    if said := asked.mapping.get("value"):
        wanted = [said] if said in names else said.split("+")
        for column in wanted:
            if column not in names:
                raise unknown("column", column, names, where=str(path))
        return wanted
    free = [n for n in names if n not in {*columns.values(), *asked.mapping.values()}]
    if "metric" in columns or ("case" in columns and column_for("value", free)):
        if named := column_for("value", free):
            return [named]
        raise InputError(f"{path}: no column is known to hold the values ({', '.join(free)}).", "--map value=COLUMN")
    found = []
    for name in free:
        text = f"trim(CAST({quoted(name)} AS VARCHAR))"
        numbers, words = into.rows(
            f"""SELECT count(TRY_CAST({text} AS DOUBLE)) + count(*) FILTER (lower({text}) IN ('true', 'false')),
            count(*) FILTER (length({text}) > 2) FROM raw"""
        )[0]
        if numbers and numbers * 2 >= words:
            found.append(name)
    if not found:
        raise InputError(f"{path}: no column holds numbers ({', '.join(free)}).", "Say which: --map value=COLUMN")
    return found


def _trial(into: Staging, column: str, table: str) -> str:
    """SQL for the trial: the number in the column, or its place among the column's values where those are no counters."""
    text = f"CAST({quoted(column)} AS VARCHAR)"
    low, high, odd = into.rows(
        f"""SELECT min(TRY_CAST({text} AS BIGINT)), max(TRY_CAST({text} AS BIGINT)),
        count(*) FILTER (TRY_CAST({text} AS BIGINT) IS NULL) FROM {table}"""
    )[0]
    if not odd and low is not None and low >= 0 and high < 1000:
        return f"CAST({text} AS BIGINT)"
    into.told.notes.append(f"trials are numbered by the order of {column}")
    return f"dense_rank() OVER (ORDER BY {quoted(column)}) - 1"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _stem(path: Path) -> str:
    return re.sub(r"(\.(csv|tsv|parquet|gz))+$", "", path.name, flags=re.IGNORECASE)
