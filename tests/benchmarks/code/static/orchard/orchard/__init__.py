"""Fruit, its prices and who buys it: a small project whose dependencies are known by hand (../key.json)."""

from .prices import Price as Price
from .prices import parse_price as parse_price

VERSION = "1.0"
