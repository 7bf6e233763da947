"""Steps of small jobs counted by hand, and any job under any limits: everybody reads its own past, nothing is lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.contenders.schedulers.lru_prefix import LRUPrefix, NoPrefixCache
from steelyard.contenders.schedulers.prefix_global import PrefixGlobal
from steelyard.core.errors import InputError
from steelyard.lab.serving.clock import Clock
from steelyard.lab.serving.job import Limits, job_of, request
from tests.lab.serving.checking import Ledger, alone, job, random_prompts

SCHEDULERS = [
    PrefixGlobal(), PrefixGlobal(batching="count"), PrefixGlobal(level="multi"), PrefixGlobal(choice="rule"),
    PrefixGlobal(order="reversed", lengths="oracle"), PrefixGlobal(order="none", batching="count", level="multi"),
    LRUPrefix(), LRUPrefix(order="sorted"), LRUPrefix(order="longest-match", batching="memory"),
    NoPrefixCache(), NoPrefixCache(batching="memory"),
]  # fmt: skip


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=str)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), spare=st.integers(0, 30), block=st.sampled_from([1, 3, 4]),
    tokens=st.integers(1, 20), most=st.integers(1, 6), letters=st.integers(1, 3),
)  # fmt: skip
def test_any_job_under_any_limits_is_served_as_if_each_request_were_alone(
    scheduler, seed, spare, block, tokens, most, letters
):
    rng = np.random.default_rng(seed)
    made = []
    for i, p in enumerate(random_prompts(seed, letters=letters)):
        longest = int(rng.integers(0, 6))
        made.append(request(str(i), p, longest, rng.random() * longest, int(rng.integers(0, longest + 1))))
    least = max(-(-(len(r.prompt) + r.max_new) // block) + 1 for r in made)
    j = job_of(made, Limits(least + spare, block, tokens, most))
    machine = Ledger(j.limits)
    served = scheduler.serve(j, machine)
    assert served.outputs == {r.id: alone(r) for r in made}
    assert max(machine.sizes) <= tokens
    assert [s.tokens for s in served.steps] == machine.sizes
    assert all(s.held <= j.limits.blocks for s in served.steps)
    if getattr(scheduler, "batching", "") == "count":
        assert max(s.requests for s in served.steps) <= most
    decoded = sum(max(0, r.new - 1) for r in made)
    if not served.preemptions:
        assert sum(machine.sizes) == served.prompt_computed + decoded


def test_steps_of_two_requests_by_hand():
    # 5 and 3 prompt tokens, 2 new ones each, steps of 6: [5 + 1], [1 + 2], [1]
    j = job([[1, 2, 3, 4, 5], [6, 7, 8]], blocks=20, tokens=6)
    served = NoPrefixCache().serve(j, Ledger(j.limits))
    assert [(s.tokens, s.decoded, s.requests) for s in served.steps] == [(6, 0, 2), (3, 1, 2), (1, 1, 1)]
    assert served.finished == {"r0": 2, "r1": 3}
    assert served.prompt_computed == 8


def test_a_shared_prefix_is_computed_once_and_used_in_the_same_step():
    j = job([[1] * 8 + [2], [1] * 8 + [3], [1] * 8 + [4]], blocks=20, new=1)
    for scheduler in (PrefixGlobal(), LRUPrefix()):
        served = scheduler.serve(j, Ledger(j.limits))
        assert [s.tokens for s in served.steps] == [8 + 3]
        assert served.prompt_computed == 11


def test_blocks_that_run_out_put_the_last_request_back():
    # 4 prompt tokens each fill a block; each grows into a second one, and there are three
    j = job([[1] * 4, [2] * 4], blocks=3, new=4)
    served = NoPrefixCache().serve(j, Ledger(j.limits))
    # step 1 computes both prompts; in step 2 the first takes the third block and the second is put back; after step 4
    # the first is done, and the second computes its prompt and its first token again
    assert served.preemptions == 1
    assert [(s.tokens, s.requests) for s in served.steps] == [(8, 2), (1, 1), (1, 1), (1, 1), (5, 1), (1, 1), (1, 1)]
    assert served.prompt_computed == 12


def test_memory_batching_admits_what_will_fit_and_count_batching_what_is_allowed():
    prompts = [[k] * 3 for k in range(6)]
    many = job(prompts, blocks=100, new=4, requests=2)
    assert max(s.requests for s in PrefixGlobal(batching="count").serve(many, Ledger(many.limits)).steps) == 2
    assert (
        max(s.requests for s in PrefixGlobal().serve(many, Ledger(many.limits)).steps) == 6
    )  # 16 tokens: five prompts and a token
    few = job(prompts, blocks=4, new=4)  # each will need two blocks of four tokens
    served = PrefixGlobal().serve(few, Ledger(few.limits))
    assert max(s.requests for s in served.steps) == 2
    assert served.preemptions == 0


def test_decode_heavy_groups_run_first():
    made = [
        request("long-prompt", [1] * 12, 1), request("a", [2] * 6 + [3], 8), request("b", [2] * 6 + [4], 8),
        request("middle", [5] * 4, 2),
    ]  # fmt: skip
    j = job_of(made, Limits(6, 4, 16, 1))
    one_at_a_time = PrefixGlobal(batching="count")
    done = one_at_a_time.serve(j, Ledger(j.limits)).finished
    # ratios: group (a, b) 16 / (6 + 2) = 2, middle 2 / 4, long-prompt 1 / 12
    assert sorted(done, key=done.get) == ["a", "b", "middle", "long-prompt"]
    done = PrefixGlobal(batching="count", order="reversed").serve(j, Ledger(j.limits)).finished
    assert sorted(done, key=done.get)[:2] == ["long-prompt", "middle"]
    done = PrefixGlobal(batching="count", order="none").serve(j, Ledger(j.limits)).finished
    assert sorted(done, key=done.get) == ["long-prompt", "a", "b", "middle"]


def test_a_small_lru_cache_loses_prefixes_in_shuffled_order_only():
    a, b, c = [1] * 8, [2] * 8, [3] * 8
    turns = [*([x, 9 + k] for k in range(3) for x in (a, b, c))]
    prompts = [[*p, k] for p, k in turns]
    j = job(prompts, blocks=5, new=1, requests=1)
    assert LRUPrefix().serve(j, Ledger(j.limits)).prompt_computed == 9 * 9
    assert LRUPrefix(order="sorted").serve(j, Ledger(j.limits)).prompt_computed == 3 * 8 + 9
    assert PrefixGlobal().serve(j, Ledger(j.limits)).prompt_computed == 3 * 8 + 9
    roomy = job(prompts, blocks=40, new=1, requests=1)
    assert LRUPrefix().serve(roomy, Ledger(roomy.limits)).prompt_computed == 3 * 8 + 9


def test_the_clock_by_hand():
    j = job([[1] * 8 + [2], [1] * 8 + [3]], blocks=20, new=1)
    clock = Clock()
    LRUPrefix().serve(j, clock)
    assert clock.read == 8 + 1 + 1  # the prefix once, and each its own last token
    assert clock.attended == 9 * 10 // 2 + 9  # the second computes one token only, which sees nine
    p = clock.profile
    assert p.kv_bytes == 2 * 32 * 8 * 128 * 2
    # ten tokens: weights are the bottleneck
    assert clock.seconds == pytest.approx((16.06e9 + 131072 * 20) / p.bandwidth + 2e-3)
    separate = Clock()
    LRUPrefix(kernel="separate").serve(j, separate)
    assert separate.read == 18


def test_an_eighth_of_the_machine_takes_the_time_of_a_whole_one_with_eight_times_the_work():
    prompts = [[1] * 2000 + [k] for k in range(2)]
    j = job(prompts, blocks=2000, tokens=10**6, new=1)
    eighth, whole = Clock(part=8), Clock()
    LRUPrefix().serve(j, eighth)
    flops = 8 * (2 * 8.03e9 * 2002 + 4 * 32 * 32 * 128 * (2001 * 2002 // 2 + 2001))
    assert eighth.seconds == pytest.approx(flops / whole.profile.peak + 2e-3)


def test_bad_jobs_are_refused_by_name():
    with pytest.raises(InputError, match="'x' has an empty prompt"):
        request("x", [], 1)
    with pytest.raises(InputError, match="'x'"):
        request("x", [1.5, 2.0], 1)
    with pytest.raises(InputError, match=r"new=5"):
        request("x", [1], 4, new=5)
    one = request("x", [1, 2], 4)
    with pytest.raises(InputError, match="'x' stands twice"):
        job_of([one, one], Limits(10))
    with pytest.raises(InputError, match="no request can be served"):
        job_of([one], Limits(1))
    big = request("big", [1] * 100, 4)
    assert job_of([big, one], Limits(3, block=16)).rejected == {"big": "needs 8 blocks of the cache, which has 3"}
