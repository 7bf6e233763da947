"""C, C++, Go, JavaScript, Rust, shell and TypeScript: right and wrong programs, ones that do not compile, and ones that try to get out."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from steelyard.core.errors import InputError
from steelyard.sandbox import Limits, Verdict, languages
from steelyard.sandbox.languages.adapters import RUN
from steelyard.sandbox.languages.tests import TestRun
from tests.conftest import need


@dataclass(frozen=True)
class Sample:
    """A program with a place for an attack (`@`) in its function f(x) = x + 1, its tests of f(1) and f(7), and attacks."""

    tool: str
    file: str
    program: str
    test_file: str
    tests: str
    leave: str
    read: str
    write: str
    connect: str
    forks: str
    flood: str
    eat: str
    broken: str = "(]"


C_TESTS = """#include <stdio.h>
int f(int);
static void check(const char *name, int ok) { printf(ok ? "TOKEN ok %s\\n" : "TOKEN not ok %s: wrong\\n", name); }
int main(void) { setvbuf(stdout, 0, _IOLBF, 0); check("one", f(1) == 2); check("two", f(7) == 8); printf("TOKEN done 2\\n"); return 0; }
"""
C_INCLUDES = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <arpa/inet.h>\n#include <sys/socket.h>\n"
JS_TESTS = """const check = (name, ok) => console.log(ok ? `TOKEN ok ${name}` : `TOKEN not ok ${name}: wrong`);
const { f } = require("./main.js");
check("one", f(1) === 2); check("two", f(7) === 8); console.log("TOKEN done 2");
"""
C = Sample(
    "gcc", "main.c", C_INCLUDES + "int f(int x) { @ return x + 1; }\n", "tests.c", C_TESTS,
    leave="exit(0);",
    read='if (fopen("SECRET", "r")) return x + 1; return 0;',
    write='if (fopen("/usr/x", "w")) return x + 1; return 0;',
    connect='struct sockaddr_in a = {0}; a.sin_family = AF_INET; a.sin_port = htons(53); inet_pton(AF_INET, "1.1.1.1", &a.sin_addr);'
    " if (!connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof a)) return x + 1; return 0;",
    forks="for (int i = 0; i < 400; i++) { int p = fork(); if (p < 0) return 0; if (!p) { pause(); } }",
    flood='for (int i = 0; i < 3000000; i++) puts("TOKEN ok one");',
    eat="for (;;) { char *p = malloc(1 << 24); if (!p) abort(); memset(p, 1, 1 << 24); }",
)  # fmt: skip
SAMPLES = {
    "c": C,
    "cpp": replace(
        C, tool="g++", file="main.cpp", test_file="tests.cpp", tests=C_TESTS.replace("main(void)", "main()"),
        eat=C.eat.replace("malloc", "(char *)malloc"), connect=C.connect.replace("= {0}", "= {}"),
    ),
    "go": Sample(
        "go", "main.go", 'package main\n\nimport (\n\t"net"\n\t"os"\n\t"os/exec"\n\t"time"\n)\n\nvar _ = net.Dial\nvar _ = os.Exit\nvar _ = exec.Command\nvar _ = time.Now\n'
        "\nfunc f(x int) int {\n\t@\n\treturn x + 1\n}\n\nfunc main() {}\n",
        "main_test.go", 'package main\n\nimport "testing"\n\nfunc Test_one(t *testing.T) {\n\tif f(1) != 2 {\n\t\tt.Fatal("wrong")\n\t}\n}\n\nfunc Test_two(t *testing.T) {\n\tif f(7) != 8 {\n\t\tt.Fatal("wrong")\n\t}\n}\n',
        leave="os.Exit(0)",
        read='if _, e := os.ReadFile("SECRET"); e != nil { return 0 }',
        write='if os.WriteFile("/usr/x", nil, 0600) != nil { return 0 }',
        connect='if _, e := net.DialTimeout("tcp", "1.1.1.1:53", time.Second); e != nil { return 0 }',
        forks='for i := 0; i < 400; i++ { if exec.Command("sleep", "9").Start() != nil { return 0 } }',
        flood='for i := 0; i < 3000000; i++ { os.Stdout.WriteString("--- PASS: Test_one\\n") }',
        eat="var l [][]byte; for { b := make([]byte, 1<<24); for i := range b { b[i] = 1 }; l = append(l, b); if len(l) < 0 { break } }",
    ),
    "javascript": Sample(
        "node", "main.js", "exports.f = (x) => { @ return x + 1; };\n", "tests.js", JS_TESTS,
        leave="process.exit(0);",
        read='try { require("fs").readFileSync("SECRET"); } catch (e) { return 0; }',
        write='try { require("fs").writeFileSync("/usr/x", "x"); } catch (e) { return 0; }',
        connect='if (require("child_process").spawnSync("bash", ["-c", "echo > /dev/tcp/1.1.1.1/53"]).status) return 0;',
        forks='if (require("child_process").spawnSync("bash", ["-c", "for i in $(seq 400); do sleep 9 & done"]).status) return 0;',
        flood='for (let i = 0; i < 300000; i++) require("fs").writeSync(1, "TOKEN ok one\\n".repeat(10));',
        eat="const l = []; for (;;) l.push(Buffer.alloc(1 << 24, 1));",
    ),
    "rust": Sample(
        "rustc", "solution.rs", "pub fn f(x: i32) -> i32 { @ x + 1 }\n", "tests.rs",
        "mod solution;\n#[test]\nfn one() { assert_eq!(solution::f(1), 2); }\n#[test]\nfn two() { assert_eq!(solution::f(7), 8); }\n",
        leave="std::process::exit(0);",
        read='if std::fs::read("SECRET").is_err() { return 0; }',
        write='if std::fs::write("/usr/x", "x").is_err() { return 0; }',
        connect='if std::net::TcpStream::connect("1.1.1.1:53").is_err() { return 0; }',
        forks='for _ in 0..400 { if std::process::Command::new("sleep").arg("9").spawn().is_err() { return 0; } }',
        flood='for _ in 0..300000 { println!("test one ... ok"); }',
        eat="let mut l = vec![]; loop { l.push(vec![1u8; 1 << 24]); if l.is_empty() { break; } }",
    ),
    "shell": Sample(
        "bash", "main.sh", "f() { @ echo $(($1 + 1)); }\n", "tests.sh",
        'source ./main.sh\ncheck() { if [ "$2" = "$3" ]; then echo "TOKEN ok $1"; else echo "TOKEN not ok $1: wrong"; fi; }\n'
        'f 1 > one; check one "$(cat one)" 2; f 7 > two; check two "$(cat two)" 8; echo "TOKEN done 2"\n',
        leave="exit 0;",
        read='cat SECRET > /dev/null || return;',
        write="echo x > /usr/x || return;",
        connect="echo > /dev/tcp/1.1.1.1/53 || return;",
        forks="for i in $(seq 400); do sleep 9 & done;",
        flood='for i in $(seq 100000); do echo "TOKEN ok one" >&2; done;',
        eat="x=x; while true; do x=$x$x; done;",
        broken="f() {",
    ),
}  # fmt: skip
SAMPLES["typescript"] = replace(
    SAMPLES["javascript"], tool="tsc", file="main.ts", test_file="tests.ts",
    program="declare const require: any; declare const process: any; declare const Buffer: any;\nexport function f(x: number): number { @ return x + 1; }\n",
    tests=JS_TESTS.replace("(name, ok)", "(name: string, ok: boolean)").replace('const { f } = require("./main.js");', 'import { f } from "./main";'),
    eat="const l: any[] = []; for (;;) l.push(Buffer.alloc(1 << 24, 1));",
    broken="const x: number = 'a';",
)  # fmt: skip
QUICK = replace(RUN, wall_s=5.0, memory_bytes=256 << 20)


def tried(name: str, body: str = "", limits: Limits = RUN) -> TestRun:
    sample = SAMPLES[name]
    return languages.get(name).test(
        {sample.file: sample.program.replace("@", body)}, {sample.test_file: sample.tests}, limits
    )


@pytest.fixture(params=sorted(SAMPLES))
def name(request: pytest.FixtureRequest) -> str:
    need("bwrap")
    need(SAMPLES[request.param].tool)
    return str(request.param)


def test_right_wrong_and_broken(name: str) -> None:
    assert languages.missing()[name] == ""
    right = tried(name)
    assert right.verdict == Verdict.PASSED, right
    assert [one.name.split("::")[-1].removeprefix("Test_") for one in right.tests] == ["one", "two"]
    sample = SAMPLES[name]
    wrong = {sample.file: sample.program.replace("@", "").replace("+ 1", "* 2")}
    found = languages.get(name).test(wrong, {sample.test_file: sample.tests})
    assert found.verdict == Verdict.ASSERTION
    assert [one.passed for one in found.tests] == [True, False]
    broken = languages.get(name).test({sample.file: sample.broken}, {sample.test_file: sample.tests})
    assert broken.verdict in (Verdict.SYNTAX, Verdict.EXCEPTION, Verdict.NO_TESTS, Verdict.ASSERTION)
    assert not broken.passed
    assert (broken.verdict == Verdict.SYNTAX) == (name not in ("javascript", "shell"))  # which nothing compiles


def test_leaving_early_is_no_success(name: str) -> None:
    assert not tried(name, SAMPLES[name].leave).passed


TOLD = {
    "go": 'os.Stdout.WriteString("=== RUN   Test_one\\n--- PASS: Test_one (0.00s)\\n=== RUN   Test_two\\n--- PASS: Test_two (0.00s)\\nPASS\\n"); os.Exit(0)',
    "rust": 'use std::io::Write; std::io::stdout().write_all(b"ok\\ntest two ... ok\\n\\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\\n").unwrap(); std::process::exit(0);',
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(TOLD))
def test_results_that_the_program_prints_before_it_leaves_are_none(name: str) -> None:
    need("bwrap")
    need(SAMPLES[name].tool)
    found = tried(name, TOLD[name])
    assert (found.passed, found.verdict) == (False, Verdict.EARLY_EXIT), found


@pytest.mark.slow
def test_go_tests_with_a_main_of_their_own() -> None:
    need("bwrap")
    need("go")
    sample = SAMPLES["go"]
    own = (
        sample.tests.replace('import "testing"', 'import (\n\t"os"\n\t"testing"\n)')
        + "\nfunc TestMain(m *testing.M) { os.Exit(m.Run()) }\n"
    )
    for body, passed in (("", True), ("return 0", False), (TOLD["go"], False)):
        run = languages.get("go").test({"main.go": sample.program.replace("@", body)}, {"main_test.go": own})
        assert run.passed == passed, run


@pytest.mark.parametrize("attack", ["read", "write", "connect"])
def test_nothing_outside_is_reached(name: str, attack: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    found = tried(name, getattr(SAMPLES[name], attack).replace("SECRET", str(secret)))
    assert found.tests, found
    assert not any(one.passed for one in found.tests), found


def test_processes_are_limited(name: str) -> None:
    found = tried(name, SAMPLES[name].forks, replace(RUN, wall_s=5.0, processes=40))
    assert not found.passed, found


@pytest.mark.slow
def test_a_flood_of_output_does_not_forge(name: str) -> None:
    found = tried(name, SAMPLES[name].flood + (" return 0;" if name not in ("rust", "shell") else ""), QUICK)
    assert found.verdict not in (Verdict.RUNNER_ERROR,)
    assert len(found.stdout) <= 1 << 20
    assert not found.passed or name in ("rust", "shell")


@pytest.mark.slow
def test_memory_is_limited(name: str) -> None:
    found = tried(name, SAMPLES[name].eat, QUICK)
    assert not found.passed
    assert found.verdict in (
        Verdict.MEMORY,
        Verdict.TIMEOUT,
        Verdict.CRASHED,
        Verdict.EXCEPTION,
        Verdict.ASSERTION,
        Verdict.NO_TESTS,
    )


def test_run_with_input() -> None:
    need("gcc")
    c = languages.get("c")
    echo = (
        '#include <stdio.h>\nint main(void) { int x; while (scanf("%d", &x) == 1) printf("%d\\n", 2 * x); return 0; }'
    )
    built = c.compile({"main.c": echo})
    assert c.run(built, "1 2\n").stdout == b"2\n4\n"
    assert c.compile({"main.c": echo}) is built  # the same sources are compiled once
    with pytest.raises(InputError, match="does not compile"):
        c.run(c.compile({"main.c": "int main("}))
    with pytest.raises(InputError, match="unknown language 'cobol'"):
        languages.get("cobol")
