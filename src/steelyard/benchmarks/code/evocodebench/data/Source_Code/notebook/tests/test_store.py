import pytest
from notebook.store import Missing, Store


@pytest.fixture
def store():
    kept = Store()
    kept.put("# Bread\nFlour, *water*")
    kept.put("# Apples\nfrom the garden")
    return kept


def test_put(store):
    assert store.put("no heading") == "untitled"
    assert store.put("# Bread\nnew") == "bread"
    assert store.get("bread") == "# Bread\nnew"


def test_get(store):
    assert store.get("apples") == "# Apples\nfrom the garden"
    with pytest.raises(Missing):
        store.get("pears")


def test_names(store):
    assert store.names() == ["apples", "bread"]
    assert store.names("WATER") == ["bread"]


def test_rename(store):
    store.rename("bread", "loaf")
    assert store.names() == ["apples", "loaf"]
    assert store.get("loaf").startswith("# Bread")
    with pytest.raises(ValueError):
        store.rename("loaf", "apples")
    with pytest.raises(Missing):
        store.rename("bread", "roll")
