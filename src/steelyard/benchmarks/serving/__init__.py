"""Serving language models: long contexts, caches, throughput."""
