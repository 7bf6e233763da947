"""Every number of one answer: by the sound procedure, and by the released one on the answer as it is."""

from __future__ import annotations

from functools import lru_cache

from steelyard.benchmarks.code.codebleu.ngrams import bleu
from steelyard.benchmarks.code.codebleu.score import Parts, codebleu
from steelyard.benchmarks.code.codebleu.similarity import chrf, edit_similarity
from steelyard.benchmarks.code.extract import Extraction
from steelyard.benchmarks.code.multicodebench.extraction import BODY_ALONE, extract, respelled
from steelyard.benchmarks.code.multicodebench.interfaces import api_metrics
from steelyard.benchmarks.code.multicodebench.official import official
from steelyard.benchmarks.code.multicodebench.tasks import Task
from steelyard.benchmarks.code.static.comments import without_comments
from steelyard.benchmarks.code.static.fragments import errors

LONGEST = 10_000  # characters of an answer that are looked at; no published output or reference is as long
PART_NAMES = {"bleu": "bleu", "weighted": "weighted_ngram", "ast": "ast_match", "dataflow": "dataflow_match"}


@lru_cache(maxsize=512)
def measure(task: Task, output: str) -> tuple[Extraction, dict[str, float]]:
    """The function found in an answer, and all its metrics. Trials that repeat an answer cost nothing."""
    output = output[:LONGEST]
    found = extract(task, output)
    parts = codebleu(task.language, respelled(task), found.text, given=task.signature)
    released = official(task.language, task.declaration, task.truth, output)
    metrics = {
        "codebleu": parts.score, **_named(parts),
        "official_codebleu": 100 * released.score, **_named(released, "official_"),
        **_of_function(task, found), **api_metrics(task, found.text),
        "fenced_or_repeated": float(found.rung == "fence" or (bool(found.text) and BODY_ALONE not in found.why)),
    }  # fmt: skip
    return found, metrics


def _named(parts: Parts, prefix: str = "") -> dict[str, float]:
    values = {name: getattr(parts, field) for field, name in PART_NAMES.items()}
    return {f"{prefix}{name}": value for name, value in values.items() if value is not None}


def _of_function(task: Task, found: Extraction) -> dict[str, float]:
    """What the extracted function is worth to the released scorer, and to measures that look at its characters."""
    text = found.text
    truth, ours = (_body(task, without_comments(task.language, t)) for t in (respelled(task), text))
    return {
        "official_codebleu_extracted": 100 * official(task.language, task.declaration, task.truth, text).score,
        "bleu_character": bleu(truth, ours, effective=True),
        "chrf": chrf(truth, ours),
        "edit_similarity": edit_similarity(truth, ours),
        "parses": float(bool(text) and not errors(task.language, text)),
        "length_ratio": len(ours) / max(1, len(truth)),
    }


def _body(task: Task, function: str) -> str:
    """A function without its declaration (as an extraction begins with it, letter for letter, and most references do)."""
    return function.removeprefix(task.signature)
