"""Text-to-SQL: a question about a database, a query, and whether the query's result is that of the reference."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from steelyard.benchmarks.code.options import check_options
from steelyard.benchmarks.code.records import read_records
from steelyard.benchmarks.code.text_to_sql import databases
from steelyard.benchmarks.code.text_to_sql.hardness import LEVELS, hardness, ordered
from steelyard.benchmarks.code.text_to_sql.matching import same_result
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status

FIELDS = ("db_id", "question", "query")
SHOWN_ROWS = 3
_FENCE = re.compile(r"```(?:\w+)?[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_BARE = re.compile(r"^\s*((?:select|with)\b.*?)(?:;|\n\s*\n|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Question:
    """One question. database: its file."""

    database: Path
    question: str
    query: str


@dataclass(frozen=True)
class TextToSql:
    """timeout: seconds for a query."""

    timeout: float = 30.0

    own: ClassVar[Path] = Path(__file__).parent / "data"
    reads_trail: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(timeout=self.timeout)

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The questions of `dev.json` in a folder that also holds `database/`. Every database is opened here.

        Raises InputError naming record and field, MissingError for a database that is not here.
        """
        folder = Path(data) if data is not None else self.own
        places = dict.fromkeys(LEVELS, 0)
        found = []
        for at, record in enumerate(read_records(folder / "dev.json", FIELDS, key="")):
            name, question, query = (record.text(f) for f in FIELDS)
            if not re.fullmatch(r"\w[\w.-]*", name):
                raise InputError(f"{record.where}: db_id {name!r} is no name of a database.")
            path = _database(folder / "database", name)
            databases.open_copy(path)
            found.append((f"{name}/{at}", Question(path, question, query), name))
        digest = {identity: hashlib.sha256(identity.encode()).hexdigest() for identity, *_ in found}
        place = {}
        for identity, asked, _ in sorted(found, key=lambda f: digest[f[0]]):
            level = hardness(asked.query)
            place[identity], places[level] = places[level], places[level] + 1
        for identity, asked, name in found:
            facts = {"database": name, "difficulty": hardness(asked.query), "place": place[identity]}
            yield Case(identity, asked, facts)

    def prompt(self, case: Case, **_: object) -> list[Message]:
        """The schema as CREATE TABLE statements, then the question."""
        asked: Question = case.payload
        text = (
            f"A SQLite database has these tables:\n```sql\n{databases.schema(asked.database)}\n```\n"
            f"Question: {asked.question}\nAnswer with one SQL query in a fenced block."
        )
        return [Message("user", text)]

    def generation(self, **_: object) -> dict[str, object]:
        return {"temperature": 0.0, "top_p": 1.0, "max_tokens": 256}

    def program(self, case: Case, output: str, **_: object) -> str:
        """The query in an answer: its first fenced block, else what begins with SELECT or WITH; "" for neither."""
        fenced = _FENCE.search(output)
        bare = None if fenced else _BARE.search(output)
        return fenced[1].strip() if fenced else bare[1].strip() if bare else ""

    def execute(self, case: Case, program: str) -> str:
        """What the query returns, in words a model may read: it tells nothing of the reference."""
        table = databases.query(case.payload.database, program, self.timeout)
        if table.error:
            return f"The query fails: {table.error}."
        rows = "\n".join(map(repr, table.rows[:SHOWN_ROWS]))
        count = f"{len(table.rows)} row{'s' * (len(table.rows) != 1)}"
        return f"The query returns {count} with the columns {', '.join(table.columns)}.\n{rows}".rstrip()

    def reference(self, case: Case, **_: object) -> str:
        """An output that must score 1."""
        return f"```sql\n{case.payload.query}\n```"

    def score(self, case: Case, output: str, trail: Mapping[str, Any] | None = None, **_: object) -> Outcome:
        """execution_accuracy of one answer, and what a solver's rewrites changed (trail)."""
        asked: Question = case.payload
        sql = self.program(case, output)
        right, error, empty = self._right(asked, sql)
        metrics = {"execution_accuracy": float(right), "query_error": float(bool(error)), "gold_empty": float(empty)}
        if trail:
            metrics |= self._of_trail(asked, trail, right, str(case.attributes["difficulty"]))
        return Outcome(metrics, Status.OK, error, {"program": sql})

    def _right(self, asked: Question, sql: str) -> tuple[bool, str, bool]:
        """Whether the query is right, its error, and whether the reference returns no row."""
        gold = databases.query(asked.database, asked.query, self.timeout)
        if gold.error:
            return False, f"the reference fails: {gold.error}", False
        if not sql:
            return False, "NoCode", not gold.rows
        given = databases.query(asked.database, sql, self.timeout)
        same = not given.error and same_result(gold.rows, given.rows, ordered=ordered(asked.query))
        return same, given.error, not gold.rows

    def _of_trail(self, asked: Question, trail: Mapping[str, Any], last: bool, level: str) -> dict[str, float]:
        first = self._right(asked, str(trail["programs"][0]))[0]
        gain = float(last) - float(first)
        out = {
            "fixed": float(last and not first), "broken": float(first and not last), "execution_accuracy_gain": gain,
            f"gain_{level}": gain, "turns": float(trail["turns"]), "tokens": float(trail["tokens"]),
        }  # fmt: skip
        if trail["stopped"] == "judged right":
            out["false_correct_stop"] = float(not last)
        if trail["by"] == "model" and trail["judged"]:
            out["first_verdict_right"] = float(trail["judged"][0] == first)
        return out


def _database(folder: Path, name: str) -> Path:
    spider, script = folder / name / f"{name}.sqlite", folder / f"{name}.sql"
    return script if script.is_file() else spider
