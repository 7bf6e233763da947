from pantry import Recipe, Shelf


def shelf(*lines):
    made = Shelf()
    for line in lines:
        made.put(line)
    return made


SOUP = Recipe.from_text("Soup for 2\n500 ml water\n200 g peas")
TEA = Recipe.from_text("Tea for 1\n250 ml water")


def test_put_adds_up():
    assert shelf("1 kg peas", "500 g peas").stock["peas"] == (1.5, "kg")


def test_missing():
    assert shelf("1 l water", "50 g peas").missing(SOUP) == {"peas": (150, "g")}
    assert shelf("1 l water", "1 kg peas").missing(SOUP) == {}


def test_cook_takes_all_or_nothing():
    full = shelf("1 l water", "200 g peas")
    assert full.cook(SOUP)
    assert full.stock == {"water": (0.5, "l")}
    assert not full.cook(SOUP)
    assert full.stock == {"water": (0.5, "l")}
    assert full.history == {"Soup": 1}


def test_shopping_list():
    assert shelf("100 ml water").shopping_list(SOUP, TEA, TEA) == ["200 g peas", "900 ml water"]


def test_favourite():
    kitchen = shelf("2 l water")
    assert kitchen.favourite() is None
    kitchen.cook(TEA)
    kitchen.cook(TEA)
    assert kitchen.favourite() == "Tea"
