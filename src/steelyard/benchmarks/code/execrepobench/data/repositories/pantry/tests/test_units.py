from fractions import Fraction

import pytest
from pantry.units import UnitError, convert, kind_of, parse, pretty


def test_kinds():
    assert [kind_of(u) for u in ("g", "oz", "cup", "l")] == ["weight", "weight", "volume", "volume"]
    with pytest.raises(UnitError):
        kind_of("inch")


def test_convert():
    assert convert(2, "kg", "g") == 2000
    assert convert(3, "cup", "l") == Fraction(18, 25)
    with pytest.raises(UnitError):
        convert(1, "kg", "l")


def test_parse():
    assert parse("1 1/2 kg brown sugar") == (Fraction(3, 2), "kg", "brown sugar")
    assert parse("2 tsp salt") == (2, "tsp", "salt")
    with pytest.raises(UnitError):
        parse("kg flour")
    with pytest.raises(UnitError):
        parse("2 pinch salt")


def test_pretty():
    assert [pretty(Fraction(a, 4)) for a in (4, 3, 6, 0)] == ["1", "3/4", "1 1/2", "0"]
