"""Procedures over tables of numbers: one short file a method."""
