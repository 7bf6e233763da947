"""Figures of served requests by hand; traces as files; a server in this process."""

import itertools
import math

import pytest

from steelyard.core.errors import InputError
from steelyard.core.words import Status
from steelyard.lab.runtime.online import Server
from steelyard.lab.runtime.traces import Reply, Request, Trace, closed, figures, poisson, read


def test_figures_by_hand():
    replies = [
        Reply("a", due=0.0, first=1.0, last=3.0, new=5),  # first token after 1 s, then 0.5 s each
        Reply("b", due=1.0, first=1.5, last=1.5, new=1),
        Reply("c", due=2.0, first=math.nan, last=math.nan, new=0, status=Status.TIMEOUT),
    ]
    found = figures(replies, slo_first_s=1.0, slo_token_s=0.4)
    assert found["completed_share"] == pytest.approx(2 / 3)
    assert found["tokens_per_s"] == pytest.approx(6 / 3.0)
    assert found["ttft_mean"] == pytest.approx((1.0 + 0.5) / 2)
    assert found["tpot_p50"] == pytest.approx(0.5)
    assert found["latency_p50"] == pytest.approx((3.0 + 0.5) / 2)
    assert found["goodput"] == pytest.approx(1 / 3)  # a is too slow for each token, c never came


def test_nothing_answered_is_no_throughput():
    found = figures([Reply("a", 0.0, math.nan, math.nan, 0, Status.TIMEOUT)], 1.0, 1.0)
    assert found == {"completed_share": 0.0, "tokens_per_s": 0.0, "requests_per_s": 0.0, "goodput": 0.0}


def test_arrivals_are_seeded_and_have_the_rate_that_was_asked_for():
    trace = poisson(rate=4.0, count=4000, prompt=3, new=1, seed=1)
    assert trace == poisson(rate=4.0, count=4000, prompt=3, new=1, seed=1)
    assert 4000 / trace.requests[-1].due == pytest.approx(4.0, rel=0.1)
    assert trace.requests[0].due == 0.0


def test_a_trace_is_read_in_order_of_time(tmp_path):
    file = tmp_path / "trace.jsonl"
    file.write_text('{"t": 0.5, "prompt_tokens": 4, "max_new": 2}\n\n{"t": 0.1, "prompt_tokens": [5, 6], "max_new": 1, "id": "x"}\n')  # fmt: skip
    trace = read(file)
    assert [(r.id, r.due, len(r.prompt), r.new) for r in trace.requests] == [("x", 0.1, 2, 1), ("line-1", 0.5, 4, 2)]


@pytest.mark.parametrize(
    "line",
    ['{"t": 0, "max_new": 1}', '{"t": -1, "prompt_tokens": 3, "max_new": 1}', '{"t": 0, "prompt_tokens": 0, "max_new": 1}', "[]", "{"],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path, line):
    file = tmp_path / "trace.jsonl"
    file.write_text('{"t": 0, "prompt_tokens": 3, "max_new": 1}\n' + line + "\n")
    with pytest.raises(InputError, match=r"trace.jsonl, line 2"):
        read(file)


def server(patience=60.0, slots=2):
    from tests.lab.making import tiny

    return Server(tiny("llama"), slots, patience)


def test_every_request_is_answered_in_a_closed_loop():
    trace = closed(clients=2, count=5, prompt=6, new=3, seed=0)
    trace = Trace(tuple(Request(r.id, r.due, tuple(p % 100 for p in r.prompt), r.new) for r in trace.requests), 2)
    replies = server().serve(trace)
    assert [r.status for r in replies] == [Status.OK] * 5
    assert all(r.due <= r.first <= r.last and r.new == 3 for r in replies)
    assert replies[2].due >= min(replies[0].last, replies[1].last)  # a client sends when it is answered, and not before


def test_latency_counts_from_when_a_request_was_due():
    """One slot, requests due at once: each waits for those before it, and its latency says so."""
    trace = Trace(tuple(Request(f"r{k}", 0.0, (1, 2, 3), 4) for k in range(4)))
    replies = server(slots=1).serve(trace)
    assert [r.due for r in replies] == [0.0] * 4
    assert sorted(r.first for r in replies) == [r.first for r in replies]
    assert all(later.first >= earlier.last for earlier, later in itertools.pairwise(replies))


def test_what_does_not_end_in_time_is_a_timeout():
    replies = server(patience=0.0).serve(Trace((Request("a", 0.0, (1, 2), 5),)))
    assert [r.status for r in replies] == [Status.TIMEOUT]
