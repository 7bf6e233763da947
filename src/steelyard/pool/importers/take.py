"""One source into the pool: stage it, settle its metrics, give it names, write it; and tell what became of every row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard.core.card import Card, MetricFacts
from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Provenance
from steelyard.pool.importers import formats
from steelyard.pool.importers.asked import Asked, Format, Source, Told
from steelyard.pool.importers.metrics import kind_of, known_direction, slugs, spec_names
from steelyard.pool.importers.staging import Staging, quoted, stamp
from steelyard.pool.schema import COLUMNS, IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

    from steelyard.pool import Pool

CHUNK = 200_000


def take(pool: Pool | None, source: Source, asked: Asked, ours: Mapping[str, Card], *, dry: bool = False) -> Told:
    """Import `source`; with `dry`, tell what would be done and write nothing (`pool` may then be None).

    ours: the cards of the benchmarks that are not imported, by name: such a benchmark is imported under a version that
    names the format, and only if its card knows the metrics. Raises InputError for an unreadable file, and for a metric
    that nobody has said of which way is better; the pool is then as it was.
    """
    format = formats.FORMATS[source.format]
    told = Told(str(source.name), source.format)
    with Staging(told, artifacts=asked.artifacts) as into:
        format.read(source, asked, into)
        if asked.cases:
            _add_facts(into, asked.cases)
        into.settle()
        if not into.rows("SELECT 1 FROM staged LIMIT 1"):
            told.notes.append("nothing is left to import")
            return told
        cards = _name(into, pool, source, asked, ours, format)
        if not dry and pool is not None:
            for card in cards:
                pool.put_card(card)
            _write(into, pool, source, asked)
    return told


def _add_facts(into: Staging, path: Path) -> None:
    """Stage a table of cases, one row each: its columns become attributes; JSON objects among them are opened."""
    from steelyard.pool.importers.tables import attributes_sql, column_for, load

    load(into, path, "cases")
    names = [name for name, *_ in into.rows("DESCRIBE cases")]
    column = column_for("case", names)
    if column is None:
        raise InputError(
            f"{path}: no column names the case ({', '.join(names)}).", "Call it `case`, `id` or `sample_id`."
        )
    others = {name: name for name in names if name != column}
    into.con.execute(
        f'INSERT INTO facts SELECT "{column}", {attributes_sql(into, "cases", others)} FROM cases '
        f'QUALIFY row_number() OVER (PARTITION BY "{column}" ORDER BY rowid) = 1'
    )
    (known,) = into.rows('SELECT count(DISTINCT "case") FROM staged SEMI JOIN facts USING ("case")')[0]
    (all_,) = into.rows('SELECT count(DISTINCT "case") FROM staged')[0]
    into.told.notes.append(f"{path.name} describes {known:,} of {all_:,} cases")


def _name(
    into: Staging, pool: Pool | None, source: Source, asked: Asked, ours: Mapping[str, Card], format: Format
) -> list[Card]:
    """Settle names and metrics; the tables `benchmarks`, `metrics` and `names` in the staging; the cards to keep."""
    found = into.rows(
        """SELECT benchmark, metric, min(rowid), bool_and(value IN (0, 1)), bool_and(value BETWEEN 0 AND 1)
        FROM staged GROUP BY ALL ORDER BY 3"""
    )
    benchmarks = slugs({row[0] for row in found}, "benchmark")
    metric_names = {b: slugs({row[1] for row in found if row[0] == b}, "metric") for b in benchmarks}
    cards, lacking, shown = [], [], []
    for benchmark, name in benchmarks.items():
        card = ours.get(name)
        if card and not set(metric_names[benchmark].values()) <= set(card.metric):
            odd = sorted(set(metric_names[benchmark].values()) - set(card.metric))
            into.told.notes.append(f"{name} of Steelyard has no {', '.join(odd)}: imported as {name}-{source.format}")
            benchmarks[benchmark] = name = f"{name}-{source.format}"
            card = None
        old = card or (pool.card(name) if pool else None)
        before = {m.name: m for m in old.metrics} if old else {}
        facts: list[MetricFacts] = []
        for _, metric, _, binary, fraction in (row for row in found if row[0] == benchmark):
            short = metric_names[benchmark][metric]
            direction, unit, why = _direction(metric, before.get(short), asked, into, format)
            if direction is None:
                lacking.append(metric)
                continue
            kind = kind_of(unit, bool(binary), bool(fraction), before.get(short))
            facts.append(MetricFacts(name=short, unit=unit, direction=direction, kind=kind))
            shown.append({"benchmark": name, "metric": short, "column": metric, "unit": unit,
                          "direction": str(direction), "kind": str(kind), "known": why})  # fmt: skip
        if not card and facts:
            cards.append(_card(name, source, facts, has_primary=any(m.primary for m in before.values())))
    if lacking:
        raise InputError(
            f"{source.name}: which way is better is not known of {', '.join(sorted(set(lacking)))}.",
            "Declare it: --higher-is-better METRIC, --lower-is-better METRIC, or --no-direction METRIC for a plain "
            "fact.\nA pattern declares several ('*'); the longest that fits a metric decides.",
        )
    # Of a benchmark of ours the version tells what was brought from what was measured here.
    for benchmark in (b for b, name in benchmarks.items() if name in ours):
        into.con.execute(
            """UPDATE staged SET benchmark_version = 'imported-' || benchmark_version WHERE benchmark = ?
            AND NOT (starts_with(benchmark_version, 'imported') OR starts_with(benchmark_version, ?))""",
            [benchmark, source.format],
        )
    into.told.metrics = shown
    into.told.benchmarks = [
        {"benchmark": benchmarks[b], "version": v, "rows": n, "cases": c, "contenders": w}
        for b, v, n, c, w in into.rows(
            """SELECT benchmark, any_value(benchmark_version), count(*), count(DISTINCT "case"),
            count(DISTINCT contender) FROM staged GROUP BY 1 ORDER BY 1"""
        )
    ]
    names = spec_names(name for (name,) in into.rows("SELECT DISTINCT contender FROM staged"))
    for was, name in list(names.items())[:3]:
        into.told.examples.append(f"contender renamed: {was!r} is {name!r}")
    if names:
        into.told.notes.append(
            f"{len(names):,} contenders renamed, so that commands can name them (their own name is kept)"
        )
    _lookup(into, "benchmarks", ("was", "name"), list(benchmarks.items()))
    rows = [(b, m, short, f["unit"]) for b in benchmarks for m, short in metric_names[b].items()
            for f in shown if (f["benchmark"], f["metric"]) == (benchmarks[b], short)]  # fmt: skip
    _lookup(into, "metrics", ("of", "was", "name", "unit"), rows)
    _lookup(into, "names", ("was", "name", "config"), [(w, n, json.dumps({"name": w})) for w, n in names.items()])
    return cards


def _direction(
    metric: str, before: MetricFacts | None, asked: Asked, into: Staging, format: Format
) -> tuple[Direction | None, str, str]:
    """(direction, unit, who says so): the user, the file, the format, or what the pool or our card has."""
    table = known_direction(metric, format.METRICS)
    unit = before.unit if before else table[1] if table else "1"
    if (said := asked.direction(metric)) is not None:
        return said, unit, "declared"
    if metric in into.directions:
        return into.directions[metric], unit, "said by the file"
    if table:
        return table[0], unit, f"known of {format.NAME}"
    if before:
        return before.direction, unit, "as before"
    return None, unit, ""


def _card(name: str, source: Source, facts: list[MetricFacts], *, has_primary: bool) -> Card:
    if not has_primary:
        first = next((i for i, m in enumerate(facts) if m.direction is not Direction.NONE), 0)
        facts = [m.model_copy(update={"primary": i == first}) for i, m in enumerate(facts)]
    return Card(
        name=name, kind="benchmark", title=name, track="imported", interface="imported", metrics=facts,
        summary=f"Imported ({formats.FORMATS[source.format].SAYS}), first from {source.name.name}.",
    )  # fmt: skip


def _lookup(into: Staging, name: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    into.con.execute(f"CREATE TABLE {name} ({', '.join(f'{c} VARCHAR' for c in columns)})")
    if rows:
        into.con.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)


def _write(into: Staging, pool: Pool, source: Source, asked: Asked) -> None:
    """Stream what is staged into parts whose names say which file they hold: the same file adds nothing again."""
    digest = digest_of(source)
    who = into.rows(
        "SELECT DISTINCT contender FROM staged ORDER BY 1"
    )  # a file that names nobody is named after itself
    cases = digest_of(Source("", asked.cases, (asked.cases,))) if asked.cases else ""
    settings = json.dumps([digest, cases, source.format, sorted(asked.mapping.items()), asked.measured, who])
    into.store(pool.put_blob)
    origin = pool.put_blob(json.dumps({"file": source.name.name, "sha256": digest, "format": source.format}))
    seen, reader = 0, _reader(into, source, asked, origin, digest)
    for number, table in enumerate(_chunks(reader)):
        seen += table.num_rows
        into.told.added += pool.append_table(table, key=f"{settings}/{number}")
    into.told.known = into.told.added == 0 and seen > 0


def _reader(into: Staging, source: Source, asked: Asked, origin: str, digest: str) -> pa.RecordBatchReader:
    """The staged rows in the pool's columns, in the order in which they were read."""
    provenance = Provenance.MEASURED if asked.measured else Provenance.PUBLISHED
    given = {
        "benchmark": "b.name",
        "contender": "coalesce(n.name, s.contender)",
        "metric": "m.name",
        "unit": "m.unit",
        "value": "coalesce(s.value, 'nan'::DOUBLE)",
        "trial": "coalesce(s.trial, 0)",
        "seed": "coalesce(s.seed, 0)",
        "status": "coalesce(s.status, 'ok')",
        "benchmark_version": "s.benchmark_version",
        "started_at": f"coalesce(s.started_at, {stamp(source.files[0])!r})",
        "case_attributes": "json_merge_patch(coalesce(s.case_attributes, '{}'), coalesce(f.attributes, '{}'))",
        "contender_config": "json_merge_patch(coalesce(s.contender_config, '{}'), coalesce(n.config, '{}'))",
        "artifacts": f"json_merge_patch(coalesce(s.artifacts, '{{}}'), '{json.dumps({'source': origin})}')",
        "provenance": f"'{provenance}'",
        "run": f"'import-{digest[:16]}'",
        "machine": "''",
        "code_version": f"'{IMPORTED}'",
    }
    columns = ", ".join(f"{given.get(name, f's.{quoted(name)}')} AS {quoted(name)}" for name in COLUMNS)
    return into.con.sql(
        f"""SELECT {columns} FROM (SELECT *, rowid AS nr FROM staged) s JOIN benchmarks b ON s.benchmark = b.was
        JOIN metrics m ON m.of = s.benchmark AND m.was = s.metric LEFT JOIN names n ON s.contender = n.was
        LEFT JOIN facts f ON s."case" = f."case" ORDER BY s.nr"""
    ).to_arrow_reader(CHUNK // 8)


def _chunks(reader: Any) -> Any:
    import pyarrow as pa

    waiting: list[Any] = []
    for batch in reader:
        waiting.append(batch)
        if sum(len(b) for b in waiting) >= CHUNK:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def digest_of(source: Source) -> str:
    """SHA-256 over the content of all files of a source, in hex."""
    whole = hashlib.sha256()
    for path in source.files:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
