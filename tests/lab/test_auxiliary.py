"""Layer maps are the published ones; a pruned model has the base's layers and nothing shared with it."""

import pytest
import torch

from steelyard.core.errors import InputError
from steelyard.lab.auxiliary import auxiliary_of, check_map, check_vocabulary, layer_map, pruned
from steelyard.lab.opening import LabModel
from tests.lab.making import MADE, tiny

# the configurations of the release, for OpenELM-1.1B (28 layers)
C_270M = [*(i // 2 for i in range(24)), 12, 13, 14, 15]
C_450M = [*(i // 2 for i in range(16)), *range(8, 20)]
LP_75 = [0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8]


def test_layer_maps_are_those_of_the_release():
    assert layer_map(28, 16) == C_270M
    assert layer_map(28, 20) == C_450M
    assert layer_map(28, 7, range(0, 28, 4)) == [i // 4 for i in range(28)]
    assert layer_map(28, 14, range(0, 28, 2)) == [i // 2 for i in range(28)]
    assert layer_map(28, 21, [i for i in range(28) if i % 4 != 3])[:12] == LP_75
    assert layer_map(8, 2) == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(("name", "count"), [("lp-25", 8), ("lp-50", 15), ("lp-75", 23)])
def test_a_base_of_thirty_layers_is_pruned_to(name, count):
    shares = {"lp-25": (0,), "lp-50": (0, 2), "lp-75": (0, 1, 2)}
    assert sum(i % 4 in shares[name] for i in range(30)) == count
    lab = tiny("llama")
    auxiliary, layers = auxiliary_of(lab, name)
    assert len(auxiliary.layers) == sum(i % 4 in shares[name] for i in range(3))
    assert len(layers) == 3


@pytest.mark.parametrize("family", MADE)
def test_a_pruned_model_runs_in_the_library_and_is_its_own(family):
    lab = tiny(family)
    before = lab.fingerprint
    small = pruned(lab, [0, 2])
    assert len(lab.layers) == lab.config.num_hidden_layers == 3
    for mine, its in ((0, 0), (1, 2)):
        ours, theirs = small.layers[mine].state_dict(), lab.layers[its].state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert small.windows == [lab.windows[0], lab.windows[2]]
    logits = small.model(torch.tensor([[1, 2, 3, 4]])).logits
    assert torch.isfinite(logits).all()
    with torch.no_grad():
        for weight in small.model.parameters():
            weight.zero_()
    assert LabModel(lab.name, lab.model).fingerprint == before


def test_what_does_not_fit_is_refused_with_the_offending_entry_or_both_names():
    with pytest.raises(InputError, match=r"entry 2 of the layer map is 4"):
        check_map([0, 1, 4], 3, 4)
    with pytest.raises(InputError, match=r"2 entries, the base 3"):
        check_map([0, 1], 3, 4)

    class Other:
        def get_vocab(self):
            return {"a": 0}

    class Same(Other):
        def get_vocab(self):
            return {"b": 0}

    model = tiny("llama").model
    with pytest.raises(InputError, match=r"one and two have different vocabularies"):
        check_vocabulary(LabModel("one", model, Other()), LabModel("two", model, Same()))
