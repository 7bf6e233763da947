"""Token budgets: nothing is longer than its room, nothing that fits is cut."""

from hypothesis import given
from hypothesis import strategies as st

from steelyard.benchmarks.code import budget

TEXT = st.text(alphabet="ab é\n", max_size=60)
ROOM = st.integers(-2, 30)


def letters(text):
    return len(text)


@given(TEXT, ROOM)
def test_a_cut_keeps_as_much_as_fits(text, room):
    left, right = budget.cut_left(text, room, letters), budget.cut_right(text, room, letters)
    assert len(left) == len(right) == min(len(text), max(0, room))
    assert text.endswith(left)
    assert text.startswith(right)
    assert budget.tokens(budget.cut_left(text, room)) <= max(0, room)


def test_a_character_is_never_cut_in_two():
    assert budget.cut_left("aé", 1) == "aé"
    assert budget.tokens("éé") == 2
    assert budget.cut_left("éé", 1) == "é"


def test_two_sides_share_in_proportion_or_in_halves():
    before, after = "a" * 30 + "b" * 30, "c" * 10 + "d" * 10
    assert budget.both_sides(before, after, 80, letters) == (before, after)
    assert budget.both_sides(before, after, 40, letters) == ("b" * 30, "c" * 10)
    assert budget.halves(before, after, 40, letters) == ("b" * 20, "c" * 10 + "d" * 10)
    assert budget.both_sides(before, after, -5, letters) == ("", "")


def test_files_are_packed_until_one_must_be_cut_at_a_line():
    files = [("a", "12345"), ("b", "12\n34\n56\n"), ("c", "1")]
    assert budget.pack(files, 16, letters) == files
    assert budget.pack(files, 12, letters) == [("a", "12345"), ("b", "12\n34")]
    assert budget.pack(files, 6, letters) == [("a", "12345")]
    assert budget.pack(files, 5, letters) == [], "a file that fills the room to the brim is cut like any other"
