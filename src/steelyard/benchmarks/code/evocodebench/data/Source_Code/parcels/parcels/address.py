"""Where a parcel goes."""

from dataclasses import dataclass

ZONES = {"AT": 1, "DE": 1, "FR": 2, "IT": 2, "JP": 4, "US": 3}
FAR = 5


class AddressError(ValueError):
    """An address that no carrier can read."""


@dataclass
class Address:
    name: str
    street: str
    postcode: str
    country: str

    def zone(self):
        """Return the tariff zone of the country; a country not in ZONES is as far as FAR."""
        code = self.country.strip().upper()
        return ZONES.get(code, FAR)

    def label(self):
        """Return the lines of a label in capitals: name, street, then country, a hyphen and postcode."""
        last = f"{self.country}-{self.postcode}"
        return [line.upper() for line in (self.name, self.street, last)]


def read_address(text):
    """Read an address from four lines: name, street, postcode and country; blank lines do not count.

    Raises AddressError when there are more or fewer than four lines.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != 4:
        raise AddressError(f"{len(lines)} lines instead of 4")
    return Address(*lines)
