"""The bridge to Inspect: models, solvers and tasks in, measurements out. Nothing heavy is imported before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steelyard.catalog.models import LocalModel, find_model, list_models
from steelyard.core.card import Card
from steelyard.core.interfaces import Outcome
from steelyard.core.spec import Spec
from steelyard.core.words import Case
from steelyard.llm.fetch import pull

Record = Callable[[Case, int, Outcome, float, float], None]

__all__ = ["LocalModel", "Record", "check", "find_model", "identity", "list_models", "pull", "run_model"]


def identity(spec: Spec, card: Card, bench: Any) -> tuple[str, Mapping[str, Any]]:
    """What stands behind a model spec: a hash of its checkpoint, engine and solvers, and the options that go out.

    Raises InputError for an unknown model, solver or option, MissingError for a model that was not pulled.
    """
    from steelyard.llm.bridge import resolve

    chosen = resolve(spec, card)
    return chosen.source, chosen.config(bench)


def check(spec: Spec, card: Card) -> None:
    """Make sure that a model can be asked: provider known, its package importable, its key there. Nothing is sent.

    Raises InputError or MissingError.
    """
    from steelyard.llm.bridge import model_of, resolve

    model_of(resolve(spec, card), spec)


def run_model(
    card: Card, bench: Any, spec: Spec, cells: Sequence[tuple[Case, int]], record: Record, *, log_dir: str, seed: int,
    time_s: float | None, cell_timeout_s: float,
) -> None:  # fmt: skip
    """Run one model (with its solvers) over cells through Inspect; `record` is called as each sample ends."""
    from steelyard.llm.bridge import run

    run(card, bench, spec, cells, record, log_dir=log_dir, seed=seed, time_s=time_s, cell_timeout_s=cell_timeout_s)
