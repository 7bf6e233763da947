import pytest
from railmap.network import Network, NoWay
from railmap.timetable import Timetable, clock, minutes_of


@pytest.fixture
def timetable():
    return Timetable(Network.from_text("red: Aford -3- Bexley -12- Caster"), every=30)


def test_clock():
    assert [clock(m) for m in (0, 65, 1439, 1441)] == ["00:00", "01:05", "23:59", "00:01"]
    assert minutes_of("07:30") == 450
    with pytest.raises(ValueError):
        minutes_of("07:60")


def test_departures(timetable):
    assert timetable.departures("05:01") == ["05:30", "06:00", "06:30"]
    assert timetable.departures("23:00") == ["23:00"]


def test_arrival(timetable):
    assert timetable.arrival("Aford", "Caster", "22:50") == "23:15"
    with pytest.raises(NoWay):
        timetable.arrival("Aford", "Caster", "23:01")


def test_table(timetable):
    assert timetable.table(["Aford", "Bexley", "Caster"]) == "Aford    0\nBexley   3\nCaster  15"
