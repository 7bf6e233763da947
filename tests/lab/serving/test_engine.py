"""The paged engine gives every request the tokens it gets alone, whatever shares its steps."""

import math

import numpy as np
import pytest
import torch

from steelyard.contenders.schedulers.lru_prefix import LRUPrefix, NoPrefixCache
from steelyard.contenders.schedulers.prefix_global import PrefixGlobal
from steelyard.core.errors import InputError
from steelyard.lab import CachePolicy, Session, forward
from steelyard.lab.forward_pass import empty_cache
from steelyard.lab.serving.attention import attend, parts_of
from steelyard.lab.serving.batching import Work, run_of
from steelyard.lab.serving.engine import TorchMachine
from steelyard.lab.serving.job import Limits, job_of, request
from steelyard.lab.serving.paging import HashedBlocks
from steelyard.lab.serving.spans import Spans
from tests.lab.making import tiny

SCHEDULERS = [
    PrefixGlobal(), PrefixGlobal(level="multi", batching="count"), PrefixGlobal(kernel="separate"), LRUPrefix(),
    LRUPrefix(kernel="separate", order="longest-match"), NoPrefixCache(),
]  # fmt: skip


def mixed_job(blocks=40, tokens=24):
    """Two levels of sharing, identical prompts, lone ones; prefixes that end within a block; no output of one length."""
    rng = np.random.default_rng(5)
    system, documents = rng.integers(0, 101, 10), rng.integers(0, 101, (3, 13))
    prompts = [np.concatenate([system, documents[k % 3], rng.integers(0, 101, 2 + k)]) for k in range(9)]
    prompts += [prompts[0], rng.integers(0, 101, 7), rng.integers(0, 101, 1)]
    made = [request(str(i), p, 6, 4, i % 7) for i, p in enumerate(prompts)]
    return job_of([made[i] for i in rng.permutation(len(made))], Limits(blocks, 4, tokens, 6))


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=str)
@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_outputs_equal_those_of_requests_served_alone(family, scheduler):
    lab, j = tiny(family), mixed_job()
    served = scheduler.serve(j, TorchMachine(lab, j.limits))
    for r in j.requests:
        session = Session(lab, CachePolicy())
        session.prefill(r.prompt.tolist())
        assert served.outputs[r.id] == session.generate(r.new), r.id


def test_logits_of_a_chunked_prompt_behind_a_shared_prefix_equal_the_librarys(monkeypatch):
    lab = tiny("llama")
    seen = []
    monkeypatch.setattr("steelyard.lab.serving.engine.logits_of", lambda lab, hidden: seen.append(hidden) or hidden)
    prefix, own = list(range(3, 20)), list(range(40, 60))
    j = job_of([request("a", [*prefix, 1], 0), request("b", prefix + own, 0)], Limits(40, 4, 8, 8))
    LRUPrefix().serve(j, TorchMachine(lab, j.limits))
    theirs = forward(lab, empty_cache(lab), torch.tensor([prefix + own]), CachePolicy(), prompt=True)
    ours = lab.model.lm_head(lab.model.model.norm(seen[-1][:, -1:]))
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_merged_parts_equal_one_softmax_over_everything():
    # two requests share 600 keys, then have 5 and 700 of their own; the second asks with 3 tokens, the first with one
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    j = job_of([request("a", [1] * 605, 1), request("b", [1] * 1300, 1)], Limits(2000, 1))
    runs = [run_of(n, j) for n in range(2)]
    slots = rng.permutation(2000)
    runs[0].slots[:605] = slots[:605]
    runs[1].slots[:1300] = np.concatenate([slots[:600], slots[605:1305]])
    works = [Work(runs[0], 604, 605), Work(runs[1], 1297, 1300)]
    keys, values = torch.randn(2, 2, 2000, 16)
    queries = torch.randn(4, 4, 16)
    expected = []
    for row, (run, at) in enumerate([(0, 604), (1, 1297), (1, 1298), (1, 1299)]):
        mine = runs[run].slots[: at + 1]
        heads = []
        for head in range(4):
            k, v = keys[head // 2, mine], values[head // 2, mine]
            heads.append(((k @ queries[head, row]) * 0.3).softmax(0) @ v)
        expected.append(torch.cat(heads))
    for shared in (True, False):
        spans = Spans().of(works, shared=shared)
        assert sum(len(s.slots) for s in spans) == (600 + 5 + 700 if shared else 605 + 1300)
        parts = parts_of(works, spans, 64, torch.device("cpu"))
        assert torch.allclose(attend(queries, keys, values, parts, 0.3), torch.stack(expected), atol=1e-5)
        short = attend(*(x.bfloat16() for x in (queries, keys, values)), parts, 0.3)
        assert short.dtype == torch.bfloat16
        assert torch.allclose(short.float(), torch.stack(expected), atol=0.02)  # bf16 has 8 bits


def test_while_requests_only_decode_their_spans_are_remembered_and_grow():
    j = job_of([request(str(n), [1] * 8 + [n], 3) for n in range(2)], Limits(40, 4))
    books, runs, spans = HashedBlocks(j), [run_of(n, j) for n in range(2)], Spans()
    for run in runs:
        books.begin(run)
        books.room(run, 12)
        run.computed = run.known
        books.wrote(run)
    for stop in (9, 10, 11):
        found = spans.of([Work(run, stop - 1, stop) for run in runs])
        assert [(s.start, len(s.slots), s.members) for s in found] == [
            (0, 8, (0, 1)),
            (8, stop - 8, (0,)),
            (8, stop - 8, (1,)),
        ]


def test_counts_are_those_of_the_work_done():
    lab, j = tiny("llama"), mixed_job()
    before = lab.counts.copy()
    served = PrefixGlobal().serve(j, TorchMachine(lab, j.limits))
    spent = lab.counts - before
    assert spent.forward_passes == len(served.steps)
    assert spent.tokens_computed == sum(s.tokens for s in served.steps)
    assert math.isclose(TorchMachine(lab, j.limits).kv_bytes, 2 * 3 * 2 * 8 * 4)


def test_models_with_windows_are_refused():
    with pytest.raises(InputError, match="sliding window"):
        TorchMachine(tiny("gemma3"), Limits(10))
