import pytest

from harbour import berth
from harbour.berth import Berth, Full


@pytest.fixture
def place():
    return Berth(3, 12.0, 2.5, {"mon": "Otter"})


def test_fits(place):
    assert place.fits(12, 2.0)
    assert not place.fits(12.1, 1)
    assert not place.fits(9, 2.1)


def test_free(place):
    assert place.free(["sun", "mon", "tue"]) == ["sun", "tue"]


def test_guest(place):
    place.bookings |= {"wed": "Otter", "tue": "Seal"}
    assert place.guest("Otter") == ["mon", "wed"]


def test_book(place):
    place.book("Seal", ["tue", "wed"])
    assert place.bookings["wed"] == "Seal"
    with pytest.raises(Full):
        place.book("Hare", ["thu", "mon"])
    assert "thu" not in place.bookings


def test_fee():
    assert [berth.fee(9, 1), berth.fee(10, 7), berth.fee(10.5, 8), berth.fee(25, 14)] == [12, 72, 140, 540]
    with pytest.raises(ValueError):
        berth.fee(26, 1)


def test_is_open():
    assert [berth.is_open(h) for h in (5, 6, 21, 22, 30, -3)] == [False, True, True, False, True, True]


def test_nickname(place):
    assert berth.nickname(place) == "north 3"
    place.number = 4
    assert berth.nickname(place) == "south 4"
    assert berth._names[3] == "north 3"
