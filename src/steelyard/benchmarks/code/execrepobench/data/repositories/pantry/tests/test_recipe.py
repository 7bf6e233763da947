import pytest
from pantry import Recipe

DOUGH = "Dough for 4\n1/2 kg flour\n300 ml water\n2 tsp oil\n100 g flour\n"


def test_reading_sums_up():
    dough = Recipe.from_text(DOUGH)
    assert (dough.name, dough.serves) == ("Dough", 4)
    assert dough.ingredients["flour"] == (600, "g")
    assert dough.ingredients["oil"] == (10, "ml")


def test_scaling():
    half = Recipe.from_text(DOUGH).scaled(2)
    assert half.serves == 2
    assert half.ingredients["water"] == (150, "ml")
    with pytest.raises(ValueError):
        half.scaled(0)


def test_lines_are_sorted():
    assert Recipe.from_text(DOUGH).scaled(1).lines() == ["150 g flour", "2 1/2 ml oil", "75 ml water"]
