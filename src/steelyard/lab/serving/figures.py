"""What serving a job took, as metrics: savings, steps and their sizes, blocks held, completion."""

from __future__ import annotations

from statistics import fmean

from steelyard.lab.serving.batching import Served
from steelyard.lab.serving.job import Job
from steelyard.lab.serving.prefix_tree import PrefixTree

LEAST_SHARED = 0.01  # of the prompt tokens: a share of less is a share of chance


def figures(
    job: Job, served: Served, tree: PrefixTree, kv_bytes: int, seconds: float, jobs: int = 1
) -> dict[str, float]:  # fmt: skip
    """Metric name -> value of a served job. tree: of its requests. kv_bytes: of one token. seconds: it took, while `jobs`
    such jobs were served.

    Throughput counts prompt tokens, computed or reused, and generated ones. Counts of steps are there where the engine
    has told its steps.
    """
    generated = sum(len(tokens) for tokens in served.outputs.values())
    saving = 1 - served.prompt_computed / tree.prompt_tokens
    found = {
        "tokens_per_second": jobs * (tree.prompt_tokens + generated) / seconds,
        "generated_per_second": jobs * generated / seconds,
        "requests_per_second": jobs * len(served.outputs) / seconds,
        "time": seconds,
        "planning_time": served.planning_s,
        "token_saving_ratio": saving,
        "prompt_tokens_computed": served.prompt_computed,
        "prompt_tokens_reused": tree.prompt_tokens - served.prompt_computed,
        "rejected": len(job.rejected),
    }
    if tree.optimum >= LEAST_SHARED:
        found["share_of_optimum"] = saving / tree.optimum
    steps = served.steps
    if not steps:
        return found
    cap, block_bytes = job.limits.tokens, job.limits.block * kv_bytes
    sizes = [s.tokens for s in steps]
    return {
        **found,
        "forward_passes": len(steps),
        "tokens_computed": sum(sizes),
        "tokens_per_step": fmean(sizes),
        "batch_utilisation": fmean(sizes) / cap,
        "valley_share": fmean(size < cap / 2 for size in sizes),
        "mixed_share": fmean(0 < s.decoded < s.tokens for s in steps),
        "requests_per_step": fmean(s.requests for s in steps),
        "peak_blocks": max(s.held for s in steps),
        "peak_kv_bytes": max(s.held for s in steps) * block_bytes,
        "kv_residency": sum(s.held for s in steps) * block_bytes,
        "kv_referenced": sum(s.referenced for s in steps) * block_bytes,
        "block_occupancy": fmean(s.held for s in steps) / job.limits.blocks,
        "evictions": served.evictions,
        "preemptions": served.preemptions,
        "mean_completion": fmean(served.finished.values()),
    }
