"""What the released scores of MultiCodeBench say of domains: means, spread, who leads where, and do rankings agree."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from steelyard.benchmarks.code.multicodebench.benchmark import MultiCodeBench
from steelyard.benchmarks.code.multicodebench.official import official
from steelyard.benchmarks.code.multicodebench.tasks import Task, read_outputs, read_scores, read_tasks
from steelyard.core.errors import unknown
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Case, Provenance, Status
from steelyard.stats.pairs import holm, sign_flip
from steelyard.stats.resample import codes

ALL, TABLE = "all", "table"
PERMUTATIONS, LEVEL = 999, 0.95
LEAST_PYTHON = 20  # tasks in Python that a domain needs to stand in the comparison within that language
Array = NDArray[np.float64]


class Domains:
    """Contenders are `replay:MODEL`, each with its scores, and `replay:table`, the table itself.

    A case is a domain, or all of them. Trial 0 is the figure; the other trials are its draws with the repositories
    resampled. Where the data hold outputs and no scores, the released scorer is run on them.
    """

    own: ClassVar[Path] = MultiCodeBench.own

    def __init__(self) -> None:
        self.notes: list[str] = []

    def cases(self, data: str | None) -> list[Case]:
        """One case a domain, in the order of the data, and `all`."""
        folder, self.notes[:] = (self.own if data is None else Path(data)), []
        read = list(read_tasks(folder, self.notes))
        self.tasks: list[Task] = [task for _, task in read]
        keys = [(task.domain, case.partition("/")[2]) for case, task in read]
        scores, self.provenance = read_scores(folder), Provenance.PUBLISHED
        if not scores:
            scores, self.provenance = (
                _scored(dict(zip(keys, self.tasks, strict=True)), read_outputs(folder)),
                Provenance.MEASURED,
            )
        self.per_task = {key: len(set(map(len, rows.values()))) == 1 for key, rows in scores.items()}
        self.models = sorted(scores)
        self.scores: Array = np.array(
            [[np.mean(scores[m][k]) if scores[m].get(k) else np.nan for k in keys] for m in self.models]
        ).reshape(len(self.models), len(keys))
        names = [task.domain for task in self.tasks]
        self.names = list(dict.fromkeys(names))
        self.domain = np.array([self.names.index(name) for name in names])
        self.group = codes([task.repository for task in self.tasks], len(names))
        # resampling and null distributions are by model and are used by many cells
        self.__dict__.pop("_leaders", None)
        self._chance: dict[str, float] = {}
        cases = [Case(name, at, {"kind": "domain", "n": names.count(name)}) for at, name in enumerate(self.names)]
        return [*cases, Case(ALL, None, {"kind": ALL, "n": len(names)})]

    def contenders_in(self, data: str | None) -> list[str]:
        """The models of the data, and the table."""
        folder = self.own if data is None else Path(data)
        return [*(f"replay:{m}" for m in read_scores(folder) or read_outputs(folder)), f"replay:{TABLE}"]

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """InputError for a model that the data do not have."""
        name = contender.name if isinstance(contender, Replay) else str(contender)
        if name == TABLE:
            return Outcome(self._of_table(case), provenance=self.provenance)
        if name not in self.models:
            raise unknown("replay", name, [*self.models, TABLE])
        values = self.scores[self.models.index(name)]
        weight = np.ones(values.size) if trial == 0 else self._drawn(trial)
        weight = np.where(np.isnan(values), 0.0, weight)
        means = self._means(np.nan_to_num(values), weight)
        if case.id != ALL:
            mean = float(means[case.payload])
            if np.isnan(mean):
                return Outcome({}, Status.UNSUPPORTED, f"no score of {name} in this domain")
            return Outcome({"official_codebleu": mean}, provenance=self.provenance)
        metrics = {
            "official_codebleu": float(np.nanmean(means)),
            "domain_spread": float(np.nanmax(means) - np.nanmin(means)),
            "chance_spread": self._by_chance(name, values),
            "domains_led_by_another": float(self._leaders[name]),
        }
        python = np.array([task.language == "python" for task in self.tasks])
        enough = np.array([int((python & (self.domain == d)).sum()) >= LEAST_PYTHON for d in range(len(self.names))])
        within = self._means(np.nan_to_num(values), weight * python)[enough]
        if np.isfinite(within).sum() > 1:
            metrics["domain_spread_python"] = float(np.nanmax(within) - np.nanmin(within))
        return Outcome(metrics, provenance=self.provenance)

    def _means(self, values: Array, weight: Array, domain: NDArray[np.intp] | None = None) -> Array:
        """(domains,) weighted means; NaN where a domain has no weight."""
        domain = self.domain if domain is None else domain
        sums, total = (np.bincount(domain, w, minlength=len(self.names)) for w in (weight * values, weight))
        return np.where(total > 0, sums / np.where(total > 0, total, 1.0), np.nan)

    def _drawn(self, trial: int) -> Array:
        """(tasks,) how often each was drawn when the repositories of each domain are drawn with replacement."""
        rng = np.random.default_rng(trial)
        weight = np.zeros(self.domain.size)
        for d in range(len(self.names)):
            groups = np.unique(self.group[self.domain == d])
            counts = np.bincount(rng.integers(0, groups.size, groups.size), minlength=groups.size)
            inside = np.flatnonzero(self.domain == d)
            weight[inside] = counts[np.searchsorted(groups, self.group[inside])]
        return weight

    def _by_chance(self, name: str, values: Array) -> float:
        """The spread of the domain means that 95% of random assignments of repositories to domains stay below."""
        if name not in self._chance:
            rng = np.random.default_rng(0)
            first = np.unique(self.group, return_index=True)[1]
            weight, filled = (~np.isnan(values)).astype(float), np.nan_to_num(values)
            spreads = []
            for _ in range(PERMUTATIONS):
                labels = rng.permutation(self.domain[first])
                means = self._means(filled, weight, labels[self.group])
                spreads.append(float(np.nanmax(means) - np.nanmin(means)))
            self._chance[name] = float(np.quantile(spreads, LEVEL))
        return self._chance[name]

    @cached_property
    def _leaders(self) -> dict[str, int]:
        """Of each model: in how many domains another is better, paired by task, signs flipped by repository, with Holm's
        correction over all domains and other models."""
        found = {}
        for name, own in zip(self.models, self.scores, strict=True):
            where, p, ahead = [], [], []
            for other in self.scores:
                if other is own:
                    continue
                for d in range(len(self.names)):
                    kept = (self.domain == d) & ~np.isnan(own) & ~np.isnan(other)
                    difference = (other - own)[kept]
                    if difference.size and difference.sum() > 0:
                        sums = np.bincount(codes(list(self.group[kept]), difference.size), difference)
                        p.append(sign_flip(sums))
                        where.append(d)
                    elif difference.size:
                        p.append(1.0)
                        where.append(d)
            ahead = {d for d, adjusted in zip(where, holm(p), strict=True) if adjusted < 1 - LEVEL}
            found[name] = len(ahead)
        return found

    def _of_table(self, case: Case) -> dict[str, float]:
        if case.id == ALL:
            complete = [
                ~np.isnan(row).any() and self.per_task[m] for m, row in zip(self.models, self.scores, strict=True)
            ]
            return {
                "tasks": float(len(self.tasks)),
                "domains": float(len(self.names)),
                "languages": float(len({task.language for task in self.tasks})),
                "frameworks": float(len({(task.domain, task.framework) for task in self.tasks})),
                "complete_models": float(sum(complete)),
            }
        return self._agreement(case.payload)

    def _agreement(self, domain: int) -> dict[str, float]:
        """Kendall's tau-b over the models between the means in one domain and those in all others."""
        from scipy.stats import kendalltau

        weight = (~np.isnan(self.scores)).astype(float)
        means = np.array([self._means(np.nan_to_num(s), w) for s, w in zip(self.scores, weight, strict=True)])
        rest = np.delete(means, domain, axis=1)
        kept = np.isfinite(means[:, domain]) & np.isfinite(rest).any(axis=1)
        metrics = {"tasks": float((self.domain == domain).sum())}
        if kept.sum() > 2:
            metrics["tau_with_other_domains"] = float(
                kendalltau(means[kept, domain], np.nanmean(rest[kept], axis=1)).statistic
            )
        return metrics


def _scored(
    tasks: dict[tuple[str, str], Task], outputs: dict[str, dict[tuple[str, str], list[str]]]
) -> dict[str, dict[tuple[str, str], list[float]]]:
    """The released scorer on outputs that came without scores."""

    def score(key: tuple[str, str], output: str) -> float:
        task = tasks[key]
        return 100 * official(task.language, task.declaration, task.truth, output).score

    return {
        model: {key: [score(key, o) for o in given] for key, given in rows.items() if key in tasks}
        for model, rows in outputs.items()
    }
