"""Who holds which block, followed by hand."""

import numpy as np

from steelyard.lab.serving.batching import run_of
from steelyard.lab.serving.paging import HashedBlocks
from steelyard.lab.serving.prefix_tree import build_tree, one_level
from steelyard.lab.serving.segments import SharedSegments
from tests.lab.serving.checking import job


def compute(books, run):
    """All of a request's prompt, as one step would."""
    assert books.begin(run)
    assert books.room(run, run.known)
    run.computed = run.known
    books.wrote(run)


def test_a_second_request_finds_full_blocks_only_and_computes_its_last_token():
    j = job([[1] * 8 + [2], [1] * 8 + [3], [1] * 8], blocks=20)
    books = HashedBlocks(j)
    first, second, third = (run_of(n, j) for n in range(3))
    compute(books, first)
    assert books.cached(second) == 8
    assert books.cached(third) == 4  # of its 8 tokens the last is computed, so its second block cannot be taken over
    assert books.begin(second)
    assert second.computed == 8
    assert second.blocks == first.blocks[:2]


def test_the_least_recently_used_goes_first_and_a_prefix_outlives_what_follows_it():
    j = job([[1] * 8, [2] * 8, [3] * 12], blocks=5)
    books = HashedBlocks(j)
    one, two, three = (run_of(n, j) for n in range(3))
    for run in (one, two):
        compute(books, run)
        books.end(run, finished=True)
    assert (books.held, books.referenced, books.available) == (4, 0, 5)
    compute(books, three)  # one block is free; two of the cached ones must go: those of the first request
    assert books.evictions == 2
    assert books.cached(run_of(0, j)) == 0
    assert books.cached(run_of(1, j)) == 4
    books.end(three, finished=True)
    again = run_of(1, j)
    compute(books, again)
    books.end(again, finished=True)
    compute(books, run_of(2, j))
    assert books.cached(run_of(2, j)) == 8


def test_what_is_referenced_is_never_evicted():
    j = job([[1] * 12, [2] * 12], blocks=5)
    books = HashedBlocks(j)
    one, two = run_of(0, j), run_of(1, j)
    compute(books, one)
    assert not books.begin(two)
    assert books.available == 2
    assert two.blocks == []


def test_a_request_that_cannot_begin_leaves_no_trace():
    j = job([[1] * 8, [1] * 8 + [2] * 12, [3] * 12], blocks=7)
    books = HashedBlocks(j)
    one = run_of(0, j)
    compute(books, one)
    other = run_of(2, j)
    compute(books, other)
    assert not books.begin(run_of(1, j))
    assert books.referenced == 5
    books.end(one, finished=True)
    books.end(other, finished=True)
    assert books.referenced == 0


def test_a_segment_lives_from_its_first_member_to_its_last():
    j = job([[1] * 6 + [2, 2], [1] * 6 + [3, 3], [4, 4]], blocks=10)
    segments = one_level(build_tree(j.requests))
    books = SharedSegments(j, segments)
    one, two = run_of(0, j), run_of(1, j)
    compute(books, one)
    assert books.held == 2 + 1  # six tokens in two blocks of its own, then a block for the request's two
    assert books.begin(two)
    assert two.computed == 6
    assert np.array_equal(two.slots[:6], one.slots[:6])
    books.end(one, finished=True)
    assert books.held == 2
    books.room(two, 8)
    books.end(two, finished=False)  # preempted: it will come again, the segment stays
    assert books.held == 2
    assert books.begin(two)
    books.end(two, finished=True)
    assert books.held == 0


def test_who_computes_a_segment_is_waited_for_and_replaced():
    j = job([[1] * 6 + [2, 2], [1] * 6 + [3, 3]], blocks=10)
    books = SharedSegments(j, one_level(build_tree(j.requests)))
    one, two = run_of(0, j), run_of(1, j)
    books.begin(one)
    one.computed = 3
    books.wrote(one)
    assert not books.begin(two)
    books.end(one, finished=False)
    assert books.begin(two)
    assert two.computed == 3
    assert books.held == 2


def test_segments_that_nobody_uses_are_given_up_as_a_last_resort():
    j = job([[1] * 6 + [2, 2], [1] * 6 + [3, 3]], blocks=10)
    books = SharedSegments(j, one_level(build_tree(j.requests)))
    one = run_of(0, j)
    compute(books, one)
    assert not books.give_up()
    books.end(one, finished=True)
    assert books.give_up()
    assert (books.held, books.evictions) == (0, 2)
