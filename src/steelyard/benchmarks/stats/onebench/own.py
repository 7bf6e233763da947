"""Our own small pool in the official schema: four suites that share models, and one that no other touches."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

# source -> (score, models of known strength, kinds of task: two templates each)
SUITES: dict[str, tuple[str, dict[str, float], dict[str, tuple[str, str]]]] = {
    "sums": ("binary", {"ash": 1.4, "birch": 0.9, "cedar": 0.4, "elm": -0.1, "fir": -0.7, "oak": -1.3}, {
        "fractions": ("Add the fractions {a}/{b} and 1/{b} and give the lowest terms.", "Which is larger, {a}/9 or {b}/8?"),
        "geometry": ("A rectangle is {a} by {b} metres: what is its area?", "A triangle has angles of {a} and {b} degrees: give the third."),
        "money": ("{a} pens cost {b} euros each: what is the price of all?", "From a bill of {a}0 euros {b} percent are taken off: what is left to pay?"),
    }),
    "charts": ("binary", {"ash": 1.0, "birch": 1.1, "cedar": 0.2, "elm": 0.1, "larch": -0.6}, {
        "bar chart": ("In the bar chart, which bar is taller, number {a} or number {b}?", "How many bars of the chart lie above {a}?"),
        "map": ("On the map, which town lies north of town {a}?", "How far is it on the map from {a} to {b}?"),
    }),
    "essays": ("share", {"ash": 1.2, "birch": 0.5, "cedar": 0.6, "elm": -0.2, "fir": -0.6, "larch": -0.9, "pine": -1.2}, {
        "story": ("Write a short story about {a} sailors and {b} storms.", "Tell a tale in which a fox meets {a} hens."),
        "letter": ("Write a polite letter that asks to move the meeting by {a} days.", "Draft a complaint about {b} broken cups."),
    }),
    "dialogues": ("grade", {"ash": 0.8, "cedar": 0.7, "fir": -0.2, "larch": -0.5, "pine": -0.9, "willow": -1.6}, {
        "advice": ("I slept {a} hours: what should I do?", "My {b} plants wither: why?"),
    }),
    "proofs": ("binary", {"lemma": 0.8, "axiom": 0.0, "corollary": -0.7}, {
        "algebra": ("Prove that {a} divides n({a}n + {a}).", "Show that {a}x + {b} = 0 has one real root."),
    }),
}  # fmt: skip
ITEMS = 120


def own_tables() -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """(measurements, samples) as columns; made by one recipe from fixed strengths, the same on every machine."""
    rows: dict[str, list[Any]] = {name: [] for name in ("model", "sample_id", "source", "kind", "score")}
    facts: dict[str, list[Any]] = {name: [] for name in ("sample_id", "source", "text", "tags")}
    for at, (source, (score, models, tasks)) in enumerate(SUITES.items()):
        rng = np.random.default_rng(at)
        kinds = list(tasks)
        for item in range(ITEMS):
            task = kinds[item % len(kinds)]
            text = tasks[task][item // len(kinds) % 2].format(a=2 + item % 11, b=3 + item % 7)
            hardness = rng.normal()
            sample = f"{source}_{item:03d}"
            tags = {"task": task, "level": "hard" if hardness > 0.5 else "easy"}
            for name, value in zip(facts, (sample, source, text, json.dumps(tags)), strict=True):
                facts[name].append(value)
            for model, strength in models.items():
                chance = 1 / (1 + np.exp(hardness - strength))
                drawn = {
                    "binary": float(rng.random() < chance), "share": float(np.clip(rng.normal(chance, 0.15), 0, 1)),
                    "grade": float(np.clip(np.round(1 + 9 * chance + rng.normal(0, 1)), 1, 10)),
                }  # fmt: skip
                kind = "binary" if score == "binary" else "numeric"
                for name, value in zip(rows, (model, sample, source, kind, drawn[score]), strict=True):
                    rows[name].append(value)
    return rows, facts
