"""Stations, lines and the way between them."""
