"""TestBench: contexts, answers, both repairs, the cascade on real Java, and the errors of bad files."""

import json

import pytest

from steelyard.benchmarks.code.testbench import cascade, prompts
from steelyard.benchmarks.code.testbench.benchmark import TestBench
from steelyard.benchmarks.code.testbench.contexts import published_context, simple_context
from steelyard.benchmarks.code.testbench.mending import mended
from steelyard.benchmarks.code.testbench.methods import Method, read_methods
from steelyard.benchmarks.code.testbench.repair import repaired
from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Provenance, Status
from steelyard.pool import Pool
from steelyard.weigh import Budget, weigh
from tests.conftest import need

FULL = """package p.q;

import java.util.Map;
import static java.lang.Math.*;
import java.io.*;

/** Counts. */
public class Counter<T> implements Runnable {
    enum Side { LEFT, RIGHT }
    interface Seen { void by(int who); }
    protected static final int[] SIZES = {1, 2}, more = {};
    private String[] names;

    public Counter(int start) { this.n = start; }

    /** Adds. */
    public int add(int x) throws IOException {
        n += x;
        return n;
    }

    public int add(String x) { return 0; }

    private int n;
    public void run() { }
}
"""


def method(**changes):
    fact = {"id": "P/Counter.add", "project": "P", "path": "P/src/main/java/p/q/Counter.java", "package": "p.q",
            "source": "public int add(int x) { n += x; return n; }", "class_name": "Counter", "name": "add",
            "arguments": ("int x",), "full": FULL, "simple": "", "reference": "", "imports_of": FULL}  # fmt: skip
    return Method(**{**fact, **changes})


# --- contexts and prompts


def test_simple_context_is_the_file_without_bodies():
    assert simple_context(FULL).split("\n") == [
        "package p.q;", "", "import java.util.Map;", "", "import static java.lang.Math.*;", "", "import java.io.*;", "",
        "public class Counter<T> implements Runnable {",
        "    enum Side {", "        LEFT, RIGHT;", "    }",
        "    interface Seen {", "        void by(int who);", "    }",
        "    protected static final int[] SIZES, more;",
        "    private String[] names;",
        "    public Counter(int start);",
        "    public int add(int x) throws IOException;",
        "    public int add(String x);",
        "    private int n;",
        "    public void run();",
        "}", "",
    ]  # fmt: skip


def test_the_released_pass_drops_what_it_does_not_know():
    got = published_context(FULL).split("\n")
    assert "import java.io;" in got, "a wildcard is dropped"
    assert "public class Counter implements Runnable {" in got, "type parameters are dropped"
    assert "    enum Side{LEFT, RIGHT}" in got
    assert "    public int add(int x)throws IOException;" in got
    assert "    public run();".replace("run", " run") in got, "void is dropped"
    assert "    private String names;" in got, "dimensions of a class are dropped"
    assert "    final protected static int[] SIZES, more;" in got
    assert not any("Seen" in line for line in got), "interfaces are dropped"
    with pytest.raises(ValueError, match="cannot parse"):
        published_context("class A {")


def test_the_question_has_its_parts_in_order():
    one = method()
    texts = {context: prompts.question(one, context) for context in ("only", "full", "simple")}
    parts = ["### Java source code:\n" + one.source, "### JUnit test case:\npackage p.q;\n", "public class CounterTest {",
             "public void addTest() {\n        <FILL>\n    }\n}"]  # fmt: skip
    for context, text in texts.items():
        at = [text.index(part) for part in parts]
        assert at == sorted(at)
        assert ("### Context:" in text) == (context != "only")
    assert "/** Counts. */" in texts["full"]
    assert "/** Counts. */" not in texts["simple"]
    assert "private int n;" in texts["simple"]


