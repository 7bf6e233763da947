"""CodeElo: the human rating of a virtual participant in real contests, from the verdicts on its attempts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steelyard.benchmarks.code.codeelo.made_up import made_up
from steelyard.benchmarks.code.codeelo.rounds import Rated, Rounds, read_rounds
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Case, Status
from steelyard.stats.attempts import Attempts, contest_score, rate, spread
from steelyard.stats.contest import percentile_of, place
from steelyard.stats.estimates import mean

VERDICTS = {"AC", "WA", "TLE", "MLE", "RE", "CE", "PE", "ILE", "OLE", "No code", "SKIPPED", "CHALLENGED", "PARTIAL"}
OVERALL = "overall"
OVERALL_METRICS = (
    "mean_rating", "standard_error", "order_error", "overall_percentile", "overall_percentile_low",
    "overall_percentile_high", "optimism", "rounds", "ignored_problems",
)  # fmt: skip
PUBLISHED = {"o1-mini": 1578, "qwq-32b-preview": 1261}  # arXiv:2501.01257, abstract


def read(data: str | None, profile: str, name: str) -> Rounds:
    """The rounds of `data`, or our own; InputError for a profile that does not exist."""
    if profile not in ("sound", "published"):
        raise InputError(f"{name}: profile is {profile!r}.", "It may be 'sound' or 'published'.")
    published = profile == "published"
    return made_up(published=published) if data is None else read_rounds(data, published=published)


class CodeElo:
    """A contender is called with each round (stats.contest.Round) and gives problem index -> verdicts in order, or None
    where it took no part. attempts: how many count at each problem, 0 for all. profile=published counts ranks from zero and skips rounds with unrated rows, as released."""

    def __init__(self, profile: str = "sound", attempts: int = 0) -> None:
        if attempts < 0:
            raise InputError(f"codeelo: attempts is {attempts}.", "Give 1 or more, or 0 for all.")
        self.profile, self.most = profile, int(attempts) or None
        self.notes: list[str] = []

    def cases(self, data: str | None) -> list[Case]:
        """One case a round, and one for all of them together."""
        found = read(data, self.profile, "codeelo")
        self.rounds, self.notes = found, found.notes
        if assumed := [r.contest.id for r in found.rated if r.assumed]:
            note = "problems are not listed; A, B, C ... are taken to be worth 500, 1000, 1500 ... or one each"
            self.notes.append(f"rounds {', '.join(assumed)}: {note}")
        cases = []
        for rated in found.rated:
            contest = rated.contest
            style = "icpc" if None in contest.problems.values() else "points"
            facts = {
                "contest": int(contest.id) if contest.id.isdigit() else contest.id,
                "participants": contest.ratings.size,
            }
            about = {"kind": "round", "label": rated.label, "style": style, "problems": len(contest.problems), **facts}
            cases.append(Case(contest.id, rated, about))
        return [*cases, Case(OVERALL, found, {"kind": OVERALL, "rounds": len(found.rated)})]

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """The rating in one round, or what all rounds say together; see the card for the metrics."""
        if isinstance(contender, Replay):
            return self._published(contender.name, case)
        if case.id == OVERALL:
            return self._overall(contender)
        attempts = _checked(contender(case.payload.contest), case.payload)
        if attempts is None:
            return Outcome({}, Status.UNSUPPORTED, f"took no part in round {case.id}")
        return self._round(case.payload, attempts)

    def summary(self, values: Any) -> dict[str, str | float]:
        """The rating over all rounds with its errors, and the percentile of the humans it stands at."""
        of = {name: values(name).get(OVERALL) for name in OVERALL_METRICS}
        if of["mean_rating"] is None:
            return {}
        found: dict[str, str | float] = {"rating": f"{of['mean_rating']:.0f}"}
        if of["standard_error"] is not None:
            found["error over rounds"] = f"± {of['standard_error']:.0f}"
        if of["order_error"] is not None:
            found["over orders of attempts"] = f"± {of['order_error']:.0f}"
        ends = [of["overall_percentile_low"], of["overall_percentile_high"]]
        between = "" if None in ends else f" [{ends[0]:.1f}, {ends[1]:.1f}]"
        found["percentile of humans"] = f"{of['overall_percentile']:.1f}{between}"
        for name in ("optimism", "rounds", "ignored_problems"):
            if of[name] is not None:
                found[name.replace("_", " ")] = of[name]
        return found

    def _round(self, rated: Rated, attempts: Attempts) -> Outcome:
        contest, first = rated.contest, self.profile == "sound"
        score, penalty = contest_score(contest, attempts, self.most)
        rating = int(rate(contest, score, penalty, first=int(first)))
        orders = spread(contest, attempts, first=int(first), most=self.most)
        optimism = int(rate(contest, score, penalty, first=0)) - int(rate(contest, score, penalty, first=1))
        metrics = {
            "rating": rating,
            "percentile": float(percentile_of(rating, self.rounds.humans)),
            "score": score,
            "penalty": penalty,
            "rank": int(place(contest.points, contest.penalty, score, penalty)) + first,
            "solved": sum("AC" in v[: self.most] for k, v in attempts.items() if k in contest.problems),
            "rating_over_orders": orders.mean,
            "order_deviation": orders.deviation,
            "optimism": optimism,
            "ignored_problems": sum(k not in contest.problems for k in attempts),
        }
        return Outcome(metrics, artifacts={"attempts": json.dumps({k: list(v) for k, v in attempts.items()})})

    def _overall(self, contender: Any) -> Outcome:
        """Mean over the rounds taken part in, with its interval over rounds, and the part that the order plays in it."""
        known = {r.contest.id for r in self.rounds.rated}
        taken = [(r, _checked(contender(r.contest), r)) for r in self.rounds.rated]
        done = [dict(self._round(r, a).metrics) for r, a in taken if a is not None]
        if not done:
            return Outcome({}, Status.UNSUPPORTED, "took part in no rated round: there is no average")
        ratings = [m["rating"] for m in done]
        e = mean(ratings)
        metrics = {
            "mean_rating": e.value,
            "rounds": len(done),
            "overall_percentile": float(percentile_of(e.value, self.rounds.humans)),
            "order_error": math.sqrt(sum(m["order_deviation"] ** 2 for m in done)) / len(done),
            "optimism": sum(m["optimism"] for m in done) / len(done),
            "ignored_problems": sum(m["ignored_problems"] for m in done) + _elsewhere(contender, known),
        }
        if len(done) > 1:
            metrics["standard_error"] = float(np.std(ratings, ddof=1)) / math.sqrt(len(done))
            for end, value in (("low", e.low), ("high", e.high)):
                metrics[f"overall_percentile_{end}"] = float(percentile_of(value, self.rounds.humans))
        return Outcome(metrics)

    def _published(self, name: str, case: Case) -> Outcome:
        if name not in PUBLISHED:
            raise InputError(f"the paper's abstract rates no {name!r}.", f"Known: {', '.join(PUBLISHED)}.")
        if case.id != OVERALL:
            return Outcome({}, Status.UNSUPPORTED, "published as the mean over contests that are not here")
        rating = PUBLISHED[name]
        return Outcome({"mean_rating": rating, "overall_percentile": float(percentile_of(rating, self.rounds.humans))})


def _checked(given: Any, rated: Rated) -> Attempts | None:
    """Attempts whose verdicts are all known; InputError names the first that is not."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InputError(f"round {rated.contest.id}: attempts are {type(given).__name__}, not problem -> verdicts.")
    for index, verdicts in given.items():
        where = f"problem {rated.contest.id}{index}"
        if isinstance(verdicts, str) or not isinstance(verdicts, Sequence):
            raise InputError(f"{where}: the attempts are {verdicts!r}.", 'Write a list: ["WA", "AC"].')
        for number, verdict in enumerate(verdicts, 1):
            if verdict not in VERDICTS:
                known = ", ".join(sorted(VERDICTS))
                raise InputError(f"{where}, attempt {number}: verdict {verdict!r} is unknown.", f"Known: {known}.")
    return given


def _elsewhere(contender: Any, known: set[str]) -> int:
    """Problems of rounds that the data do not have, where the contender can tell."""
    return sum(contest not in known for contest in getattr(contender, "contests", ()))
