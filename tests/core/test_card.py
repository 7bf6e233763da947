"""Cards: what is wrong is named with file, line and field."""

import pytest

from steelyard.core.card import read_card
from steelyard.core.errors import InputError

GOOD = """
name = "toy"
kind = "benchmark"
title = "Toy"
summary = "A toy."
track = "kernels"
interface = "kernel"
entry = "toy.bench:Toy"

[[metrics]]
name = "time"
unit = "s"
direction = "lower"
kind = "duration"

[[claims]]
id = "fast"
says = "It is fast."
source = "arXiv:0000.00000, abstract"
metric = "time"
statistic = "ratio"
contender = "a"
expect = "baseline / contender > 1"
scale = "as published"
"""


def card(tmp_path, text):
    path = tmp_path / "card.toml"
    path.write_text(text)
    return path


def test_a_good_card_is_read(tmp_path):
    read = read_card(card(tmp_path, GOOD))
    assert read.primary.unit == "s"
    assert read.claims[0].over == "mean"
    assert read_card(card(tmp_path, GOOD), claims=False).claims == []


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ('direction = "lower"', 'direction = "down"', 13, "metrics.0.direction"),
        ('title = "Toy"', 'titel = "Toy"', 4, "titel"),
        ('statistic = "ratio"', 'statistic = "odds"', 21, "claims.0.statistic"),
        ('entry = "toy.bench:Toy"', 'entry = "toy"', 8, "entry"),
    ],
)
def test_a_fault_is_named_with_line_and_field(tmp_path, old, new, line, field):
    path = card(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError) as error:
        read_card(path)
    assert str(path) in str(error.value)
    assert f"line {line}, field '{field}'" in str(error.value)


def test_a_scale_must_be_one_of_three(tmp_path):
    with pytest.raises(InputError, match="scale must begin with"):
        read_card(card(tmp_path, GOOD.replace('scale = "as published"', 'scale = "roughly"')))


def test_broken_toml_names_the_file(tmp_path):
    with pytest.raises(InputError, match="not valid TOML"):
        read_card(card(tmp_path, GOOD + "]["))