@pytest.mark.parametrize(
    ("answer", "text", "why"),
    [
        ("so:\n```java\nA\nB\n```\nand\n```java\nC\n```", "A\nB", "the first closed fence that says java"),
        ("so:\n```\nA\n```", "\nA\n", "what follows the first fence mark"),
        ("```java\nnever closed", "java\nnever closed", "what follows the first fence mark"),
        ("[JAVA]A[/JAVA]", "A", "between [JAVA] tags"),
        ("[JAVA]A", "", "between [JAVA] tags"),
        ("A", "A", "the whole answer"),
        ("", "", "the whole answer"),
    ],
)
def test_extraction_by_the_released_rules(answer, text, why):
    found = prompts.extracted(answer)
    assert (found.text, found.why) == (text, why)


# --- the published repair


def test_an_overload_is_found_by_its_parameters():
    first, second = method(), method(arguments=("String x",))
    assert first.place.signature == "add(int)"
    assert second.place.signature == "add(String)"


def test_what_is_no_class_is_wrapped():
    imports_of = "import a.B;\nimport a.*;\n"  # the rule takes plain imports only
    head = (
        "package p.q;\n\nimport a.B;\n\n\nimport org.junit.jupiter.api.*;\n"
        "import static org.junit.jupiter.api.Assertions.*;\n\npublic class CounterTest {\n"
    )
    one = method(imports_of=imports_of)
    assert repaired("@Test\nvoid t() {}", one).text == head + "    @Test\n    void t() {}\n}"
    assert repaired("public void t() {}", one).text == head + "    @Test\n    public void t() {}\n    \n}"
    assert repaired("int x = 1;\nf(x);", one).text == (
        head + "    @Test\n    public void addTest() {\n        int x = 1;\n        f(x);\n    }\n    \n}"
    )


def test_imports_go_in_without_a_semicolon_as_released_and_with_it_when_fixed():
    answer = "# My test\npublic class CounterTest {\n    @Test void t() {}\n}"
    one = method(imports_of="")
    released, fixed = repaired(answer, one, "released"), repaired(answer, one, "fixed")
    assert released.inserted == ("import org.junit.jupiter.api.*", "import static org.junit.jupiter.api.Assertions.*")
    assert released.text == (
        "package p.q;\n\nimport static org.junit.jupiter.api.Assertions.*\nimport org.junit.jupiter.api.*\n"
        "\npublic class CounterTest {\n    @Test void t() {}\n}"
    )
    assert fixed.text == released.text.replace(".*\n", ".*;\n")
    assert cascade.class_of(fixed.text, "published") == "CounterTest"
    assert cascade.class_of(released.text, "published") == ""
    assert cascade.class_of(released.text, "sound") == ""


def test_what_parses_gets_package_and_imports_of_the_file_alone():
    got = repaired("public class CounterTest {}", method())
    assert got.text == "package p.q;\n\n\nimport java.util.Map;\n\n\npublic class CounterTest {}"
    assert got.inserted == ()


# --- our repair

HEAD = "package p.q;\n\nimport org.junit.jupiter.api.*;\nimport static org.junit.jupiter.api.Assertions.*;\n\n"
WHOLE = (
    HEAD + "public class CounterTest {\n    @Test\n    public void addTest() {\n        assertEquals(1, 1);\n    }\n}\n"
)


@pytest.mark.parametrize(
    "answer",
    [
        f"Sure! Here is it:\n{WHOLE}\nThis test covers the method.",
        WHOLE.rstrip().removesuffix("}").rstrip().removesuffix("}"),
        WHOLE.replace("assertEquals(1, 1);", "assertEquals(1, 1)"),
        WHOLE.replace("package p.q;\n", ""),
        WHOLE.replace("package p.q;", "package com.example;"),
        WHOLE.replace(HEAD, ""),
        WHOLE.replace("public class", "class"),
        WHOLE.replace(HEAD, "").replace("public class CounterTest {", "").rstrip().removesuffix("}"),
        "assertEquals(1, 1);",
        "public void addTest() {\n    assertEquals(1, 1);\n}",
        WHOLE.replace("    @Test\n    public void addTest() {\n", '    @Test\n    public void addTest() {\n        String s = "{{";\n'),
        WHOLE.replace("CounterTest", "Counter"),
    ],
)  # fmt: skip
def test_our_repair_makes_a_whole_test_of_it(answer):
    got = mended(answer, method())
    assert cascade.class_of(got, "sound") == cascade.class_of(got, "published") == "CounterTest"
    assert got.startswith("package p.q;")
    assert "assertEquals(1, 1)" in got
    assert "org.junit.jupiter.api" in got


