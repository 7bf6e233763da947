"""Kernels as contenders: one short file a method."""
