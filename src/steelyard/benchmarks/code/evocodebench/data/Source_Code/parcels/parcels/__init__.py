"""Postage for parcels: addresses, zones, rates and where a parcel is."""

from parcels.address import Address
from parcels.rates import Tariff

__all__ = ["Address", "Tariff"]
