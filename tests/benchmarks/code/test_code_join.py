"""The 2 x 2 table of base and self-invoking outcomes."""

import pytest

from steelyard.benchmarks.code import join
from steelyard.benchmarks.code.humaneval.benchmark import HumanEval
from steelyard.benchmarks.code.humaneval_pro.benchmark import HumanEvalPro
from steelyard.benchmarks.code.mbpp.benchmark import Mbpp
from steelyard.benchmarks.code.mbpp_pro.benchmark import MbppPro
from steelyard.core.errors import InputError
from steelyard.core.words import Case


def test_table_counts_joined_pairs_and_lists_the_rest():
    base = {"a": 1, "b": 1, "c": 0, "d": 0, "e": 1, "only": 1}
    pro = {"a": 1, "b": 0, "c": 1, "d": 0, "e": 0, "other": 0}
    table = join.two_by_two(base, pro)
    assert (table.pass_pass, table.pass_fail, table.fail_pass, table.fail_fail) == (1, 2, 1, 1)
    assert (table.joined, table.only_base, table.only_pro) == (5, ("only",), ("other",))
    with pytest.raises(InputError, match=r"0\.5"):
        join.two_by_two({"a": 0.5}, {"a": 1})


@pytest.mark.parametrize(("base", "pro"), [(HumanEval, HumanEvalPro), (Mbpp, MbppPro)])
def test_all_twenty_own_pairs_join(base, pro):
    ours, theirs = join.pair_keys(list(base().cases())), join.pair_keys(list(pro().cases()))
    assert len(set(ours.values()) & set(theirs.values())) == len(ours) == len(theirs) == 20


def test_problems_that_share_a_name_are_told_apart_by_their_sentence():
    keys = join.by_entry_point([("f", "Add one."), ("g", "Sort."), ("f", "Take one."), ("g", "sort"), ("h", "")])
    assert keys[0] != keys[2]
    assert keys[0].startswith("f:")
    assert keys[1] == keys[3] == "", "nothing tells these two apart"
    assert keys[4] == "h"


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(InputError, match="'1' and '2'"):
        join.pair_keys([Case("1", attributes={"pair": "k"}), Case("2", attributes={"pair": "k"})])
