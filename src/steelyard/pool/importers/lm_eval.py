"""Output of lm-evaluation-harness: `results_DATE.json` with `samples_TASK_DATE.jsonl` (from --log_samples) beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Asked, Row, Source
from steelyard.pool.importers.jsonlines import document, lines
from steelyard.pool.importers.metrics import HIGHER, LOWER
from steelyard.pool.importers.staging import Staging, number, stamp
from steelyard.pool.importers.tables import WHOLE

SAMPLES = re.compile(r"samples_(.+)_(\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl(\.gz)?")
RESULTS = re.compile(r"results_(\d{4}-\d\d-\d\dT[\d.:-]+)\.json")
QUESTION = ("question", "query", "problem", "prompt", "text", "input", "goal", "ctx", "sentence")


class LmEval:
    NAME = "lm-eval"
    SAYS = "lm-evaluation-harness results"
    METRICS: Mapping[str, tuple[Direction, str]] = {
        **dict.fromkeys(("acc", "acc_*", "exact_match", "exact_match.*", "f1", "mcc", "bleu", "chrf", "rouge*", "em",
                         "pass@*", "pass_at_*", "likelihood_diff"), (HIGHER, "1")),
        **dict.fromkeys(("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "ter", "brier_score"),
                        (LOWER, "1")),
    }  # fmt: skip

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        runs: dict[tuple[Path, str], list[Path]] = {}
        for path in files:
            if m := RESULTS.fullmatch(path.name):
                runs.setdefault((path.parent, m[1]), []).insert(0, path)
            elif m := SAMPLES.fullmatch(path.name):
                runs.setdefault((path.parent, m[2]), []).append(path)
        for found in runs.values():
            yield Source(self.NAME, found[0], tuple(found))

    def recognises(self, path: Path, head: str) -> bool:
        lines_ = ".jsonl" in path.name and '"doc_id"' in head and ('"resps"' in head or '"arguments"' in head)
        return lines_ or (path.suffix == ".json" and re.match(r'\s*{\s*"results"\s*:', head) is not None)

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        samples = [p for p in source.files if ".jsonl" in p.name]
        whole = next((document(p) for p in source.files if ".jsonl" not in p.name), {})
        into.told.mapped = {
            "benchmark": "task", "benchmark_version": "version and shots of the task", "contender": "model_name",
            "case": "doc_id", "metric": "metric, and filter where it is not `none`", "attribute text": "question",
            "attribute target": "target",
        }  # fmt: skip
        for task, metrics in (whole.get("higher_is_better") or {}).items():
            for metric, higher in metrics.items() if isinstance(metrics, dict) else ():
                for name in _names(whole, task, metric):
                    into.directions[name] = HIGHER if higher else LOWER
        contender = asked.contender or whole.get("model_name") or source.name.parent.name.replace("__", "/")
        config = {
            k: v for k, v in (whole.get("config") or {}).items() if k in ("model", "model_args", "gen_kwargs") and v
        }
        about = {"contender": contender, "contender_config": config,
                 "started_at": float(whole.get("date") or stamp(source.files[0]))}  # fmt: skip
        for path in samples:
            m = SAMPLES.fullmatch(path.name)
            task = m[1] if m else re.sub(r"\.jsonl(\.gz)?$", "", path.name)
            own = {**about, "benchmark": asked.benchmark or task, "benchmark_version": _version(whole, task)}
            into.add(self._rows(path, own, into))
        into.add(self._aggregates(whole, about, asked, into))

    def _rows(self, path: Path, about: Mapping[str, Any], into: Staging) -> Iterator[Row]:
        for record in lines(path, into.told):
            filter = str(record.get("filter", "none"))
            prompt, target = _prompt(record), record.get("target")
            doc = record.get("doc")
            question = (
                next((doc[k] for k in QUESTION if isinstance(doc.get(k), str)), "") if isinstance(doc, dict) else doc
            )
            attributes = {"text": question if isinstance(question, str) and question else prompt,
                          **({"target": target} if isinstance(target, str | int | float) else {})}  # fmt: skip
            answer = record.get("filtered_resps", record.get("resps"))
            kept = into.keep(prompt=prompt, output=json.dumps(answer, ensure_ascii=False) if answer is not None else "")
            for metric in record.get("metrics") or _guess(record):
                value = record.get(metric)
                if isinstance(value, list | dict):  # what its aggregate is made of; no number of this case
                    into.told.drop("no number for one case", 1, f"{metric} of {about['benchmark']}")
                    continue
                yield Row(**about, case=str(record.get("doc_id", "")), metric=_metric(metric, filter), value=value,
                          case_attributes=attributes, artifacts=kept)  # fmt: skip

    def _aggregates(
        self, whole: Mapping[str, Any], about: Mapping[str, Any], asked: Asked, into: Staging
    ) -> Iterator[Row]:
        """Whole-task values, for what the samples do not give."""
        have = set(into.rows("SELECT DISTINCT benchmark, metric FROM staged"))
        groups, skipped = set(whole.get("groups") or ()), 0
        for task, values in (whole.get("results") or {}).items():
            benchmark = asked.benchmark or task
            for key, value in values.items():
                metric, _, filter = key.partition(",")
                if not filter or "_stderr" in metric or number(value) is None:
                    continue
                if task in groups or (benchmark, _metric(metric, filter)) in have:
                    skipped += 1
                    continue
                yield Row(**about, benchmark=benchmark, benchmark_version=_version(whole, task), case=WHOLE,
                          metric=_metric(metric, filter), value=value)  # fmt: skip
        if skipped:
            into.told.notes.append(f"{skipped} aggregates left out: their samples are here, or they sum up a group")


def _names(whole: Mapping[str, Any], task: str, metric: str) -> Iterator[str]:
    yield metric
    for key in (whole.get("results") or {}).get(task) or ():
        name, _, filter = key.partition(",")
        if name == metric:
            yield _metric(name, filter or "none")


def _metric(metric: str, filter: str) -> str:
    return metric if filter == "none" else f"{metric}.{filter}"


def _version(whole: Mapping[str, Any], task: str) -> str:
    version = (whole.get("versions") or {}).get(task, "")
    shots = (whole.get("n-shot") or {}).get(task)
    return f"lm-eval-{version}".rstrip("-") + (f"[shots={shots}]" if shots is not None else "")


def _prompt(record: Mapping[str, Any]) -> str:
    """The text that was sent: the first argument of the first request (two spellings, before and since 0.4.3)."""
    arguments = record.get("arguments")
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    first = arguments[0] if isinstance(arguments, list) and arguments else ""
    if isinstance(first, dict):
        first = list(first.values())
    return str(first[0] if isinstance(first, list) and first else first or "")


def _guess(record: Mapping[str, Any]) -> list[str]:
    """The metrics of a line that does not list them (before 0.4.5): its numbers that are no part of the protocol."""
    fixed = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "doc_hash", "prompt_hash",
             "target_hash"}  # fmt: skip
    return [k for k, v in record.items() if k not in fixed and isinstance(v, int | float)]
