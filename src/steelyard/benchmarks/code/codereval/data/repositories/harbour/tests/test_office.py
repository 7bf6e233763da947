from harbour.berth import Berth
from harbour.office import Office, invoice


def test_place():
    office = Office([Berth(1, 20, 4), Berth(2, 10, 2), Berth(3, 12, 3, {"mon": "Otter"})])
    assert office.place("Seal", 9, 1, ["mon"]) == 2
    assert office.place("Hare", 9, 1, ["mon"]) == 1
    assert office.place("Pike", 9, 1, ["mon"]) is None
    assert office.place("Pike", 9, 2, ["tue"]) == 3
    assert office.berths[0].bookings == {"mon": "Hare"}


def test_ticket():
    assert Office([]).ticket("Café Noir", "2024-05-01") == "cafe-noir/2024-05-01/" + "78460512"


def test_invoice():
    assert invoice("Otter", 9, 2) == "Otter..............." + "        24"
    assert invoice("The Long Way Home Again", 20, 1) == "The Long Way Home..." + "        45"
