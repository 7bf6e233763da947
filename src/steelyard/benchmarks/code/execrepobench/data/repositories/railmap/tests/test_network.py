import pytest
from railmap.lines import read_line, read_lines
from railmap.network import Network, NoWay

MAP = """
red: Aford -3- Bexley -2- Caster
blue: Dunham -5- Bexley -9- Elmley ; goes to the sea
green: Caster -2- Elmley
grey: Farley -1- Gorton
"""


@pytest.fixture
def network():
    return Network.from_text(MAP)


def test_reading():
    line = read_line("red: Aford -3- Bexley -2- Caster")
    assert line.stops == ("Aford", "Bexley", "Caster")
    assert line.duration("Caster", "Aford") == 5
    assert line.legs()[1] == ("Bexley", "Caster", 2)
    assert sorted(read_lines(MAP)) == ["blue", "green", "grey", "red"]


def test_bad_lines():
    with pytest.raises(ValueError, match="twice"):
        read_line("red: Aford -3- Bexley -2- Aford")
    with pytest.raises(ValueError, match="nowhere"):
        read_line("red: Aford")


def test_stations(network):
    assert network.stations()[:2] == ["Aford", "Bexley"]
    assert network.lines_at("Bexley") == ["blue", "red"]
    assert network.crossings() == ["Bexley", "Caster", "Elmley"]


def test_shortest_counts_changes(network):
    assert network.shortest("Aford", "Caster") == (5, [("Bexley", "red"), ("Caster", "red")])
    cost, way = network.shortest("Bexley", "Elmley")
    assert (cost, way) == (8, [("Caster", "red"), ("Elmley", "green")])


def test_no_way(network):
    with pytest.raises(NoWay, match="no way"):
        network.shortest("Aford", "Gorton")
    with pytest.raises(NoWay, match="no station Zed"):
        network.shortest("Aford", "Zed")
