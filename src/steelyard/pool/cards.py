"""The cards of benchmarks that an importer brought: what their metrics are, kept beside their measurements."""

from __future__ import annotations

import os

from steelyard.core.card import Card
from steelyard.core.errors import InputError
from steelyard.core.words import Direction
from steelyard.pool.schema import folder
from steelyard.pool.store import Store

FOLDER = "_cards"


def put_card(store: Store, card: Card) -> Card:
    """Keep `card`, its metrics joined to those that an earlier import told of; the card as it now stands.

    Raises InputError where both name a metric and disagree on its unit or direction.
    """
    before = {m.name: m for m in (get_card(store, card.name) or card).metrics}
    for metric in card.metrics:
        old = before.get(metric.name, metric)
        if (old.unit, old.direction) != (metric.unit, metric.direction):
            raise InputError(
                f"{card.name}: {metric.name} is in {metric.unit!r}, {_better(metric.direction)}; the pool has it in "
                f"{old.unit!r}, {_better(old.direction)}.",
                "Import it under another name (of the benchmark or of the metric), or mend the direction.",
            )
        before[metric.name] = metric
    joined = card.model_copy(update={"metrics": list(before.values())})
    made = store.scratch / f"card.{os.getpid()}.{os.urandom(4).hex()}"
    made.write_text(joined.model_dump_json(exclude_defaults=True), encoding="utf-8")
    store.place(made, _file(card.name))
    return joined


def get_card(store: Store, name: str) -> Card | None:
    """The card kept under `name`, None where there is none."""
    try:
        return Card.model_validate_json(store.read(_file(name)))
    except FileNotFoundError:
        return None


def names(store: Store) -> list[str]:
    """The benchmarks that have a card here."""
    return sorted(e.name.removeprefix(f"{FOLDER}/").removesuffix(".json") for e in store.files(FOLDER))


def _file(name: str) -> str:
    folder(name)  # refuses what makes no file name
    return f"{FOLDER}/{name}.json"


def _better(direction: Direction) -> str:
    return "neither way better" if direction is Direction.NONE else f"{direction} is better"
