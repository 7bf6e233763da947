"""What a parcel costs."""

import math

from parcels.address import Address

STEP_GRAMS = 500
INSURED_FROM = 100.0


def billed_grams(grams):
    """Round a weight up to the next full step of STEP_GRAMS; the least is one step.

    :param grams: the weight, above 0.
    :return: a whole number of grams.
    """
    steps = max(1, math.ceil(grams / STEP_GRAMS))
    return steps * STEP_GRAMS


class Tariff:
    """Prices of one carrier: a base price and a price for each step and zone, in euros."""

    def __init__(self, base, per_step):
        self.base = base
        self.per_step = per_step
        self.discounts = {}

    def add_discount(self, code, share):
        """Remember that `code` takes the share (0 to 1) off a price; ValueError for any other share."""
        if not 0 <= share <= 1:
            raise ValueError(f"share {share} is not between 0 and 1")
        self.discounts[code.lower()] = share

    def price(self, grams, address, code=""):
        """Return the price of a parcel in euros, rounded to cents.

        The base price, and for each step of the billed weight the price of a step times the zone of the address; a known
        discount code (in any case) takes its share off the whole.
        """
        steps = billed_grams(grams) // STEP_GRAMS
        whole = self.base + steps * self.per_step * address.zone()
        share = self.discounts.get(code.lower(), 0.0)
        return round(whole * (1 - share), 2)

    def cheapest(self, grams, addresses):
        """Return the address to which a parcel of this weight is cheapest; the first of them where several are."""
        if not addresses:
            raise ValueError("no address to choose from")
        return min(addresses, key=lambda address: self.price(grams, address))


def insurance(value, address):
    """Return the insurance of a parcel in euros: nothing below INSURED_FROM, else 1 % of its value, twice that outside zone 1."""
    if value < INSURED_FROM:
        return 0.0
    factor = 1 if address.zone() == 1 else 2
    return round(value * 0.01 * factor, 2)


def sample_address(country):
    return Address("A", "B", "1", country)
