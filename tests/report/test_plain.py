"""Plain tables: columns line up, the last one wraps below itself, and nothing is lost."""

from steelyard.report.plain import print_plain


def test_the_last_column_wraps_below_itself_and_nothing_is_lost(capsys):
    words = " ".join(f"word{i}" for i in range(60))
    print_plain([{"name": "a", "is": words}, {"name": "longer", "is": "short"}], ["name", "is"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "name    is"
    assert lines[1].startswith("a       word0 word1 ")
    assert lines[-1] == "longer  short"
    assert max(map(len, lines)) <= 140
    assert all(line.startswith(" " * 8 + "word") for line in lines[2:-1])
    assert " ".join(line[8:] for line in lines[1:-1]) == words


def test_a_row_without_a_last_word_keeps_the_others(capsys):
    print_plain([{"name": "turns", "is": ""}, {"name": "limit", "is": "seconds"}], ["name", "is"])
    assert capsys.readouterr().out.splitlines() == ["name   is", "turns", "limit  seconds"]
