"""Did the search buy anything? Runs by data set and method against random ones, and what the study's curves say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steelyard.benchmarks.training.nas import published_runs
from steelyard.benchmarks.training.nas.tables import Sheet, read_ladder, read_sheets
from steelyard.core.errors import InputError, unknown
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Case, Status
from steelyard.stats.pairs import holm
from steelyard.stats.search_gain import Gain, gain, metrics_of, pseudo_values, significant

OWN = Path(__file__).parent / "data"
FOLDS = (8, 24, 32, 214)  # runs a side, architectures under two seeds, at two depths, of the random sample


RECORDS = (
    "searched", "random-average", "cells", "recipe-ladder", "darts-over-random", "random-214", "random-214-last",
    "two-seeds", "8-to-20-cells", "cells-4-to-20", "cells-8-to-20", "space-original-to-modified",
)  # fmt: skip


class NAS:
    """part: cells (data set x method), or records (what the official curves and the recipe ladder say)."""

    def __init__(self, part: str = "cells") -> None:
        if part not in ("cells", "records"):
            raise InputError(f"nas: part is {part!r}.", "It may be 'cells' or 'records'.")
        self.part = part
        self._kept: dict[Any, Any] = {}

    def cases(self, data: str | None) -> Iterator[Case]:
        """Cells and what they come to; or folds of the records, epochs, depths and recipes."""
        folder = OWN if data is None else Path(data)
        self.sheets = {s.name: s for s in read_sheets(folder)}
        self.ladder = read_ladder(folder)
        self.curves = published_runs.read_curves(folder)
        self.records = published_runs.records(self.sheets, self.ladder, self.curves)
        self._kept.clear()
        yield from self._cells() if self.part == "cells" else self._records()

    def _cells(self) -> Iterator[Case]:
        for sheet in self.sheets.values():
            for method in sheet.methods:
                facts = {"kind": "cell", "dataset": sheet.name, "method": method}
                yield Case(f"{sheet.name}/{method}", (sheet.name, method), facts, method)
        yield Case("data", None, {"kind": "data"})

    def _records(self) -> Iterator[Case]:
        for folds in FOLDS if self.records else ():
            for k in range(folds):
                yield Case(f"fold-{k:03}-of-{folds}", (k, folds), {"kind": "fold", "folds": folds, "fold": k})
        for epoch in published_runs.EPOCHS if "214_random_architectures" in self.curves else ():
            yield Case(f"epoch-{epoch}", epoch, {"kind": "epoch", "epoch": epoch})
        for name in (c for c in self.curves if c.startswith("cell_n_")):
            cells = int(name.removeprefix("cell_n_"))
            yield Case(f"cells-{cells}", name, {"kind": "depth", "cells": cells})
        for name in self.ladder.columns if self.ladder else ():
            yield Case(f"recipe {name}", name, {"kind": "recipe", "recipe": name})

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """The metrics of one case; contenders that have nothing to say of it are `unsupported`."""
        kind = case.attributes["kind"]
        name = contender.name if isinstance(contender, Replay) else ""
        if name and name not in RECORDS:
            raise unknown("published record", name, RECORDS, where="replay:")
        if kind == "data":
            return Outcome(self._counts())
        if kind == "cell" and (name in ("searched", "random-average") or getattr(contender, "columns", "")):
            return self._cell(contender, name, *case.payload)
        if kind == "fold" and name in self.records:
            return self._fold(name, *case.payload)
        if kind == "epoch" and name == "random-214":
            return Outcome(published_runs.early(self.curves["214_random_architectures"], case.payload))
        if kind == "depth" and name == "cells":
            curves = self.curves[case.payload]
            return Outcome(
                {"accuracy": float(curves.max(axis=1).mean()), "last_epoch_accuracy": float(curves[:, -1].mean())}
            )
        if kind == "recipe" and name == "recipe-ladder" and self.ladder is not None:
            column = self.ladder.column(case.payload)
            return Outcome({"accuracy": float(column.mean()), "sd": float(column.std())})
        return Outcome({}, Status.UNSUPPORTED, f"measured by other contenders ({kind})")

    def _cell(self, contender: Any, name: str, dataset: str, method: str) -> Outcome:
        table = self._once(contender, lambda: self._table(contender, name))
        if (dataset, method) not in table:
            return Outcome({}, Status.UNSUPPORTED, "no runs of both sides: known as a summary only, or not at all")
        facts, adjusted = table[dataset, method]
        plain = self._once("by-name", lambda: self._table(None, "searched"))[dataset, method][0]
        holm_p = {"welch_p_holm": adjusted, "significant_improvement_holm": significant(facts, adjusted)}
        return Outcome({
            **metrics_of(facts), **({} if math.isnan(adjusted) else holm_p),
            "column_discrepancy": 0.0 if name else abs(facts.improvement - plain.improvement),
        })  # fmt: skip

    def _table(self, contender: Any, name: str) -> dict[tuple[str, str], tuple[Gain, float]]:
        """Every cell's gain, with its Welch p after Holm over all of them."""
        found: dict[tuple[str, str], Gain] = {}
        for sheet in self.sheets.values():
            gains = _by_name(sheet, name) if name else contender(sheet)
            found |= {(sheet.name, method): g for method, g in gains.items()}
        adjusted = holm([g.welch_p for g in found.values()])
        return {key: (g, float(p)) for (key, g), p in zip(found.items(), adjusted, strict=True)}

    def _fold(self, name: str, k: int, folds: int) -> Outcome:
        record = self.records[name]
        values = self._once((name, folds), lambda: pseudo_values(record.statistic, record.samples, folds))
        return Outcome({record.metric: float(values[k])})

    def _counts(self) -> dict[str, float]:
        """Cells with eight runs or more on both sides."""
        full = [min(s.searched(m).size, s.random(m).size) >= 8 for s in self.sheets.values() for m in s.methods]
        return {"method_dataset_cells": float(sum(full)), "cells_listed": float(len(full))}

    def _once(self, key: Any, make: Any) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def _by_name(sheet: Sheet, name: str) -> dict[str, Gain]:
    """The published runs against their random twins; random-average: the random runs against themselves."""
    found = {}
    for method in sheet.methods:
        random, searched = sheet.random(method), sheet.searched(method)
        if searched.size and random.size:
            found[method] = gain(random if name == "random-average" else searched, random)
    return found
