"""Amounts in grams and millilitres, and their conversion."""

from fractions import Fraction

GRAMS = {"g": Fraction(1), "kg": Fraction(1000), "oz": Fraction(2835, 100)}
MILLILITRES = {"ml": Fraction(1), "l": Fraction(1000), "cup": Fraction(240), "tsp": Fraction(5)}


class UnitError(ValueError):
    pass


def kind_of(unit):
    """Whether a unit measures weight or volume."""
    if unit in GRAMS:
        return "weight"
    if unit in MILLILITRES:
        return "volume"
    raise UnitError(f"unknown unit: {unit}")


def convert(amount, unit, target):
    """An amount in another unit of the same kind."""
    if kind_of(unit) != kind_of(target):
        raise UnitError(f"{unit} is no measure of {kind_of(target)}")
    table = GRAMS if unit in GRAMS else MILLILITRES
    return Fraction(amount) * table[unit] / table[target]


def parse(text):
    """"1 1/2 kg flour" -> (3/2, "kg", "flour")."""
    words = text.split()
    amount = Fraction(0)
    position = 0
    while position < len(words):
        try:
            amount += Fraction(words[position])
        except ValueError:
            break
        position += 1
    if position == 0:
        raise UnitError(f"no amount in {text!r}")
    unit = words[position]
    kind_of(unit)
    return amount, unit, " ".join(words[position + 1 :])


def pretty(amount):
    """A fraction as cooks write it: 3/2 is "1 1/2"."""
    whole, rest = divmod(Fraction(amount), 1)
    if rest == 0:
        return str(whole)
    if whole == 0:
        return str(rest)
    return f"{whole} {rest}"
