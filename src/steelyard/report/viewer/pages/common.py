"""What several pages share: the benchmark, metric, cases and contenders that an address names."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from steelyard.core.errors import InputError
from steelyard.report.results import Scores
from steelyard.report.sections import Section, only
from steelyard.report.viewer.asking import Ask, EmptyPoolError, NotThereError


def chosen(ask: Ask, name: str = "b") -> str:
    """The benchmark that the address names, else the one measured last. Raises NotThereError for one that is not here."""
    wanted, measured = ask.one(name), ask.store.benchmarks()
    if not wanted:
        if not measured:
            raise EmptyPoolError(
                "the pool holds no measurements.", "Measure something first:  steelyard run quickstart"
            )
        return next(iter(measured))
    if wanted not in measured:
        try:
            ask.store.card(wanted)
        except InputError as error:
            raise NotThereError(error.what, error.cure) from error
    return wanted


def section_of(ask: Ask, benchmark: str) -> Section:
    """Its newest numbers, as read last unless they have changed."""
    return ask.need(
        f"the numbers of {benchmark}", ("section", benchmark), ask.store.stamp_of(benchmark),
        lambda: ask.store.section(benchmark),
    )  # fmt: skip


def filtered(ask: Ask, section: Section) -> Section:
    """The section with only the cases that `where` keeps and only the contenders of `with`."""
    where, who = ask.one("where"), ask.many("with")
    everyone = [s.contender for s in section.sources]
    for name in who:
        if name not in everyone:
            raise NotThereError(
                f"{section.card.name} has no measurements of {name!r}.", f"It has {', '.join(everyone)}."
            )
    if not where and not who:
        return section
    metrics = []
    for scores in section.metrics:
        cases = kept_cases(scores, where)
        names = [c for c in scores.contenders if not who or c in who]
        if cases and names:
            metrics.append(only(scores, cases, names))
    if not metrics and section.metrics:
        raise InputError(f"no case of {section.card.name} fits {where!r}.", "Loosen the filter.")
    return dataclasses.replace(section, metrics=metrics)


def kept_cases(scores: Scores, where: str) -> list[int]:
    """The places of the cases that `where` keeps. Raises InputError for a condition that cannot be read."""
    from steelyard.stats.claims import compile_where

    if not where:
        return list(range(len(scores.cases)))
    keep = compile_where(where)
    pairs = enumerate(zip(scores.cases, scores.attributes, strict=True))
    return [i for i, (case, facts) in pairs if keep({"case": case, "id": case, **facts})]


def metric_of(ask: Ask, section: Section, name: str = "metric") -> Scores:
    """The metric that the address names, else the primary one. Raises NotThereError where it was not measured."""
    known = {s.metric.name: s for s in section.metrics}
    if not known:
        raise NotThereError(
            f"nothing was measured on {section.card.name} yet.", f"Measure it:  steelyard run {section.card.name}"
        )
    wanted = ask.one(name, next(iter(known)))
    if wanted not in known:
        raise NotThereError(f"{section.card.name} has no numbers of {wanted!r}.", f"It has {', '.join(known)}.")
    return known[wanted]


def pick(ask: Ask, name: str, known: Sequence[str], default: str) -> str:
    """A contender that the address names. Raises NotThereError for one that was not measured."""
    wanted = ask.one(name, default)
    if wanted not in known:
        raise NotThereError(f"nothing was measured of {wanted!r}.", f"Measured: {', '.join(known) or 'nobody'}.")
    return wanted
