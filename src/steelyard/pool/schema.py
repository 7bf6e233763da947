"""The columns of the tall table, and the ways in: from measurements, from another library's table."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

from steelyard.core.errors import InputError
from steelyard.core.words import Measurement, Provenance, Status

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = tuple(field.name for field in fields(Measurement))
REALS = frozenset({"value", "duration_s", "started_at"})
INTEGERS = frozenset({"trial", "seed"})
TEXTS = tuple(name for name in COLUMNS if name not in REALS | INTEGERS)
DEFAULTS = {field.name: field.default for field in fields(Measurement) if field.default is not MISSING}
REQUIRED = tuple(name for name in COLUMNS if name not in DEFAULTS)
IMPORTED = "imported"  # the code version of what other tools measured: one for all, so that several files read as one
WORDS = {"status": frozenset(map(str, Status)), "provenance": frozenset(map(str, Provenance))}

_ROW = operator.attrgetter(*COLUMNS)
_TEXT_AT = tuple(COLUMNS.index(name) for name in TEXTS)
_REAL_AT = tuple(COLUMNS.index(name) for name in COLUMNS if name in REALS)
_INTEGER_AT = tuple(COLUMNS.index(name) for name in COLUMNS if name in INTEGERS)
_WORD_AT = tuple((COLUMNS.index(name), name) for name in WORDS)


class ResumeKey(NamedTuple):
    """What makes two measurements the same cell: such a cell is not measured again."""

    benchmark: str
    benchmark_version: str
    case: str
    contender: str
    contender_config: str
    trial: int
    code_version: str


CELL = (*ResumeKey._fields, "metric")
# What counts of the pool are told apart by.
COUNTED = (
    "benchmark", "benchmark_version", "contender", "metric", "unit", "status", "provenance", "run", "machine",
    "code_version",
)  # fmt: skip


def resume_key(row: Measurement) -> ResumeKey:
    """The resume key of `row`, spelled as the pool stores it."""
    key = [getattr(row, name) for name in ResumeKey._fields]
    return ResumeKey._make(sound_text(part) if isinstance(part, str) else part for part in key)


def sound_text(text: str) -> str:
    r"""`text` with lone surrogates (bytes that were no UTF-8) spelled out as \udcXX; all other text is unchanged."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def plain_row(row: Measurement) -> list[Any]:
    """`row` as a list in the order of COLUMNS, every value of a type that is stored exactly.

    Raises InputError naming the field that cannot be stored: a row must not be acknowledged and fail later.
    """
    out = list(_ROW(row))
    for i in _TEXT_AT:
        if not isinstance(out[i], str):
            raise _bad(row, COLUMNS[i], out[i], "text")
    try:
        for i in _REAL_AT:
            out[i] = float(out[i])
    except (TypeError, ValueError):
        raise _bad(row, COLUMNS[i], out[i], "a number") from None
    for i in _INTEGER_AT:
        try:
            out[i] = operator.index(out[i])
        except TypeError:
            raise _bad(row, COLUMNS[i], out[i], "a whole number") from None
        if not -(2**63) <= out[i] < 2**63:
            raise _bad(row, COLUMNS[i], out[i], "a whole number of 64 bits")
    for i, name in _WORD_AT:
        if out[i] not in WORDS[name]:
            raise _bad(row, name, out[i], f"one of {', '.join(sorted(WORDS[name]))}")
    folder(row.benchmark)
    return out


def _bad(row: Measurement, name: str, value: object, wanted: str) -> InputError:
    return InputError(
        f"measurement {row.benchmark!r}, case {row.case!r}, contender {row.contender!r}: {name} is {value!r}.",
        f"It must be {wanted}.",
    )


def folder(benchmark: str) -> str:
    """The folder of a benchmark's parts inside the pool. Raises InputError where the name makes no folder."""
    name = "benchmark=" + quote(sound_text(benchmark), safe="")
    if not benchmark or len(name) > 200:
        raise InputError(f"benchmark name {benchmark[:60]!r} is {'too long' if benchmark else 'empty'}.")
    return name


def benchmark_of(name: str) -> str:
    """The benchmark whose folder is `name`."""
    return unquote(name.removeprefix("benchmark="))


def schema() -> pa.Schema:
    """The Arrow schema of a part: text is dictionary-encoded."""
    import pyarrow as pa

    return pa.schema([(name, _arrow_type(name)) for name in COLUMNS])


def _arrow_type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name in REALS:
        return pa.float64()
    return pa.int64() if name in INTEGERS else pa.dictionary(pa.int32(), pa.string())


def table_of(rows: Sequence[Sequence[Any]], columns: Sequence[str] = COLUMNS) -> pa.Table:
    """The Arrow table of `rows` (lists in the order of `columns`), in the pool's schema."""
    import pyarrow as pa

    made = {}
    for name, values in zip(columns, zip(*rows, strict=True) if rows else [()] * len(columns), strict=True):
        if name in TEXTS:
            made[name] = pa.array(values, pa.string()).dictionary_encode()
        elif name in COLUMNS:
            made[name] = pa.array(values, _arrow_type(name))
    return conform(pa.table(made))


def conform(table: pa.Table) -> pa.Table:
    """`table` in the pool's schema: columns in order, missing ones at their defaults, null as the default or NaN.

    Raises InputError for a missing required column, an unknown one, or values of the wrong type.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    lacking = [name for name in REQUIRED if name not in table.column_names]
    extra = [name for name in table.column_names if name not in COLUMNS]
    if lacking or extra:
        said = [f"{' and '.join(names)} {word}" for names, word in ((lacking, "missing"), (extra, "unknown")) if names]
        raise InputError(f"table of measurements: column {'; column '.join(said)}.", f"Columns: {', '.join(COLUMNS)}.")
    made = []
    for field in schema():
        default = "" if field.name in TEXTS else float("nan")
        default = DEFAULTS.get(field.name, default)
        default = str(default) if field.name in TEXTS else default
        if field.name not in table.column_names:
            plain = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            column: Any = pa.chunked_array([pa.repeat(pa.scalar(default, plain), table.num_rows)])
            made.append(column.dictionary_encode() if field.name in TEXTS else column)
            continue
        try:
            column = _typed(table[field.name], field.type)
        except pa.ArrowInvalid as error:
            raise InputError(f"table of measurements, column {field.name}: {error}.") from error
        if column.null_count:
            plain = column.cast(field.type.value_type) if field.name in TEXTS else column
            plain = pc.fill_null(plain, default)
            column = plain.dictionary_encode() if field.name in TEXTS else plain
        made.append(column)
        if field.name in WORDS:
            odd = {str(word) for word in pc.unique(column).to_pylist()} - WORDS[field.name]
            if odd:
                raise InputError(
                    f"table of measurements, column {field.name}: {', '.join(sorted(odd))} unknown.",
                    f"It must be one of {', '.join(sorted(WORDS[field.name]))}.",
                )
    return pa.table(made, schema=schema())


def _typed(column: pa.ChunkedArray, to: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    if column.type == to:
        return column
    if pa.types.is_dictionary(to):
        if pa.types.is_dictionary(column.type) and pa.types.is_string(column.type.value_type):
            return column.cast(to)
        return column.cast(to.value_type).dictionary_encode()
    return column.cast(to)
