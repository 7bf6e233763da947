"""Kernels: array operations, timed side by side on this processor."""
