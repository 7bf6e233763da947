import pytest
from parcels import Address, Tariff
from parcels.address import AddressError, read_address
from parcels.rates import billed_grams, insurance
from parcels.tracking import Parcel, check_digit, load


def at(country):
    return Address("Ada Moe", "Main Road 1", "1010", country)


@pytest.mark.parametrize(("country", "zone"), [("AT", 1), (" us ", 3), ("ZZ", 5)])
def test_zone(country, zone):
    assert at(country).zone() == zone


def test_label():
    assert at("at").label() == ["ADA MOE", "MAIN ROAD 1", "AT-1010"]


def test_read_address():
    assert read_address("Ada\n\n Main Road 1 \n1010\nAT\n") == Address("Ada", "Main Road 1", "1010", "AT")
    with pytest.raises(AddressError):
        read_address("Ada\nMain Road 1\n1010")


@pytest.mark.parametrize(("grams", "billed"), [(1, 500), (500, 500), (501, 1000), (1700, 2000)])
def test_billed_grams(grams, billed):
    assert billed_grams(grams) == billed


def test_price():
    tariff = Tariff(2.0, 0.5)
    assert tariff.price(700, at("FR")) == 4.0
    tariff.add_discount("Spring", 0.25)
    assert tariff.price(700, at("FR"), "SPRING") == 3.0


def test_discount_is_a_share():
    with pytest.raises(ValueError):
        Tariff(1, 1).add_discount("all", 1.5)


def test_cheapest():
    near, far = at("DE"), at("JP")
    assert Tariff(1, 1).cheapest(100, [far, near, at("AT")]) is near
    with pytest.raises(ValueError):
        Tariff(1, 1).cheapest(100, [])


def test_insurance():
    assert insurance(99.0, at("AT")) == 0.0
    assert insurance(250.0, at("AT")) == 2.5
    assert insurance(250.0, at("US")) == 5.0


def test_note():
    parcel = Parcel("1", 10)
    parcel.note("collected")
    parcel.note("collected")
    for wrong in ("announced", "lost"):
        with pytest.raises(ValueError):
            parcel.note(wrong)
    assert parcel.events == ["collected", "collected"]


def test_is_done():
    parcel = Parcel("1", 10)
    assert not parcel.is_done()
    parcel.note("delivered")
    assert parcel.is_done()


@pytest.mark.parametrize(("number", "digit"), [("400638133393", 1), ("0", 0), ("7", 9)])
def test_check_digit(number, digit):
    assert check_digit(number) == digit


def test_load():
    one, two = Parcel("1", 600), Parcel("2", 100)
    assert load([one, two]) == 1500
    two.note("delivered")
    assert load([one, two]) == 1000
