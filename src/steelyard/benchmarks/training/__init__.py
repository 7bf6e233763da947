"""Training: recipes, precision, search, energy."""
