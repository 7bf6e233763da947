"""`steelyard select`: a benchmark of one's own, from whatever cases of the pool answer a query."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from steelyard.core.errors import InputError, MissingError
from steelyard.core.spec import parse_spec
from steelyard.report.plain import print_json
from steelyard.report.ranking import Field, field_of, load_all, measured, print_ranking, ranking_of, rows_of
from steelyard.report.terminal import console, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.stats.claims import Where

TOP_K = 50  # hits, where neither a number nor a threshold is given
SHOWN = 10
TEXT = 200  # characters of a hit that are shown


@dataclass(frozen=True)
class Candidate:
    """One case of the pool. text: what it asks, "" where the pool does not hold it."""

    benchmark: str
    case: str
    text: str


@dataclass(frozen=True)
class Selected:
    """hits: candidates with their similarity (NaN without a query), best first. best: the highest similarity of all."""

    hits: list[tuple[Candidate, float]]
    candidates: int
    without_text: int
    best: float

    def cases(self) -> dict[str, list[str]]:
        """Benchmark -> case ids."""
        out: dict[str, list[str]] = {}
        for candidate, _ in self.hits:
            out.setdefault(candidate.benchmark, []).append(candidate.case)
        return out


def candidates(pool: Pool, benchmarks: Sequence[str], where: Where | None) -> list[Candidate]:
    """The cases of `benchmarks` that `where` keeps, in the order of their ids.

    The text is the attribute `text` of a case, else the prompt that was kept of it.
    """
    table = pool.query(
        """
        SELECT benchmark, "case" AS case_id, arg_max(case_attributes, started_at) AS attributes,
               max(artifacts->>'prompt') AS prompt
        FROM measurements WHERE benchmark IN (SELECT unnest($names::VARCHAR[]))
        GROUP BY ALL ORDER BY benchmark, case_id
        """,
        {"names": list(benchmarks)},
    )
    out = []
    for row in table.to_pylist():
        facts = json.loads(row["attributes"])
        if where is None or where(
            {"case": row["case_id"], "id": row["case_id"], "benchmark": row["benchmark"], **facts}
        ):
            text = facts.get("text") or (_prompt(pool, row["prompt"]) if row["prompt"] else "")
            out.append(Candidate(row["benchmark"], row["case_id"], str(text or "")))
    return out


def _prompt(pool: Pool, key: str) -> str:
    try:
        return pool.get_blob(key).decode("utf-8", "replace")
    except MissingError:
        return ""


def choose(
    found: Sequence[Candidate], query: str, top_k: int | None, threshold: float | None, encoder: str = "tfidf"
) -> Selected:
    """The candidates that answer `query` (all of them, in order, without one): top-k first, then the threshold."""
    from steelyard.stats.retrieval import keep, tfidf

    if not query:
        return Selected([(c, float("nan")) for c in found[:top_k]], len(found), 0, float("nan"))
    worded = [c for c in found if c.text]
    if not worded:
        raise InputError(
            f"none of the {len(found)} cases has a text to search.", "Leave the query out and choose with --where."
        )
    texts = tuple(c.text for c in worded)
    if encoder == "embedding":
        from steelyard.llm.embedding import similarity as embedded

        similarity = embedded(query, texts)
    else:
        similarity = tfidf(query, texts)
    top_k = TOP_K if top_k is None and threshold is None else top_k
    hits = [i for i in keep(similarity, top_k, threshold) if similarity[i] > 0]
    return Selected(
        [(worded[i], float(similarity[i])) for i in hits], len(found), len(found) - len(worded), float(similarity.max())
    )


def select_and_print(
    query: str, *, benchmarks: Sequence[str], metric: str, where: str, top_k: int | None, threshold: float | None,
    encoder: str, method: str, ties: str, least: int | None, save: str, show: int, pool: str | None, as_json: bool,
) -> None:  # fmt: skip
    """`steelyard select`."""
    from steelyard.pool import Pool
    from steelyard.stats.claims import compile_where

    if not query and not where:
        raise InputError("nothing says what to select.", 'Give a query ("chart reading"), --where, or both.')
    if encoder not in ("tfidf", "embedding"):
        raise InputError(f"--encoder is {encoder!r}.", "It may be tfidf or embedding.")
    keep = compile_where(where) if where else None
    with Pool(pool, readonly=not save) as store:
        names = [parse_spec(b).name for b in benchmarks] or measured(store)
        if not names:
            raise InputError("the pool holds no measurements.", "Measure something first:  steelyard run quickstart")
        found = candidates(store, names, keep)
        if not found:
            raise InputError(f"--where keeps none of the cases of {', '.join(names)}.", "Loosen it.")
        selected = choose(found, query, top_k, threshold, encoder)
        if not selected.hits:
            _nothing(query, selected, as_json)
            return
        made = {"query": query, "where": where, "top_k": top_k, "threshold": threshold, "encoder": encoder}
        ids = {name: set(cases) for name, cases in selected.cases().items()}
        sets = load_all(store, list(ids), metric, None, ids)
        if save:
            store.put_selection(save, selected.cases(), made)
    field = field_of(sets, 1)  # counts are shown before anything is refused
    counts = dict(zip(field.names, (~np.isnan(field.x)).sum(axis=1).tolist(), strict=True)) | field.refused
    refusal, ranking = "", None
    try:
        field = field_of(sets, least)
        _enough(field, len(selected.hits), least)
        ranking = ranking_of(field, method or "bradley-terry", ties or None)  # type: ignore[arg-type]
    except InputError as error:
        refusal = str(error)
    if as_json:
        print_json({
            "query": query, "where": where, "candidates": selected.candidates, "without_text": selected.without_text,
            "best_similarity": selected.best, "saved": save,
            "hits": [{"benchmark": c.benchmark, "case": c.case, "similarity": s, "text": c.text} for c, s in selected.hits],
            "measurements": counts, "rows": rows_of(ranking, field.odd) if ranking else [], "refused": field.refused,
            "unmeasured": ranking.unmeasured if ranking else [], "no_ranking": refusal,
        })  # fmt: skip
    else:
        _print_hits(query, selected, show)
        _print_counts(counts, len(selected.hits))
        if ranking:
            print_ranking(ranking, field, f"ranking on the selection ({method or 'bradley-terry'}, 95%)")
        if save:
            console().print(f"kept as {save}:  steelyard rank --selection {save}", style="dim")
    if refusal:
        raise InputError(f"no ranking: {refusal}")


def _enough(field: Field, cases: int, least: int | None) -> None:
    """Refuse a ranking on a handful of cases, or of one contender."""
    bar = least if least is not None else 5
    if cases < bar:
        raise InputError(f"{cases} cases are too few to rank on.", f"Select {bar} or more (or say --least {cases}).")
    if (~np.isnan(field.x)).any(axis=1).sum() < 2:
        raise InputError("fewer than two contenders have enough measurements here.", "Measure more, or lower --least.")


def _nothing(query: str, selected: Selected, as_json: bool) -> None:
    """No hit is a result: say how near the nearest case comes."""
    if as_json:
        print_json({"query": query, "candidates": selected.candidates, "without_text": selected.without_text,
                    "best_similarity": selected.best, "hits": [], "measurements": {}, "rows": []})  # fmt: skip
        return
    searched = selected.candidates - selected.without_text
    console().print(
        f"No case matches {query!r}: of {searched} searched the best similarity is {selected.best:.3f}. "
        "Lower --threshold, or use other words."
    )


def _print_hits(query: str, selected: Selected, show: int) -> None:
    rows = [
        {"similarity": "" if np.isnan(s) else f"{s:.3f}", "case": f"{c.benchmark}/{c.case}",
         "text": " ".join(c.text.split())[:TEXT]}
        for c, s in selected.hits[:show]
    ]  # fmt: skip
    what = f"{query!r}: " if query else ""
    print_table(rows, ["similarity", "case", "text"], f"{what}{len(selected.hits)} of {selected.candidates} cases")
    out = console()
    if len(selected.hits) > show:
        out.print(f"and {len(selected.hits) - show} more (--show)", style="dim")
    if selected.without_text:
        out.print(f"{selected.without_text} cases have no text and were not searched", style="dim")


def _print_counts(counts: dict[str, int], cases: int) -> None:
    """How many of the hits each contender was measured on; contenders with the same number share a line."""
    by_number: dict[int, list[str]] = {}
    for name, n in counts.items():
        by_number.setdefault(n, []).append(name)
    out = console()
    for n, names in sorted(by_number.items(), reverse=True):
        out.print(f"{n if n else 'not'} measured{f' of {cases}' if n else ''}: {', '.join(sorted(names))}", style="dim")
