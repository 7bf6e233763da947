"""Plans the cells of a comparison, runs them, records them, resumes."""

from steelyard.weigh.run import Budget, Weighing, weigh

__all__ = ["Budget", "Weighing", "weigh"]
