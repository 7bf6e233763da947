"""How things are measured, and on what: the machine's fingerprint."""

from steelyard.probe.machine import Machine, machine

__all__ = ["Machine", "machine"]
