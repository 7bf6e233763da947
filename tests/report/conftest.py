"""The synthetic pool, gathered once, and a catalog that knows its benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard import catalog
from steelyard.pool import Pool
from steelyard.report.html import build_page
from steelyard.report.sections import Section, gather
from tests.report import synthetic


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `pool`, while the catalog holds the cards of the synthetic benchmarks and no others."""
    folder = tmp_path_factory.mktemp("report")
    synthetic.write_cards(folder / "cards")
    synthetic.fill(folder / "pool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "_folders", lambda: iter([folder / "cards"]))
        catalog.entries.cache_clear()
        yield folder
    catalog.entries.cache_clear()


@pytest.fixture(scope="module")
def sections(place: Path) -> list[Section]:
    with Pool(place / "pool", readonly=True) as pool:
        return [gather(pool, name) for name in ("race", "problems", "untouched")]


@pytest.fixture(scope="module")
def page(sections: list[Section]) -> str:
    ledger = [
        synthetic.claim("holds"),
        synthetic.claim("fails", value=1.02, low=0.98, high=1.06),
        synthetic.claim("undecided", value=1.3, low=1.2, high=1.4, more_needed=40, says=synthetic.SCRIPT),
        synthetic.claim(
            "out of reach", value=float("nan"), low=None, high=None, typical=None, reason="needs an AMD Zen 2 processor"
        ),
    ]
    return build_page(sections, ledger, written=1_790_000_000.0, pool="/pools/mine", own_pool="/pools/mine")
