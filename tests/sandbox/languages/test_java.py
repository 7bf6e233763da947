"""Java in warm JVMs: what compiles, what its tests come to, and programs that try to cheat or to break out."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from steelyard.core.errors import InputError
from steelyard.sandbox import Limits, Verdict
from steelyard.sandbox.languages import java
from steelyard.sandbox.languages.tests import TestRun
from tests.conftest import need

RIGHT = "public class F { public static int f(int x) { return x + 1; } }"
TESTS = """import static org.junit.jupiter.api.Assertions.*;
import org.junit.jupiter.api.*;
class FTest {
    @Test void one() { assertEquals(2, F.f(1)); }
    @Test void two() { assertEquals(8, F.f(7)); }
}
"""


@pytest.fixture(scope="module", autouse=True)
def _java() -> None:
    need("bwrap")
    need("javac")
    if why := java.missing():
        need("junit5: " + why)


def run(sources: Mapping[str, str], tests: str = "FTest", limits: Limits = java.LIMITS, **options: object) -> TestRun:
    compiled = java.compile(sources)
    assert compiled.ok, compiled.diagnostics
    return java.test(compiled.classes, [tests], limits=limits, **options)  # type: ignore[arg-type]


def verdicts(found: TestRun) -> dict[str, str]:
    return {test.name.partition("::")[2]: test.verdict.value for test in found.tests}


def test_a_right_and_a_wrong_program() -> None:
    found = run({"F.java": RIGHT, "FTest.java": TESTS})
    assert found.verdict == Verdict.PASSED
    assert verdicts(found) == {"one": "passed", "two": "passed"}
    wrong = run({"F.java": RIGHT.replace("x + 1", "2"), "FTest.java": TESTS})
    assert wrong.verdict == Verdict.ASSERTION
    assert verdicts(wrong) == {"one": "passed", "two": "assertion"}
    assert wrong.pass_rate == 0.5
    assert "expected: <8> but was: <2>" in wrong.tests[-1].message
    assert "FTest.two:5" in wrong.tests[-1].message


def test_compile_errors_have_javacs_key_and_place() -> None:
    found = java.compile({"p/F.java": "package p;\npublic class F {\n  int f() { return y; }\n}\n"})
    assert not found.ok
    assert not found.classes
    (error,) = found.errors
    assert (error.path, error.line, error.column) == ("p/F.java", 3, 20)
    assert error.code == "compiler.err.cant.resolve.location"
    assert java.compile({"G.java": RIGHT}).errors[0].code == "compiler.err.class.public.should.be.in.file"
    late = java.compile({"F.java": RIGHT}, limits=Limits(wall_s=1e-4, memory_bytes=2 << 30, processes=512))
    assert [one.code for one in late.errors] == ["timeout"]
    assert java.compile({"F.java": RIGHT}).ok  # the next javac takes over


def test_class_files_can_be_combined_and_compiled_against() -> None:
    first = java.compile({"F.java": RIGHT, "FTest.java": TESTS})
    changed = java.compile({"F.java": RIGHT.replace("x + 1", "0")}, against=first.classes)
    assert set(changed.classes) == {"F"}
    assert java.test(first.classes, ["FTest"]).verdict == Verdict.PASSED
    assert java.test({**first.classes, **changed.classes}, ["FTest"]).verdict == Verdict.ASSERTION
    assert java.compile({"G.java": "class G { int g() { return F.f(1); } }"}, against=first.classes).ok


def test_junit_4_parameters_nested_disabled_and_aborted() -> None:
    four = "import org.junit.*; public class FTest { @Test public void one() { Assert.assertEquals(2, F.f(1)); } @Ignore @Test public void two() {} }"
    assert verdicts(run({"F.java": RIGHT, "FTest.java": four})) == {"one": "passed", "two": "skipped"}
    five = """import static org.junit.jupiter.api.Assertions.*; import static org.junit.jupiter.api.Assumptions.*;
    import org.junit.jupiter.api.*; import org.junit.jupiter.params.*; import org.junit.jupiter.params.provider.*;
    class FTest {
        @ParameterizedTest @ValueSource(ints = {1, 2}) void each(int x) { assertEquals(x + 1, F.f(x)); }
        @Nested class Inner { @Test void inside() { throw new IllegalStateException("no"); } }
        @Disabled @Test void off() {}
        @Test void aborted() { assumeTrue(false); }
    }"""
    found = run({"F.java": RIGHT, "FTest.java": five})
    assert verdicts(found) == {
        "each[1]": "passed", "each[2]": "passed", "inside": "exception", "off": "skipped", "aborted": "exception",
    }  # fmt: skip


def test_no_tests_are_no_success() -> None:
    assert run({"FTest.java": "class FTest { void one() {} }"}).verdict == Verdict.NO_TESTS
    off = "import org.junit.jupiter.api.*; class FTest { @Disabled @Test void one() {} }"
    assert run({"FTest.java": off}).verdict == Verdict.NO_TESTS
    assert java.test({}, ["Nowhere"]).verdict == Verdict.EXCEPTION
    with pytest.raises(InputError, match="no test classes"):
        java.test({}, [])


def test_lines_are_counted() -> None:
    source = "public class F {\n  static int f(int x) {\n    if (x > 5) {\n      return 8;\n    }\n    return 2;\n  }\n  static void g() {\n    f(1);\n  }\n}\n"
    found = run({"F.java": source, "FTest.java": TESTS}, coverage=["F"])
    assert found.lines["F"] == {1: 0, 3: 2, 4: 1, 6: 1, 9: 0, 10: 0}


def test_files_are_private_and_given(tmp_path: Path) -> None:
    tests = """import static org.junit.jupiter.api.Assertions.*; import java.nio.file.*; import org.junit.jupiter.api.*;
    class FTest { @Test void one() throws Exception {
        assertEquals("in", Files.readString(Path.of("a/in.txt")));
        assertEquals("in", new String(FTest.class.getResourceAsStream("/a/in.txt").readAllBytes()));
        assertFalse(Files.exists(Path.of("left.txt")));
        Files.writeString(Path.of("left.txt"), "x");
        assertEquals(-1, System.in.read());
    } }"""
    classes = java.compile({"FTest.java": tests}).classes
    for _ in range(2):
        found = java.test(classes, ["FTest"], {"a/in.txt": b"in"})
        assert found.passed, found


# --- programs that end, hang or eat their JVM: each costs its own test, and the next program runs as if nothing had been


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("System.exit(0);", Verdict.EARLY_EXIT),
        ("Runtime.getRuntime().halt(0);", Verdict.EARLY_EXIT),
        ("while (true) {}", Verdict.TIMEOUT),
        ("throw new StackOverflowError();", Verdict.EXCEPTION),
        (
            "java.util.List<long[]> l = new java.util.ArrayList<>(); while (true) l.add(new long[1 << 20]);",
            Verdict.MEMORY,
        ),
        ("throw new org.opentest4j.TestAbortedException();", Verdict.EXCEPTION),
        ("return f(x);", Verdict.EXCEPTION),
    ],
)
def test_only_the_programs_own_test_suffers(body: str, verdict: Verdict) -> None:
    source = RIGHT.replace("return x + 1;", f"if (x == 1) {{ {body} }} return x + 1;")
    found = run({"F.java": source, "FTest.java": TESTS}, test_s=2.0 if verdict == Verdict.TIMEOUT else 30.0)
    assert verdicts(found) == {"one": verdict.value, "two": "passed"}, found
    assert found.verdict == verdict
    assert run({"F.java": RIGHT, "FTest.java": TESTS}).passed


def test_leaving_while_the_class_is_set_up_is_no_success() -> None:
    tests = TESTS.replace("class FTest {", "class FTest { static { if (F.f(1) == 2) System.exit(0); }")
    found = run({"F.java": RIGHT, "FTest.java": tests})
    assert found.verdict == Verdict.EARLY_EXIT
    assert not any(test.passed for test in found.tests)


def test_a_flood_of_output_is_cut() -> None:
    flood = RIGHT.replace(
        "return x + 1;", 'for (int i = 0; i < 300000; i++) System.out.println("passed passed passed"); return x + 1;'
    )
    found = run({"F.java": flood, "FTest.java": TESTS})
    assert found.passed
    assert len(found.stdout) == java.LIMITS.output_bytes


def test_nothing_a_program_changes_reaches_the_next() -> None:
    spoil = RIGHT.replace(
        "return x + 1;",
        'System.setProperty("user.language", "xx"); System.setOut(null); java.util.Locale.setDefault(java.util.Locale.JAPAN);'
        ' java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("Asia/Tokyo"));'
        " Thread t = new Thread(() -> { while (true) { try { Thread.sleep(1000); } catch (InterruptedException e) {} } });"
        " t.setDaemon(true); t.start(); return x + 1;",
    )
    assert run({"F.java": spoil, "FTest.java": TESTS}).passed
    look = """import static org.junit.jupiter.api.Assertions.*; import org.junit.jupiter.api.*;
    class FTest { @Test void one() {
        assertNotEquals("xx", System.getProperty("user.language"));
        assertNotEquals(java.util.Locale.JAPAN, java.util.Locale.getDefault());
        assertNotEquals("Asia/Tokyo", java.util.TimeZone.getDefault().getID());
        assertNotNull(System.out);
        assertTrue(Thread.getAllStackTraces().keySet().stream().noneMatch(t -> t.getName().startsWith("Thread-")));
    } }"""
    assert run({"FTest.java": look}).passed


# --- programs that reach out or forge success: `attack` returns x + 1 where it succeeded, so that a success would pass


@pytest.mark.parametrize(
    "attack",
    [
        'new java.net.Socket("1.1.1.1", 53).close();',
        "new java.net.Socket(\"127.0.0.1\", PORT).close();",
        'java.nio.file.Files.readString(java.nio.file.Path.of("SECRET"));',
        'java.nio.file.Files.writeString(java.nio.file.Path.of("/usr/x"), "x");',
        'java.nio.file.Files.readString(java.nio.file.Path.of("/etc/shadow"));',
        'java.nio.file.Files.readAllBytes(java.nio.file.Path.of("/proc/self/environ"));',
        'new java.io.RandomAccessFile("/proc/self/mem", "rw").close();',
        'new java.io.FileOutputStream("/proc/self/fd/3").write(1);',
        'Class.forName("sun.misc.Unsafe");',
        'var f = java.io.FileDescriptor.class.getDeclaredField("fd"); f.setAccessible(true);',
        'ClassLoader.getSystemClassLoader().loadClass("steelyard.runner.Line").getDeclaredConstructor().setAccessible(true);',
        'ClassLoader.getSystemClassLoader().loadClass("steelyard.runner.Runner").getMethod("main", String[].class).invoke(null, (Object) new String[0]);',
        'Class.forName("org.junit.platform.commons.logging.LoggerFactory").getDeclaredField("listeners").setAccessible(true);',
        'Class.forName("org.junit.platform.launcher.core.LauncherFactory").getMethod("create").invoke(null);',
        'java.nio.file.Files.write(java.nio.file.Path.of("/tmp/n.so"), new byte[] {127, 69, 76, 70}); System.load("/tmp/n.so");',
        "System.setSecurityManager(new SecurityManager());",
        'if (new ProcessBuilder("/bin/sh", "-c", "cat /proc/*/environ").start().waitFor() != 0) throw new Exception();',
        "for (int i = 0; i < 2000; i++) { Thread t = new Thread(() -> { try { Thread.sleep(9000); } catch (Exception e) {} }); t.setDaemon(true); t.start(); }",
    ],
)  # fmt: skip
def test_attacks_fail(attack: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attack = attack.replace("PORT", str(listener.getsockname()[1])).replace("SECRET", str(secret))
        body = f"try {{ {attack} }} catch (Throwable e) {{ return -1; }} return x + 1;"
        found = run({"F.java": RIGHT.replace("return x + 1;", body), "FTest.java": TESTS}, test_s=20.0)
    assert found.verdict in (Verdict.ASSERTION, Verdict.MEMORY, Verdict.CRASHED, Verdict.EXCEPTION), found
    assert not any(test.passed for test in found.tests), found
