"""A recipe: ingredients and how many it feeds."""

from dataclasses import dataclass, field
from fractions import Fraction

from .units import GRAMS, convert, parse, pretty


@dataclass
class Recipe:
    name: str
    serves: int
    ingredients: dict = field(default_factory=dict)

    @classmethod
    def from_text(cls, text):
        """First line: name and number of servings; then one ingredient a line."""
        head, *lines = [line for line in text.strip().splitlines() if line.strip()]
        name, _, serves = head.partition(" for ")
        recipe = cls(name.strip(), int(serves))
        for line in lines:
            recipe.add(line)
        return recipe

    def add(self, line):
        """Add an ingredient; amounts of the same ingredient are summed up."""
        amount, unit, food = parse(line)
        base = "g" if unit in GRAMS else "ml"
        have, have_unit = self.ingredients.get(food, (Fraction(0), base))
        self.ingredients[food] = (have + convert(amount, unit, have_unit), have_unit)

    def scaled(self, serves):
        """The same recipe for another number of people."""
        if serves <= 0:
            raise ValueError("a recipe feeds at least one")
        factor = Fraction(serves, self.serves)
        scaled = {food: (amount * factor, unit) for food, (amount, unit) in self.ingredients.items()}
        return Recipe(self.name, serves, scaled)

    def lines(self):
        """The ingredients as text, in alphabetical order."""
        result = []
        for food in sorted(self.ingredients):
            amount, unit = self.ingredients[food]
            result.append(f"{pretty(amount)} {unit} {food}")
        return result
