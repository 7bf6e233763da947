"""Schedulers of offline jobs: which request runs when, and what stays in the cache."""
