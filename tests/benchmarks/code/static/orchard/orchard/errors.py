"""What can go wrong in the orchard."""

__all__ = ["BadPrice", "CurrencyMismatch", "OrchardError"]


class OrchardError(Exception):
    def hint(self):
        return "see the manual"


class CurrencyMismatch(OrchardError):
    def __init__(self, one, other):
        super().__init__(f"{one} is not {other}")
        self.pair = (one, other)

    def __str__(self):
        return f"{self.pair[0]} is not {self.pair[1]}: {self.hint()}"


class BadPrice(OrchardError):
    pass


def hidden():
    return OrchardError
