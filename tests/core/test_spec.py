"""Contender specs: parsing, printing, and errors that say where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.core.errors import InputError
from steelyard.core.spec import Spec, parse_spec, split_specs

KEYS = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
VALUES = st.one_of(
    st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)
SPECS = st.builds(
    Spec,
    st.from_regex(r"[A-Za-z][A-Za-z0-9._/:-]{0,8}", fullmatch=True),
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.lists(st.builds(Spec, st.just("self-debug"), st.dictionaries(KEYS, VALUES, max_size=2)), max_size=2).map(tuple),
)


@given(SPECS)
def test_printing_then_parsing_gives_the_same_spec(spec):
    again = parse_spec(str(spec))
    assert again == spec
    assert [type(v) for v in again.options.values()] == [type(v) for v in spec.options.values()]


def test_options_are_sorted_so_that_equal_specs_print_alike():
    assert str(parse_spec("two-pass[stores=streaming, isa=avx512]")) == "two-pass[isa=avx512,stores=streaming]"


def test_a_model_with_a_solver():
    spec = parse_spec("openai/gpt-4o[temperature=0.2]+self-debug[turns=3]")
    assert spec.name == "openai/gpt-4o"
    assert spec.options["temperature"] == 0.2
    assert [str(s) for s in spec.solvers] == ["self-debug[turns=3]"]


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("", 1, "a name"),
        ("a[", 3, "an option name"),
        ("a[x]", 4, "'='"),
        ("a[x=1", 6, "',' or ']'"),
        ("a[x=1,x=2]", 7, "stands twice"),
        ("a b", 2, "'+'"),
    ],
)
def test_errors_name_the_column_and_what_was_expected(text, column, expected):
    with pytest.raises(InputError) as error:
        parse_spec(text)
    assert f"column {column}" in error.value.what
    assert expected in error.value.what


def test_commas_inside_brackets_do_not_split():
    assert split_specs('a[x=1,y="p,q"], b') == ['a[x=1,y="p,q"]', "b"]
