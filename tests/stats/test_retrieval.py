"""TF-IDF, cuts and average precision against hand values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.core.errors import InputError
from steelyard.stats.retrieval import average_precision, keep, tfidf


def test_tfidf_by_hand():
    texts = ["red red car", "red bus", "blue sky"]
    # idf: red ln(4/3)+1, the others ln(4/2)+1
    red, other = math.log(4 / 3) + 1, math.log(2) + 1
    expected = [2 * red / math.hypot(2 * red, other), red / math.hypot(red, other), 0]
    assert tfidf("Red!", texts) == pytest.approx(expected)
    assert tfidf("green", texts).tolist() == [0, 0, 0]
    assert tfidf("a red car", ["", "x"]).tolist() == [0, 0]


def test_a_text_is_most_similar_to_itself():
    texts = ["add two fractions", "draw a map of the town", "prove the lemma"]
    for i, text in enumerate(texts):
        assert tfidf(text, texts)[i] == pytest.approx(1)
        assert int(np.argmax(tfidf(text, texts))) == i


def test_number_first_then_threshold():
    similarity = [0.2, 0.9, 0.5, 0.7]
    assert keep(similarity, top_k=2).tolist() == [1, 3]
    assert keep(similarity, threshold=0.5).tolist() == [1, 3, 2]
    assert keep(similarity, top_k=3, threshold=0.6).tolist() == [1, 3]
    assert keep(similarity, top_k=1, threshold=0.95).tolist() == []
    with pytest.raises(InputError, match="number or a threshold"):
        keep(similarity)


def test_average_precision_by_hand():
    # relevant at places 1 and 3: (1/1 + 2/3) / 2
    assert average_precision([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]) == pytest.approx((1 + 2 / 3) / 2)
    # all alike: every order is as good, precision is the share of the relevant
    assert average_precision([0.5] * 4, [0, 1, 0, 0]) == pytest.approx(0.25)
    assert math.isnan(average_precision([0.1], [0]))


@given(st.lists(st.booleans(), min_size=1, max_size=30).filter(any))
def test_a_perfect_order_scores_one(relevant):
    assert average_precision(np.array(relevant, float), relevant) == pytest.approx(1)
