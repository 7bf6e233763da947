"""Recipes, what they need, and what is on the shelf."""

from .recipe import Recipe
from .shelf import Shelf

__all__ = ["Recipe", "Shelf"]
