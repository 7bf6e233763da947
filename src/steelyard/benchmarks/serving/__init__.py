"""Serving: long contexts, caches and engines."""