@pytest.mark.parametrize(
    "answer", ["", "Timeout", "I am sorry; I cannot do that. Please, give more context.", "def f(x):\n    pass"]
)
def test_our_repair_leaves_alone_what_is_no_java(answer):
    assert mended(answer, method()) == answer


def test_our_repair_changes_nothing_where_nothing_is_wrong():
    assert mended(WHOLE, method()) == WHOLE.rstrip() or mended(WHOLE, method()) == WHOLE


def test_imports_come_by_symbol_from_the_file_under_test_and_from_the_jdk():
    answer = WHOLE.replace("assertEquals(1, 1);", "Map<String, List<Integer>> m = new HashMap<>(); assertEquals(1, 1);")
    got = mended(answer, method())
    added = sorted(line for line in got.split("\n") if line.startswith("import java"))
    assert added == ["import java.util.HashMap;", "import java.util.List;", "import java.util.Map;"]


# --- the cascade, on our own data


@pytest.fixture(scope="module")
def own():
    need("bwrap")
    need("javac")
    bench = TestBench(mutants=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEELYARD_VERDICTS", "off")
        yield bench, {case.payload.class_name: case for case in bench.cases()}


def test_our_references_are_accepted_and_cover_their_method(own):
    bench, cases = own
    for case in cases.values():
        outcome = bench.score(case, bench.reference(case))
        assert (outcome.error, outcome.metrics["pass_rate"]) == ("", 1.0), case.id
        assert outcome.metrics["method_coverage"] == 1.0
        assert bench.score(case, "").metrics["pass_rate"] == 0.0


def test_each_stage_has_its_answers(own):
    bench, cases = own
    beam = cases["Beam"]
    good = prompts.extracted(bench.reference(beam)).text
    print_forever = good.replace(
        "Beam beam =", "while (true) { System.out.println(1); }\n        // Beam beam ="
    ).replace("        assert", "        // assert")
    for text, stage in {
        "class": "Syntax Error",
        good.replace("0.5, 2.0", "0.5"): "Compile Error",
        good.replace("import org.junit.jupiter.api.*;", "import org.junit.Test;"): "Compile Error",
        good.replace("new Beam(0.5, 2.0);", "new Beam(0.5, 2.0);\n        beam.poise = 1;"): "Compile Error",
        good.replace("6.0", "6.1"): "Test Error",
        good.replace("@Test", ""): "Test Error",
        good: "Accept",
        good.replace("public class", "class"): "Accept",
    }.items():
        outcome = bench.score(beam, prompts.fenced(text))
        assert (outcome.error.partition(":")[0] or "Accept") == stage, (stage, outcome.error)
        reached = [outcome.metrics[f"{name}_rate"] for name in ("syntax", "compile", "pass")]
        assert sum(reached) == ("Syntax Error", "Compile Error", "Test Error", "Accept").index(stage)
    hangs = TestBench(timeout=5.0, mutants=0).score(beam, prompts.fenced(print_forever))
    assert hangs.error.startswith("Test Error: timeout")


def test_a_build_without_tests_is_accepted_as_published(own):
    _, cases = own
    text = prompts.fenced("package beam.scale;\npublic class BeamTest { }")
    assert TestBench(profile="published", mutants=0).score(cases["Beam"], text).metrics["pass_rate"] == 1.0
    assert TestBench(profile="sound", mutants=0).score(cases["Beam"], text).error == "Test Error: no-tests"


def test_mutants_are_detected_by_a_test_that_looks_and_not_by_one_that_does_not(own):
    bench, cases = own
    strong = bench.score(cases["Ring"], bench.reference(cases["Ring"])).metrics
    text = prompts.extracted(bench.reference(cases["Ring"])).text
    body = text[text.index("Ring<String>") : text.rindex("    }")]
    blind = text.replace(body, 'new Ring<String>(2).offer("a");\n')
    weak = bench.score(cases["Ring"], prompts.fenced(blind))
    assert strong["mutants"] == weak.metrics["mutants"] > 0
    assert strong["mutants_killed"] > 0.8
    assert weak.metrics["mutants_killed"] < 0.5
    assert weak.metrics["method_coverage"] < 1.0
    assert "->" in weak.artifacts["survivors"]


def test_gain_and_harm_of_a_repair_are_counted(own):
    _, cases = own
    bench = TestBench(mutants=0)
    list(bench.cases())
    heading = bench.replay("drafts", cases["Beam"], 2, repair="fixed").metrics
    assert (heading["pass_rate"], heading["pass_gained"], heading["pass_lost"]) == (1.0, 1.0, 0.0)
    released = bench.replay("drafts", cases["Beam"], 2, repair="released").metrics
    assert (released["pass_gained"], released["unparsable_insertions"]) == (0.0, 1.0)
    assert heading["unparsable_insertions"] == 0.0
    # the rule inserts the imports of the file under test into a test that has a class of that name
    clash = prompts.extracted(bench.reference(cases["Spans"])).text.replace(
        "import java.util.List;", "import java.util.*;"
    )
    clash += "class ArrayList { }"
    harm = bench.score(cases["Spans"], prompts.fenced(clash), repair="released")
    assert (harm.metrics["pass_lost"], harm.metrics["compile_lost"], harm.metrics["pass_rate"]) == (1.0, 1.0, 0.0)


def test_drafts_are_weighed_behind_the_gate(own, tmp_path):
    contenders = ["replay:drafts", "replay:drafts[repair=ours]"]
    with Pool(tmp_path / "pool") as pool:
        done = weigh("testbench[mutants=0]", contenders, pool=pool, limit=1, trials=2, budget=Budget(workers=0))
        sql = "SELECT contender, trial, value FROM latest WHERE metric = 'pass_rate' ORDER BY ALL"
        found = {(r["contender"], r["trial"]): r["value"] for r in pool.query(sql).to_pylist()}
    assert done.excluded == {}
    assert found == {
        ("gold", 0): 1, ("empty", 0): 0, ("replay:drafts", 0): 1, ("replay:drafts", 1): 0,
        ("replay:drafts[repair=ours]", 0): 1, ("replay:drafts[repair=ours]", 1): 1,
    }  # fmt: skip


# --- records


def write(folder, methods, answers=(), statuses=()):
    for name, rows in (("methods", methods), ("generated_x", answers), ("status_x", statuses)):
        if rows:
            (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return str(folder)


RECORD = {
    "project_name": "P", "file_name": "A.java", "relative_path": "P/src/main/java/p/A.java", "execute_path": "P",
    "package": "p", "docstring": None, "source_code": "public int inc(int x){return x+1;}", "class_name": "A",
    "method_name": "inc", "argument_name": ["int x"],
    "full_context": "package p; public class A { public int inc(int x){return x+1;} }",
}  # fmt: skip
ANSWER = {
    "model": "gpt4", "project": "P", "case": "A_inc_0", "context": "SourceCode&Full", "package": "p", "class_name": "A",
    "method_name": "inc", "generate_test": ["class", "class"],
}  # fmt: skip
STATUS = {
    "model": "gpt4", "repair": "before", "project": "P", "class_name": "A", "method_name": "inc",
    "context": "SourceCode&Full", "status": ["Syntax Error", "Accept"],
}  # fmt: skip


def test_released_verdicts_are_replayed_as_published(tmp_path):
    after = {**STATUS, "repair": "after", "status": ["Accept", "Compile Error"]}
    bench = TestBench()
    (case,) = bench.cases(write(tmp_path, [RECORD], [ANSWER], [STATUS, after]))
    options = {"context": "full", "verdicts": "published"}
    before = bench.replay("gpt-4", case, 1, **options)
    assert (before.provenance, before.error) == (Provenance.PUBLISHED, "Accept")
    first, second = (bench.replay("gpt-4", case, t, repair="released", **options).metrics for t in (0, 1))
    assert (first["pass_gained"], first["pass_gain"], first["syntax_gained"]) == (1, 1, 1)
    assert (second["pass_lost"], second["compile_lost"], second["syntax_lost"], second["pass_gain"]) == (1, 1, 0, -1)
    assert bench.replay("gpt-4", case, 2, **options).status is Status.UNSUPPORTED
    assert bench.replay("gpt-4", case, 0, repair="ours", **options).status is Status.UNSUPPORTED
    parsed = bench.replay("gpt-4", case, 1, context="full", verdicts="syntax").metrics
    assert (parsed["syntax_rate"], parsed["syntax_agrees"]) == (0.0, 0.0)
    assert bench.contenders_in(str(tmp_path)) == [
        f"replay:gpt-4[context=full,repair={r},verdicts=published]" for r in ("none", "released")
    ]


def test_overloads_are_joined_answers_in_order_and_verdicts_from_the_last(tmp_path):
    answers = [{**ANSWER, "case": "A_inc_1", "generate_test": ["2"]}, {**ANSWER, "generate_test": ["1"]}]
    statuses = [{**STATUS, "status": ["Accept"]}, {**STATUS, "status": ["Test Error"]}]
    bench = TestBench()
    first, second = bench.cases(write(tmp_path, [RECORD, {**RECORD, "argument_name": ["long x"]}], answers, statuses))
    record = bench.released["gpt-4"]
    assert (first.id, second.id) == ("P/A.inc", "P/A.inc-2")
    assert [record.answers["full", c.id] for c in (first, second)] == [["1"], ["2"]]
    assert [record.before["full", c.id] for c in (first, second)] == [["Test Error"], ["Accept"]]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (([{**RECORD, "argument_name": "int x"}],), "argument_name is no list of texts"),
        (([{k: v for k, v in RECORD.items() if k != "package"}],), "field 'package' is missing"),
        (([RECORD], [{**ANSWER, "context": "Half"}]), "context is 'Half'"),
        (([RECORD], [{**ANSWER, "case": "A_inc"}]), "does not end in a number"),
        (([RECORD], [{**ANSWER, "generate_test": [1]}]), "generate_test is no list of texts"),
        (([RECORD], [ANSWER, ANSWER]), "more answers for A.inc than methods"),
        (([RECORD], [{**ANSWER, "method_name": "dec"}]), "P has no method A.dec"),
        (([RECORD], [ANSWER], [{**STATUS, "status": ["Fine"]}]), "status is 'Fine'"),
        (([RECORD], [ANSWER], [{**STATUS, "repair": "later"}]), "repair is 'later'"),
    ],
)
def test_bad_records_are_named(tmp_path, records, said):
    with pytest.raises(InputError, match=said) as error:
        list(TestBench().cases(write(tmp_path, *records)))
    assert ".jsonl, line " in error.value.what


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(MissingError, match="no such file"):
        list(TestBench().cases(str(tmp_path)))
    with pytest.raises(InputError, match="mutants is -1"):
        TestBench(mutants=-1)
    (case,) = TestBench().cases(write(tmp_path, [RECORD]))
    with pytest.raises(InputError, match="'repair' is 'much'"):
        TestBench().score(case, "", repair="much")
    with pytest.raises(InputError, match="unknown published model"):
        TestBench().replay("gpt", case, 0)


def test_our_own_methods_are_in_the_released_schema():
    methods = read_methods(TestBench.own)
    assert len(methods) == 4
    assert all(m.reference and m.place is not None and m.source.split("(")[0] in m.full for m in methods)
