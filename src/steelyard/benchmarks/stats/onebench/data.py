"""Reads a sample-level pool: who scored what on which sample, and what the samples ask."""

from __future__ import annotations

import csv
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.benchmarks.stats.onebench.own import own_tables
from steelyard.core.errors import InputError, MissingError

COLUMNS = ("model", "sample_id", "source", "score")
LEADERBOARD = "alpacaeval2_leaderboard_for_pool.csv"
LEADERBOARD_SOURCE = "alpacaeval2"


@dataclass(frozen=True)
class Samples:
    """A pool. scores: (models, samples), higher is better, NaN where not measured. texts: "" where there is none.

    win_rates: published percentages of models on one source, where the data hold a leaderboard.
    """

    models: list[str]
    samples: list[str]
    sources: np.ndarray
    scores: np.ndarray
    texts: list[str]
    tags: list[dict[str, Any]]
    win_rates: Mapping[str, float]

    def of(self, source: str) -> tuple[np.ndarray, list[str]]:
        """(models, samples) of one source, and its models: those with a score on it."""
        part = self.scores[:, self.sources == source]
        there = np.flatnonzero(~np.isnan(part).all(axis=1))
        return part[there], [self.models[i] for i in there]


@lru_cache(maxsize=2)
def read_samples(data: str | None) -> Samples:
    """The pool in folder `data` (measurements.parquet, samples.parquet), or our own when None.

    Scores that are no numbers are dropped with a count; of two different scores for one (model, sample) the first
    counts, and the conflicts are counted; both are told as warnings. A column `higher_is_better` (false: the sample's
    scores are turned round) may stand beside the scores. Raises InputError for missing columns, MissingError for files.
    """
    if data is None:
        return _joined(*own_tables(), {}, "our own pool")
    folder = Path(data)
    rows = _table(folder / "measurements.parquet", COLUMNS)
    facts = _table(folder / "samples.parquet", ("sample_id", "source"))
    rates = {}
    if (folder / LEADERBOARD).is_file():
        with (folder / LEADERBOARD).open(encoding="utf-8", newline="") as file:
            rates = {row[""]: float(row["win_rate"]) for row in csv.DictReader(file)}
    return _joined(rows, facts, rates, str(folder))


def _table(path: Path, columns: Sequence[str]) -> dict[str, list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingError(
            f"{path} is not here.", "Give --data a folder with measurements.parquet and samples.parquet."
        )
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise InputError(f"{path} is no Parquet file: {error}.") from error
    if lacking := [c for c in columns if c not in table.column_names]:
        raise InputError(f"{path}: column {lacking[0]!r} is missing.", f"It needs: {', '.join(columns)}.")
    return {name: table[name].to_pylist() for name in table.column_names}


def _joined(
    rows: Mapping[str, list[Any]], facts: Mapping[str, list[Any]], rates: Mapping[str, float], where: str
) -> Samples:
    n = len(facts["sample_id"])
    texts = [t if isinstance(t, str) else "" for t in facts.get("text", [""] * n)]
    tags = [json.loads(t) if t else {} for t in facts.get("tags", [""] * n)]
    samples = list(facts["sample_id"])
    models = list(dict.fromkeys(rows["model"]))
    row_at, column_at = ({name: i for i, name in enumerate(names)} for names in (models, samples))
    if len(column_at) != n:
        raise InputError(f"{where}: a sample stands twice in samples.parquet.", "Give every sample one row.")
    scores = np.full((len(models), n), math.nan)
    dropped = repeated = conflicts = 0
    flipped = rows.get("higher_is_better", [True] * len(rows["model"]))
    for model, sample, score, higher in zip(rows["model"], rows["sample_id"], rows["score"], flipped, strict=True):
        if sample not in column_at:
            raise InputError(f"{where}: sample {sample!r} of model {model!r} is not in samples.parquet.")
        if isinstance(score, bool) or not isinstance(score, int | float) or math.isnan(score):
            dropped += 1
            continue
        value = float(score) if higher in (None, True) else -float(score)
        at = row_at[model], column_at[sample]
        if math.isnan(scores[at]):
            scores[at] = value
        else:
            repeated += 1
            conflicts += scores[at] != value
    for count, what in ((dropped, "scores are no numbers and were dropped"),
                        (repeated, f"scores repeat a (model, sample): the first counts; {conflicts} of them differ")):  # fmt: skip
        if count:
            warnings.warn(f"{where}: {count} {what}", stacklevel=3)
    return Samples(models, samples, np.array(facts["source"]), scores, texts, tags, rates)
