"""The small data of our own: three made-up rounds and made-up ratings, in the schema of the real ones, by this recipe.

Nobody's changes are given: made up by the rule under test they would prove nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from steelyard.benchmarks.code.codeelo.rounds import Rounds, add_round, checked
from steelyard.stats.contest import integers, win_probability

MINUTES = 120
PROBLEMS: dict[
    int, tuple[dict[str, int | None], tuple[int, ...]]
] = {  # (problems with their points, difficulties as ratings)
    9001: ({"A": 500, "B": 1000, "C": 1500, "D": 2000, "E": 2500}, (700, 1100, 1500, 1900, 2400)),
    9002: (dict.fromkeys("ABCDEF"), (600, 900, 1200, 1500, 1900, 2300)),
    9003: ({"A": 500, "B": 750, "C": 1250, "D": 2000}, (1100, 1500, 1900, 2400)),
}


def made_up_round(contest: int, participants: int = 300) -> dict[str, Any]:
    """One round: each solves a problem with the Elo chance against its difficulty, at a random minute, after refusals.

    Points fall by 1/250 of the problem's worth a minute and by 50 a refusal, never below three tenths.
    """
    rng = np.random.default_rng(contest)
    problems, difficulties = PROBLEMS[contest]
    strengths = np.clip(rng.normal(1300, 380, participants), 0, 3500).round().astype(int)
    rows: list[list[Any]] = []
    for number, strength in enumerate(strengths):
        score, penalty = 0.0, 0
        for worth, difficulty in zip(problems.values(), difficulties, strict=True):
            solved = rng.random() < win_probability(strength, difficulty)
            minute, refused = int(rng.integers(2, MINUTES)), int(rng.geometric(0.7)) - 1
            if not solved:
                continue
            if worth is None:
                score, penalty = score + 1, penalty + minute + 10 * refused
            else:
                score += max(0.3 * worth, worth - worth * minute / 250 - 50 * refused)
        rows.append([f"m{number:05d}", round(score), penalty, int(strength), None])
    rows.sort(key=lambda row: (-row[1], row[2]))
    fields = ["participant", "points", "penalty", "old_rating", "delta"]
    return {"contest_id": contest, "label": f"made-up-{contest}", "fields": fields, "problems": problems, "rows": rows}


def made_up(*, published: bool) -> Rounds:
    """The three rounds and 5,000 ratings of humans."""
    found = Rounds()
    for contest in PROBLEMS:
        add_round(found, made_up_round(contest), f"made-up round {contest}", published=published)
    humans = np.random.default_rng(9000).normal(1150, 420, 5000)
    found.humans = integers(np.sort(np.clip(humans, -50, 3800).round()))
    return checked(found, "made-up data")
