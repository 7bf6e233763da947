"""What a kernel's numbers depend on: the compiled module and the choices tuned into it, not a mere look at them."""

from __future__ import annotations

import pytest

from steelyard import catalog
from steelyard.contenders.kernels.native_softmax import native
from steelyard.contenders.kernels.three_pass import ThreePassReload
from steelyard.contenders.kernels.two_pass import TwoPass
from steelyard.core.card import Card
from steelyard.weigh.plan import weighed
from tests.conftest import need


def source(name: str) -> str:
    card: Card = catalog.benchmark("softmax").card
    return weighed(name, card, None).source


@pytest.fixture
def kernels():
    need("steelyard._native")
    return native()


def test_another_tuned_choice_is_other_code_for_the_kernels_that_use_it(kernels):
    isa = kernels.best_isa()
    name = "extended_sum"  # a pass of two-pass alone
    index, ahead = kernels.choice(name, isa, "memory", "normal")
    before = source("two-pass"), source("three-pass-reload"), source("two-pass[isa=scalar]")
    assert source("two-pass") == before[0], "asking again changes nothing"
    try:
        kernels.choose(name, isa, "memory", "normal", index, ahead + 64)
        assert source("two-pass") != before[0]
        assert source("three-pass-reload") == before[1]
        if isa != "scalar":
            assert source("two-pass[isa=scalar]") == before[2]
    finally:
        kernels.choose(name, isa, "memory", "normal", index, ahead)
    assert source("two-pass") == before[0]


def test_the_compiled_module_is_part_of_a_kernel_and_only_of_those_that_use_it(kernels):
    for contender in (TwoPass(), ThreePassReload(), TwoPass(isa="scalar")):
        assert contender.depends_on[0] is kernels
    from steelyard.contenders.kernels.peers import Numpy

    assert not hasattr(Numpy(), "depends_on")
