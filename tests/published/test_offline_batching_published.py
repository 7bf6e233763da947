"""A job of real texts: MuSiQue's passage sets, each with several questions, as an offline question-answering job asks them."""

import gzip
import json

import numpy as np

from steelyard.benchmarks.serving.offline_batching_simulated.benchmark import SimulatedBatching
from steelyard.contenders.schedulers.lru_prefix import LRUPrefix
from steelyard.contenders.schedulers.prefix_global import PrefixGlobal


def test_passages_first_and_questions_last_are_shared_by_scheduling_and_not_by_an_lru_cache(shared, tmp_path):
    with gzip.open(shared / "data" / "cacheblend" / "musique_s.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file][:40]
    rows, distinct = [], 0
    for n, record in enumerate(records):
        passages = "\n".join(c["text"] for c in record["ctxs"])[:1500]
        distinct += len(passages.encode())
        for k in range(4):  # its own question, and those of the next records
            question = f"\n\nQuestion {k}: {records[(n + k) % len(records)]['question']}\nAnswer:"
            rows.append({"id": f"{n}-{k}", "prompt": passages + question, "max_new": 16, "document": str(n)})
    rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]
    path = tmp_path / "musique.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    bench = SimulatedBatching()
    case = next(c for c in bench.cases(str(path)) if c.attributes["capacity"] == 0.25)
    ours, lru = (bench.measure(s, case, 0).metrics for s in (PrefixGlobal(), LRUPrefix()))
    total = sum(len(r["prompt"].encode()) for r in rows)
    assert ours["prompt_tokens_computed"] + ours["prompt_tokens_reused"] == total
    # a question begins with the same words after each passage, so a little more than the passages is shared
    assert distinct < total - ours["prompt_tokens_reused"] < total - 3 * distinct
    assert ours["share_of_optimum"] > 0.99
    assert lru["share_of_optimum"] < 0.6
