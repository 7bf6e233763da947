"""A repair of our own for generated Java tests: each rule acts on a fault that it can see, and on nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from steelyard.benchmarks.code.static import java
from steelyard.benchmarks.code.static.trees import parse, text, walk
from steelyard.benchmarks.code.testbench.methods import Method
from steelyard.benchmarks.code.testbench.repair import ASSERTIONS

# the packages of the simple names that tests use most; those of java.lang need no import
KNOWN = {
    "java.io": "BufferedReader BufferedWriter ByteArrayInputStream ByteArrayOutputStream File FileInputStream "
    "FileNotFoundException FileOutputStream FileReader FileWriter IOException InputStream InputStreamReader "
    "ObjectInputStream ObjectOutputStream OutputStream PrintStream PrintWriter Reader Serializable StringReader "
    "StringWriter UncheckedIOException Writer",
    "java.lang.reflect": "Constructor Field InvocationTargetException Method Modifier",
    "java.math": "BigDecimal BigInteger MathContext RoundingMode",
    "java.nio": "Buffer ByteBuffer CharBuffer DoubleBuffer FloatBuffer IntBuffer LongBuffer ShortBuffer",
    "java.nio.charset": "Charset StandardCharsets",
    "java.nio.file": "Files Path Paths",
    "java.text": "DateFormat DecimalFormat NumberFormat ParseException SimpleDateFormat",
    "java.time": "Duration Instant LocalDate LocalDateTime LocalTime ZoneId",
    "java.util": "AbstractList ArrayDeque ArrayList Arrays BitSet Calendar Collection Collections Comparator "
    "ConcurrentModificationException Date Deque EmptyStackException EnumMap EnumSet Enumeration HashMap HashSet "
    "IdentityHashMap InputMismatchException Iterator LinkedHashMap LinkedHashSet LinkedList List ListIterator Locale Map "
    "NoSuchElementException Objects Optional PriorityQueue Properties Queue Random Scanner Set SortedMap SortedSet Stack "
    "StringJoiner TimeZone TreeMap TreeSet UUID Vector",
    "java.util.concurrent": "Callable ConcurrentHashMap ConcurrentLinkedQueue CountDownLatch CyclicBarrier ExecutionException "
    "Executor ExecutorService Executors Future ThreadLocalRandom TimeUnit TimeoutException",
    "java.util.concurrent.atomic": "AtomicBoolean AtomicInteger AtomicLong AtomicReference",
    "java.util.function": "BiConsumer BiFunction BinaryOperator Consumer Function Predicate Supplier UnaryOperator",
    "java.util.regex": "Matcher Pattern",
    "java.util.stream": "Collectors IntStream LongStream Stream",
    "org.junit.jupiter.api": "AfterAll AfterEach Assertions Assumptions BeforeAll BeforeEach Disabled DisplayName Nested "
    "Order RepeatedTest Test TestInfo TestInstance TestMethodOrder Timeout",
    "org.junit.jupiter.params": "ParameterizedTest",
    "org.junit.jupiter.params.provider": "Arguments CsvSource EnumSource MethodSource NullSource ValueSource",
}
PACKAGE_OF = {name: package for package, names in KNOWN.items() for name in names.split()}
_STARTS = re.compile(
    r"^\s*(package\s+[\w.]+\s*;|import\s|@\w|/[*/]|(?:public|final|abstract|private|protected|static|class|interface|enum|record)\s)",
    re.MULTILINE,
)
_MARKS = re.compile(r"^\s*(```\w*|#{1,6}\s.*|<FILL>|\[/?JAVA\])\s*$", re.MULTILINE)
_ASSERTION = re.compile(r"(?<![\w.])(assert[A-Z]\w*|fail)\s*\(")
_INSERTED = 8  # missing tokens put in at most


def mended(answer: str, method: Method) -> str:
    """The answer as a whole file in the package of the method; an answer without code stays as it is.

    Marks and prose around the code go; a body that breaks off is closed; tokens that the parser misses are put in; what
    is no class is wrapped; package, public class and imports of names that are used and not known are mended.
    """
    code = _closed(_code(_MARKS.sub("", answer.replace("\r\n", "\n"))))
    if not java.read(code).types:
        code = _wrapped(code, method)
    if not code:
        return answer
    code = _imported(_public(_packaged(_with_tokens(code), method), method), method)
    return answer if java.read(code).errors and not java.read(answer).errors else code


def _code(answer: str) -> str:
    """From the first line that begins like Java to the end of the last type."""
    start = _STARTS.search(answer)
    if start and not answer[: start.start()].rstrip().endswith((";", "{", "}")):
        answer = answer[start.start() :]
    depth, end = 0, None
    for at, char in _braces(answer):
        depth += 1 if char == "{" else -1
        if depth == 0:
            end = at + 1
        if depth < 0:
            return answer[:at]
    rest = answer[end:] if end is not None and depth == 0 else ""
    return answer[:end] if rest and java.read(rest).errors else answer


def _braces(code: str) -> Iterator[tuple[int, str]]:
    """Position and kind of every brace outside strings, characters and comments."""
    for found in re.finditer(
        r'"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?(?:\*/|\Z)|[{}]', code, re.DOTALL
    ):
        if found[0] in "{}":
            yield found.start(), found[0]


def _closed(code: str) -> str:
    """With the braces that a cut-off answer lacks, behind its last whole statement."""
    stack: list[int] = []
    last = 0
    for at, char in _braces(code):
        if char == "{":
            stack.append(at)
        elif stack:
            stack.pop()
        last = at + 1
    if not stack:
        return code
    tail = code[last:]
    whole = tail.rfind(";") + 1
    return code[:last] + tail[:whole] + "\n" + "}\n" * len(stack)


def _wrapped(code: str, method: Method) -> str:
    """A class around test methods, or around statements that become one; "" for what is neither."""
    top = [line for line in code.split("\n") if re.match(r"\s*(package|import)\s", line)]
    body = "\n".join(line for line in code.split("\n") if not re.match(r"\s*(package|import)\s", line))
    inside = java.read(f"class T {{\n{body}\n}}")
    tests = [m for t in inside.types for m in t.methods]
    if inside.errors or not tests:
        body = f"@Test\npublic void {method.name}Test() throws Exception {{\n{body}\n}}"
        errors = java.read(f"class T {{\n{body}\n}}").errors
        if ";" not in body or any(start < end for start, end in errors):  # prose; a missing token has no width
            return ""
    elif not any("@Test" in m.modifiers for m in tests):
        body = re.sub(r"^(\s*)public void ", r"\1@Test\n\1public void ", body, flags=re.MULTILINE)
    return "\n".join(top) + f"\n\npublic class {method.class_name}Test {{\n{body}\n}}\n"


def _with_tokens(code: str) -> str:
    """With the tokens that the parser says are missing: semicolons, parentheses, braces."""
    for _ in range(_INSERTED):
        data = code.encode("utf-8", "replace")
        missing = next((n for n in walk(parse("java", data).root_node) if n.is_missing and not n.is_named), None)
        if missing is None:
            break
        at = missing.start_byte
        code = (data[:at] + missing.type.encode() + data[at:]).decode("utf-8", "replace")
    return code


def _packaged(code: str, method: Method) -> str:
    package = java.read(code).package
    if package == method.package or not method.package:
        return code
    if package:
        return re.sub(
            rf"^\s*package\s+{re.escape(package)}\s*;", f"package {method.package};", code, count=1, flags=re.MULTILINE
        )
    return f"package {method.package};\n\n{code}"


def _public(code: str, method: Method) -> str:
    """One public class, whose name is not that of the class under test."""
    read = java.read(code)
    new: dict[java.Span, str | bytes] = {}
    public = [t for t in read.types if t.is_public]
    if not public and read.types:
        tests = [t for t in read.types if "@Test" in read.text(t.span)] or list(read.types)
        at = tests[0].span[0] + tests[0].head.encode().find(tests[0].kind.encode())
        new[at, at] = "public "
    for extra in public[1:]:
        at = extra.span[0] + extra.head.encode().find(b"public")
        new[at, at + len(b"public")] = ""
    code = java.replaced(read, new)
    if any(t.name == method.class_name and "@Test" in read.text(t.span) for t in read.types):
        code = re.sub(
            rf"\b(class\s+|public\s+){method.class_name}\b(?=\s*[({{])", rf"\1{method.class_name}Test", code, count=1
        )
    return code


def _imported(code: str, method: Method) -> str:
    """With imports of the simple names that are used, declared nowhere in the test and not found by its imports."""
    read, home = java.read(code), java.read(method.full)
    have = {i.name.rpartition(".")[2] for i in read.imports if not i.wildcard}
    have |= {t.name.rpartition(".")[2] for t in [*read.all_types(), *home.types]}
    on_demand = {i.name for i in read.imports if i.wildcard and not i.static}
    of_home = {i.name.rpartition(".")[2]: i.name for i in home.imports if not i.static and not i.wildcard}
    used = {text(n) for n in walk(parse("java", read.data).root_node) if n.type in ("type_identifier", "identifier")}
    lines = []
    for name in sorted(used - have):
        known = f"{PACKAGE_OF[name]}.{name}" if name in PACKAGE_OF else ""
        found = of_home.get(name, known)
        if found and found.rpartition(".")[0] not in on_demand:
            lines.append(f"import {found};")
    if _ASSERTION.search(code) and not any(i.static and "Assert" in i.name for i in read.imports):
        declared = {m.name for m in read.methods()}
        if not {found[1] for found in _ASSERTION.finditer(code)} <= declared:
            lines.append(f"{ASSERTIONS};")
    if not lines:
        return code
    package = re.search(r"^\s*package\s+[\w.]+\s*;", code, re.MULTILINE)
    at = package.end() if package else 0
    return code[:at] + "\n\n" + "\n".join(lines) + code[at:]
