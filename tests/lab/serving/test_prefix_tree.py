"""What a job shares: by hand, and against trying every set of prefixes."""

import itertools

import numpy as np
import pytest

from steelyard.lab.serving.job import request
from steelyard.lab.serving.prefix_tree import all_levels, build_tree, by_rule, common, one_level, saved
from tests.lab.serving.checking import random_prompts


def requests(prompts):
    return [request(str(i), p, 1) for i, p in enumerate(prompts)]


def best_by_trying(prompts):
    """The most tokens that any set of group prefixes saves, each request using the longest that fits."""
    keys = [tuple(p[:-1]) for p in prompts]
    shared = {k[:n] for k in keys for n in range(1, len(k) + 1) if sum(o[:n] == k[:n] for o in keys) > 1}
    found = [0]
    for count in range(1, 5):
        for opened in itertools.combinations(sorted(shared), count):
            used = [max((len(p) for p in opened if k[: len(p)] == p), default=0) for k in keys]
            found.append(sum(used) - sum(map(len, opened)))
    return max(found)


def test_a_tree_by_hand():
    # a b c | a b c | a b d | x: the last token of each prompt is its own
    tree = build_tree(requests([[1, 2, 3, 9], [1, 2, 3, 8], [1, 2, 4, 9], [5, 9]]))
    assert [(n.depth, n.leaves) for n in tree.nodes] == [(0, 4), (2, 3), (3, 2)]
    assert tree.once == (2 + 1 + 1 + 1) + 4
    assert tree.optimum == pytest.approx(1 - 9 / 14)
    # one prefix each: [1, 2] for three saves 4; [1, 2, 3] for two saves 3
    (group,) = one_level(tree)
    assert (group.end, sorted(group.members)) == (2, [0, 1, 2])
    assert saved(all_levels(tree)) == 2 * 2 + 1


def test_the_last_token_is_never_shared_and_identical_prompts_are_one_node():
    tree = build_tree(requests([[1, 2, 3]] * 5))
    (group,) = one_level(tree)
    assert (group.end, len(group.members), tree.once) == (2, 5, 2 + 5)


def test_a_prompt_that_another_continues_shares_all_but_its_last_token():
    tree = build_tree(requests([[1, 2, 3], [1, 2, 3, 4, 5]]))
    assert saved(one_level(tree)) == 2


@pytest.mark.parametrize("seed", range(40))
def test_one_level_saves_as_much_as_the_best_set_of_prefixes(seed):
    prompts = random_prompts(seed, count=8, longest=5)
    tree = build_tree(requests(prompts))
    assert saved(one_level(tree)) == best_by_trying(prompts)
    assert saved(by_rule(tree)) <= saved(one_level(tree)) <= saved(all_levels(tree))
    members = [m for s in one_level(tree) for m in s.members]
    assert len(members) == len(set(members))


@pytest.mark.parametrize("seed", range(20))
def test_all_levels_compute_each_prefix_once(seed):
    prompts = random_prompts(seed, letters=3)
    tree = build_tree(requests(prompts))
    different = {tuple(p[:n]) for p in prompts for n in range(1, len(p))}
    assert tree.once == len(different) + len(prompts)
    assert tree.prompt_tokens - saved(all_levels(tree)) == tree.once


def test_the_rule_of_the_paper_splits_when_the_gain_exceeds_the_parent():
    # [1] * 10 above; below it four prompts with 8 more in common: (4 - 1) * 8 > 10, with 3 more: (4 - 1) * 3 < 10
    def split(more):
        prompts = [[1] * 10 + [2] * more + [k] for k in range(3, 7)] + [[1] * 10 + [k] for k in range(8, 12)]
        return sorted(s.end for s in by_rule(build_tree(requests(prompts))))

    assert split(8) == [10, 18]
    assert split(3) == [10]


def test_common_prefix():
    assert common(np.array([1, 2, 3]), np.array([1, 2, 4])) == 2
    assert common(np.array([1, 2]), np.array([1, 2, 4])) == 2
    assert common(np.array([], int), np.array([1])) == 0


def test_a_long_chain_is_no_deep_recursion():
    prompts = [[1] * n + [2] for n in range(1, 1200)]
    tree = build_tree(requests(prompts))
    assert tree.once == 1199 + 1199
    assert saved(one_level(tree)) > tree.prompt_tokens / 2
