"""Run folders of HELM: run_spec.json, per_instance_stats.json, and instances and outputs from scenario_state.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError
from steelyard.core.spec import print_value
from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Asked, Row, Source
from steelyard.pool.importers.jsonlines import document, items
from steelyard.pool.importers.metrics import HIGHER, LOWER, NONE
from steelyard.pool.importers.staging import Staging, scalars, stamp

SPEC, STATS, STATE, INSTANCES = "run_spec.json", "per_instance_stats.json", "scenario_state.json", "instances.json"
Key = tuple[str, str, int]  # instance, perturbation, trial


class Helm:
    NAME = "helm"
    SAYS = "HELM run"
    METRICS: Mapping[str, tuple[Direction, str]] = {
        **dict.fromkeys(("exact_match*", "quasi_exact_match*", "prefix_exact_match*", "quasi_prefix_exact_match*",
                         "f1_score", "f1_set_match", "iou_set_match", "exact_set_match", "rouge_*", "bleu_*", "math_equiv*",
                         "pass", "code_eval_acc", "test_avg", "strict_acc", "classification_*", "final_number_exact_match",
                         "summac", "BERTScore-*", "absolute_value_difference_exact_match", "ndcg*", "RR*", "NDCG*",
                         "chain_of_thought_correctness", "wildbench_score*", "ifeval_strict_accuracy"), (HIGHER, "1")),
        **dict.fromkeys(("bits_per_byte", "logprob_per_byte_loss", "perplexity", "toxic_frac", "expected_max_toxicity",
                         "ece_*", "platt_ece_*", "max_toxicity_probability"), (LOWER, "1")),
        **dict.fromkeys(("inference_runtime", "inference_denoised_runtime", "inference_idealized_runtime"), (LOWER, "s")),
        **dict.fromkeys(("num_*", "prompt_truncated", "finish_reason_*", "training_co2_cost", "training_energy_cost",
                         "batch_size", "predicted_index", "logprob", "max_prob", "sentiment*"), (NONE, "1")),
    }  # fmt: skip

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        at = set(files)
        for path in files:
            if path.name == STATS and path.with_name(SPEC) in at:
                own = tuple(p for n in (SPEC, STATS, STATE, INSTANCES) if (p := path.with_name(n)) in at)
                more = tuple(p for n in ("stats.json", "scenario.json") if (p := path.with_name(n)) in at)
                yield Source(self.NAME, path.parent, own + more)

    def recognises(self, path: Path, head: str) -> bool:
        return False  # a file of a run says neither what was run nor on whom

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        files = {path.name: path for path in source.files}
        if SPEC not in files or STATS not in files:
            raise InputError(f"{source.name}: is no run folder of HELM.", f"It must hold {SPEC} and {STATS}.")
        spec = document(files[SPEC])
        adapter = spec.get("adapter_spec") or {}
        arguments = scalars((spec.get("scenario_spec") or {}).get("args"))
        protocol = {
            k: adapter[k] for k in ("method", "max_train_instances", "num_outputs") if adapter.get(k) is not None
        }
        about = {
            "benchmark": asked.benchmark or str(spec.get("name", source.name.name)).split(":")[0],
            "benchmark_version": "helm[" + ",".join(f"{k}={print_value(v)}" for k, v in protocol.items()) + "]",
            "contender": asked.contender or str(adapter.get("model") or ""),
            "contender_config": {k: adapter[k] for k in ("temperature", "max_tokens") if adapter.get(k) is not None},
            "started_at": stamp(files[STATS]),
        }
        into.told.mapped = {
            "benchmark": "name of the run up to `:`", "contender": "adapter_spec.model", "value": "mean",
            "case": "scenario arguments, instance_id, perturbation", "trial": "train_trial_index",
            "attribute text": "input.text",
        }  # fmt: skip
        texts = _texts(files)
        kept = dict(_outputs(files[STATE], into)) if STATE in files and into.artifacts else {}
        prefix = ",".join(f"{k}={print_value(v)}" for k, v in sorted(arguments.items()))
        into.add(self._rows(files[STATS], about, arguments, prefix, texts, kept))

    def _rows(
        self, path: Path, about: Mapping[str, Any], arguments: Mapping[str, Any], prefix: str,
        texts: Mapping[str, str], kept: Mapping[Key, Mapping[str, str]],
    ) -> Iterator[Row]:  # fmt: skip
        for record in items(path, "item"):
            instance, trial = str(record.get("instance_id", "")), int(record.get("train_trial_index") or 0)
            changed = _perturbation(record)
            attributes = {**arguments, **({"perturbation": changed} if changed else {})}
            if text := texts.get(instance):
                attributes["text"] = text
            case = "/".join(filter(None, (prefix, instance, changed)))
            # What it cost comes last: a benchmark's first metric is the one shown first.
            for stat in sorted(record.get("stats") or (), key=lambda s: "runtime" in str(s.get("name"))):
                name = stat.get("name") or {}
                metric = ".".join(filter(None, (name.get("name"), name.get("sub_split"))))
                value = stat.get("mean")
                if value is None and stat.get("count"):
                    value = stat.get("sum", 0.0) / stat["count"]
                yield Row(**about, case=case, metric=metric, value=value, trial=trial, case_attributes=attributes,
                          artifacts=kept.get((instance, changed, trial), {}))  # fmt: skip


def _perturbation(record: Mapping[str, Any]) -> str:
    """The name of what was done to the instance, with its settings; "" for one left as it was."""
    settings = scalars(record.get("perturbation"))
    name = str(settings.pop("name", "") or "")
    return name + "".join(f",{k}={v}" for k, v in sorted(settings.items()) if k not in ("robustness", "fairness"))


def _texts(files: Mapping[str, Path]) -> dict[str, str]:
    """instance id -> question, from the instances, else from the state (a run holds a thousand or so)."""
    if INSTANCES in files:
        found = items(files[INSTANCES], "item")
    elif STATE in files:
        found = items(files[STATE], "request_states.item.instance")
    else:
        return {}
    return {str(i.get("id")): str((i.get("input") or {}).get("text", "")) for i in found if not i.get("perturbation")}


def _outputs(path: Path, into: Staging) -> Iterator[tuple[Key, dict[str, str]]]:
    for state in items(path, "request_states.item"):
        instance = state.get("instance") or {}
        texts = [str(c.get("text", "")) for c in (state.get("result") or {}).get("completions") or ()]
        kept = into.keep(prompt=str((state.get("request") or {}).get("prompt") or ""), output="\n".join(texts))
        into.flush()
        yield (str(instance.get("id")), _perturbation(instance), int(state.get("train_trial_index") or 0)), kept
