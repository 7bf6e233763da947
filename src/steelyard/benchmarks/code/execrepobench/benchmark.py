"""ExecRepoBench: fill a gap in a file of a repository so that the repository's tests pass."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from steelyard.benchmarks.code.execrepobench import gaps, needed, prompts, similarity
from steelyard.benchmarks.code.execrepobench.context import Order, Query
from steelyard.benchmarks.code.execrepobench.gaps import Gap
from steelyard.benchmarks.code.extract import fences
from steelyard.benchmarks.code.options import Profile, Route, check_options
from steelyard.benchmarks.code.repositories.running import run_tests
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Built, Message, Outcome
from steelyard.core.words import Case, Status

GENERATED = 512  # tokens an answer may have; the rest of the window is the prompt's
ALIKE = 0.5  # similarity from which a completion counts as judged right by its text


@dataclass(frozen=True)
class ExecRepoBench:
    """timeout: seconds for a case's tests. window, files: tokens of a prompt with its answer, and of the other files in it.

    profile: published rounds similarities to whole per cent, scores an empty output 0 and swaps two columns of the summary.
    slice: a built slice by name, in place of the project's own data.
    """

    timeout: float = 60.0
    window: int = 8192
    files: int = 4096
    profile: Profile = "sound"
    slice: str = ""
    notes: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    facts: dict[str, float] = field(default_factory=dict, init=False, repr=False, compare=False)
    found: list[Gap] = field(default_factory=list, init=False, repr=False, compare=False)

    own: ClassVar[Path] = Path(__file__).parent / "data"

    def __post_init__(self) -> None:
        check_options(timeout=self.timeout, profile=self.profile)
        if not 0 <= self.files < self.window - GENERATED:
            raise InputError(
                f"execrepobench: files={self.files} leaves no room in window={self.window}.",
                f"window must exceed files by more than the {GENERATED} tokens of an answer.",
            )

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The gaps of `data` (a folder, or a file in the official schema), of a built slice, or the project's own.

        Raises InputError naming line and field, MissingError for a file or slice that is not here.
        """
        from steelyard.benchmarks.code.execrepobench.building import find

        self.notes.clear()
        place = Path(data) if data is not None else find(str(self.slice)) if self.slice else self.own
        found = gaps.read_gaps(place, self.notes)
        self.facts["samples"] = float(len(found))
        self.found[:] = found
        for gap in found:
            about = {
                "repository": gap.repository, "file": gap.path, "fill_type": gap.fill_type,
                "characters": len(gap.middle), "lines": gap.middle.count("\n") + 1, "tests": len(gap.tests),
            }  # fmt: skip
            yield Case(gap.id, gap, about, group=gap.repository)

    def prompt(
        self, case: Case, route: Route = "chat", fill: prompts.Fill = "comment", context: str = "repository",
        order: Order = "close", query: Query = "without-middle", **_: object,
    ) -> list[Message]:  # fmt: skip
        """route chat: four headed parts. route completion: raw text with the fill-in-the-middle tokens of a family.

        context shuffled: the files that would stand with a gap of another repository, a control.
        """
        check_options(route=route)
        gap: Gap = case.payload
        shown = {"repository": gap, "shuffled": self._other(gap)}.get(context)
        files, before, after = prompts.parts(gap, query, order, shown, self.window, self.files, GENERATED)
        if route == "completion":
            return [Message("raw", prompts.raw(gap, files, before, after, fill))]
        return [Message("user", prompts.headed(gap, files, before, after))]

    def _other(self, gap: Gap) -> Gap:
        """The next gap of another repository."""
        at = next((i for i, one in enumerate(self.found) if one.id == gap.id), 0)
        behind = (*self.found[at:], *self.found[:at])
        return next((one for one in behind if one.repository != gap.repository), gap)

    def generation(self, route: Route = "chat", fill: prompts.Fill = "comment", **_: object) -> dict[str, object]:
        """Greedy, one sample, as published."""
        stops = prompts.STOPS[fill] if route == "completion" else ()
        return {"temperature": 0.0, "max_tokens": GENERATED} | ({"stop_seqs": list(stops)} if stops else {})

    def program(self, case: Case, output: str, route: Route = "chat", **_: object) -> str:
        """The middle in an output: raw text as it is; of a chat answer its first fenced block, or all of it.

        A block that repeats the indentation in front of the gap loses it where only so the file parses.
        """
        if route == "completion":
            return output
        gap: Gap = case.payload
        blocks = fences(output)
        middle = blocks[0].removesuffix("\n") if blocks else output
        margin = gap.prefix.rpartition("\n")[2]
        less = middle.removeprefix(margin)
        if margin.strip() or less == middle or _parses(gap.filled(middle)) or not _parses(gap.filled(less)):
            return middle
        return less

    def reference(self, case: Case, route: Route = "chat", **_: object) -> str | Outcome:
        """The middle that was taken out; where the repository is not here there is nothing to gate."""
        gap: Gap = case.payload
        if gap.project is None:
            return Outcome(self.facts, Status.UNSUPPORTED, gaps.lacks(gap))
        return gap.middle if route == "completion" else _fenced(gap.middle)

    def score(self, case: Case, output: str, route: Route = "chat", **options: object) -> Outcome:
        """pass_at_1 (not where the repository is not here) and the similarity to the middle that was taken out."""
        gap: Gap = case.payload
        middle = self.program(case, output, route)
        alike = similarity.edit_similarity(middle, gap.middle, self.profile == "published")
        metrics = {
            "edit_similarity": alike, "exact_match": float(middle.strip() == gap.middle.strip()),
            "empty": float(not middle.strip()), "repeats_suffix": float(repeats(middle, gap.suffix)),
        }  # fmt: skip
        for query in ("with-middle", "without-middle"):
            place = needed.mean_rank(gap, query)
            metrics |= {f"needed_rank_{query.replace('-', '_')}": place} if place is not None else {}
        if gap.project is None:
            return Outcome(metrics, Status.OK, gaps.lacks(gap), {"middle": middle})
        ran = run_tests(gap.project, gap.tests, {gap.path: gap.filled(middle)}, first=True, wall_s=self.timeout)
        if ran.ours:
            return Outcome({}, Status.FAILED, f"runner: {ran.message}", {"middle": middle, "log": ran.log})
        metrics |= {
            "pass_at_1": float(ran.passed), "misjudged": float((alike >= ALIKE) != ran.passed),
            "printed_as_pass": alike if self.profile == "published" else float(ran.passed),
            "compile_error": float(ran.verdict == "syntax"), "wrong": float(ran.verdict == "assertion"),
        }  # fmt: skip
        error = "" if ran.passed else f"{ran.verdict}: {ran.message}"
        return Outcome(metrics, Status.OK, error, {"middle": middle, "log": ran.log})

    def summary(self, values: Any) -> list[dict[str, Any]]:
        """Similarity and pass rate (%) of all cases and by fill type, each with its n; how well the first tells the second.

        profile published: the released table has the two under each other's names.
        """
        alike, passed = values("edit_similarity"), values("pass_at_1")
        both = [case for case in alike if case in passed]
        about: Mapping[str, Mapping[str, Any]] = values.attributes("edit_similarity") if both else {}
        names = ("pass@1", "ES") if self.profile == "published" else ("ES", "pass@1")
        rows: list[dict[str, Any]] = []
        for kind in ("all", *dict.fromkeys(about[case]["fill_type"] for case in both)) if both else ():
            chosen = [case for case in both if kind in ("all", about[case]["fill_type"])]
            row: dict[str, Any] = {"fill_type": kind, "n": len(chosen)}
            for name, of in zip(names, (alike, passed), strict=True):
                row[name] = round(100 * sum(of[case] for case in chosen) / len(chosen), 1)
            rows.append(row | similarity.agreement([alike[c] for c in chosen], [passed[c] for c in chosen]))
        return rows

    def build(
        self, out: Path | None, progress: Any, packages: list[str] = (), since: date | None = None,  # type: ignore[assignment]
        until: date | None = None, recipe: str = "", limit: int = 12, seed: int = 1,
    ) -> Built:  # fmt: skip
        """New gaps in source distributions, gated; see building.build."""
        from steelyard.benchmarks.code.execrepobench import building

        return building.build(out, progress, list(packages), since, until, recipe, limit, seed, self.timeout)


def repeats(middle: str, suffix: str) -> bool:
    """Whether a completion goes on into what follows the gap: its last lines are the first ones of the suffix."""
    lines = [line.strip() for line in middle.strip().split("\n")]
    after = [line.strip() for line in suffix.strip().split("\n") if line.strip()]
    return any(
        lines[-n:] == after[:n] and len("".join(after[:n])) > 3 for n in range(1, min(len(lines), len(after)) + 1)
    )


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def _fenced(middle: str) -> str:
    return f"```python\n{middle}\n```"
