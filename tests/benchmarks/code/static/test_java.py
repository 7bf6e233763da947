"""Java sources read by hand-written examples: names, signatures, spans in bytes, and bodies put back."""

from __future__ import annotations

import pytest

from steelyard.benchmarks.code.static import java
from tests.conftest import need


@pytest.fixture(autouse=True)
def grammar():
    need("tree_sitter_java")


SOURCE = """\
package shop.über;

import java.util.*;
import static java.lang.Math.max;

/** A café: é takes two bytes. */
public abstract class Café<T extends Comparable<T>> extends Place implements Open, Comparable<Café<T>> {

    private static final int A = 1, B[] = {2};

    /* first */
    @Deprecated
    protected Café(final int seats, String... names) {
        this.seats = seats; // ü
    }

    public abstract List<T> guests() throws Exception;

    int add(int a) { return a; }

    int add(int a, int[] b) { return new Object() { int inner() { return 1; } }.inner(); }

    enum Size { SMALL(1), LARGE(2) { int twice() { return 4; } }; Size(int n) { } }

    private static class Till { void open() { } }
}

interface Open { default void hello() { } int hours(); }
"""


@pytest.fixture
def source() -> java.Source:
    return java.read(SOURCE)


def test_the_names_are_those_of_the_text(source: java.Source) -> None:
    assert source.package == "shop.über"
    assert source.imports == (java.Import("java.util", False, True), java.Import("java.lang.Math.max", True, False))
    assert [t.name for t in source.all_types()] == ["Café", "Café.Size", "Café.Till", "Open"]
    cafe = source.types[0]
    assert source.main_type is cafe
    assert (cafe.kind, cafe.modifiers) == ("class", ("public", "abstract"))
    assert cafe.extends == ("Place", "Open", "Comparable<Café<T>>")
    assert [(f.name, f.type, f.value) for f in cafe.fields] == [("A", "int", "1"), ("B", "int[]", "{2}")]
    assert cafe.types[0].constants == ("SMALL", "LARGE")


def test_methods_have_signatures_bodies_and_comments(source: java.Source) -> None:
    signatures = [(m.owner, m.signature, m.returns) for m in source.methods()]
    assert signatures == [
        ("Café", "Café(int, String...)", ""), ("Café", "guests()", "List<T>"), ("Café", "add(int)", "int"),
        ("Café", "add(int, int[])", "int"), ("Café.Size.LARGE", "twice()", "int"),
        ("Café.Size", "Size(int)", ""), ("Café.Till", "open()", "void"),
        ("Open", "hello()", "void"), ("Open", "hours()", "int"),
    ]  # fmt: skip
    made, guests, *_ = source.methods()
    assert made.is_constructor
    assert made.modifiers == ("@Deprecated", "protected")
    assert source.text(made.comment or (0, 0)) == "/* first */"
    assert source.text(made.body or (0, 0)).endswith("// ü\n    }")
    assert guests.body is None


def test_bodies_are_replaced_behind_letters_of_two_bytes(source: java.Source) -> None:
    found = java.occurrences(source.methods())
    first, second = found["add", 0], found["add", 1]
    assert first.body
    assert second.body
    new = java.replaced(source, {second.body: "{ return 2; }", first.body: "{ return 1; }"})
    assert "int add(int a) { return 1; }\n\n    int add(int a, int[] b) { return 2; }\n\n    enum Size" in new
    assert java.replaced(source, {}) == SOURCE


def test_a_skeleton_has_signatures_and_neither_bodies_nor_comments(source: java.Source) -> None:
    bare = java.skeleton(source, "{ }")
    assert not [word for word in ("é takes", "import", "return") if word in bare]
    again = java.read(bare)
    assert not again.errors
    assert [m.signature for m in again.methods()] == [m.signature for m in source.methods()]


def test_broken_code_gives_what_can_be_read() -> None:
    broken = java.read("public class A { int ok() { return 1; } int bad( { return }\n")
    assert broken.errors
    assert java.read("").types == ()
    assert java.read("").main_type is None
    half = java.read("class A { int ok() { return 1; } int no() { return 1 +; } }")
    assert [(m.name, m.whole) for m in half.methods()] == [("ok", True), ("no", False)]


def test_records_and_annotations_are_types() -> None:
    read = java.read("record P(int x) { P { if (x < 0) throw new Error(); } } @interface Tag { }")
    assert [(t.kind, t.name) for t in read.types] == [("record", "P"), ("annotation", "Tag")]
    assert [m.signature for m in read.types[0].methods] == ["P()"]
