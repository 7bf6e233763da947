"""Runs programs nobody trusts, in bubblewrap jails, and says how they ended."""

from .outcome import CommandResult, Limits, Outcome, Verdict
from .pool import Sandbox, health
from .sharing import set_isolation, shared

__all__ = ["CommandResult", "Limits", "Outcome", "Sandbox", "Verdict", "health", "set_isolation", "shared"]
