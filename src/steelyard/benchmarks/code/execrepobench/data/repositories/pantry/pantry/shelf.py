"""What is on the shelf, and what has to be bought."""

from collections import Counter

from .recipe import Recipe
from .units import convert, parse, pretty


class Shelf:
    def __init__(self):
        self.stock = {}
        self.history = Counter()

    def put(self, line):
        """Put something on the shelf."""
        amount, unit, food = parse(line)
        if food in self.stock:
            have, have_unit = self.stock[food]
            self.stock[food] = (have + convert(amount, unit, have_unit), have_unit)
        else:
            self.stock[food] = (amount, unit)

    def missing(self, recipe):
        """Food -> amount in the recipe's unit that is not there."""
        shortage = {}
        for food, (amount, unit) in recipe.ingredients.items():
            have, have_unit = self.stock.get(food, (0, unit))
            lack = amount - convert(have, have_unit, unit)
            if lack > 0:
                shortage[food] = (lack, unit)
        return shortage

    def cook(self, recipe):
        """Take what a recipe needs from the shelf; nothing is taken where something is missing."""
        if self.missing(recipe):
            return False
        for food, (amount, unit) in recipe.ingredients.items():
            have, have_unit = self.stock[food]
            left = have - convert(amount, unit, have_unit)
            if left:
                self.stock[food] = (left, have_unit)
            else:
                del self.stock[food]
        self.history[recipe.name] += 1
        return True

    def shopping_list(self, *recipes):
        """What to buy for several recipes together."""
        together = Recipe("all", 1)
        for recipe in recipes:
            for line in recipe.lines():
                together.add(line)
        wanted = self.missing(together)
        return [f"{pretty(amount)} {unit} {food}" for food, (amount, unit) in sorted(wanted.items())]

    def favourite(self):
        """The name of what was cooked most often, or None."""
        if not self.history:
            return None
        return self.history.most_common(1)[0][0]
