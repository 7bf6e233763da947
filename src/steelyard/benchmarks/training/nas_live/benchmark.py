"""A small search done here: does it beat the average random architecture, and what moves accuracy more than it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from steelyard.benchmarks.training.nas_live.networks import RECIPES, SPACES, Search, Space, accuracy, final, train
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.stats.search_gain import gain, metrics_of, pseudo_values

ARCHITECTURES, SEEDS = 12, 2  # of the layout of architectures, recipes and seeds


class LiveNAS:
    """runs: searches, and random architectures, of each cell. budget: training epochs that one search may spend.

    part: search (search methods on four spaces), or factors (a layout of architectures, recipes and seeds).
    """

    def __init__(self, runs: int = 8, budget: int = 40, part: str = "search") -> None:
        if part not in ("search", "factors"):
            raise InputError(f"nas-live: part is {part!r}.", "It may be 'search' or 'factors'.")
        if runs < 3 or budget < 8:
            raise InputError(f"nas-live: runs={runs}, budget={budget}.", "runs >= 3, budget >= 8 epochs.")
        self.runs, self.budget, self.part = runs, budget, part
        self._random: dict[tuple[str, int], list[float]] = {}
        self._scores: np.ndarray | None = None

    def cases(self, data: str | None) -> Iterator[Case]:
        """One case a search space; one for each architecture left out of the layout of factors."""
        if data is not None:
            raise InputError(f"nas-live reads no data ({data}).", "Leave --data out; `nas` takes tables of runs.")
        if self.part == "factors":
            for k in range(ARCHITECTURES):
                yield Case(f"factor-{k:02}-of-{ARCHITECTURES}", k, {"kind": "factor", "fold": k})
            return
        for space in SPACES:
            yield Case(space.name, space, {"kind": "search", "width": space.width, "images": space.images})

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """A search method is called with a networks.Search; a factor's share with (architectures, recipes, seeds)."""
        factor = hasattr(contender, "factor")
        if factor != (case.attributes["kind"] == "factor"):
            return Outcome(
                {}, Status.UNSUPPORTED, "part=search weighs search methods, part=factors weighs variance-share"
            )
        if factor:
            return Outcome({"accuracy_variance_share": self._share(contender, case.payload)})
        seeds = range(trial * self.runs, (trial + 1) * self.runs)
        searched, spent = [], []
        for seed in seeds:
            search = Search(case.payload, seed, self.budget)
            searched.append(final(contender(search), case.payload, seed))
            spent.append(search.spent)
        facts = gain(searched, self._baseline(case.payload, trial))
        return Outcome({**metrics_of(facts), "search_cost": float(np.mean(spent))})

    def _baseline(self, space: Space, trial: int) -> list[float]:
        """As many random architectures as there are searches, under the same recipe, of seeds that no search uses."""
        key = (space.name, trial)
        if key not in self._random:
            seeds = range(10_000 + trial * self.runs, 10_000 + (trial + 1) * self.runs)
            self._random[key] = [final(Search(space, s, 0).draw(), space, s) for s in seeds]
        return self._random[key]

    def _share(self, contender: Any, fold: int) -> float:
        """Jackknife pseudo-value of the share, one architecture left out."""
        if self._scores is None:
            self._scores = layout(SPACES[2])
        return float(pseudo_values(contender, [self._scores], ARCHITECTURES)[fold])


def layout(space: Space) -> np.ndarray:
    """Test accuracy (percent) of random architectures under every recipe and several seeds, (12, recipes, 2)."""
    search = Search(space, 99, 0)
    drawn = [search.draw() for _ in range(ARCHITECTURES)]
    return np.array([[[accuracy(train(g, space, r, s), "test") for s in range(SEEDS)] for r in RECIPES] for g in drawn])
