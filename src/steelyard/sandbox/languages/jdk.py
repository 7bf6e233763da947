"""The JDK and the jars of the distribution, and our Java runner compiled by it: once for its sources and the JDK's version."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from ...core.errors import MissingError

JARS = Path("/usr/share/java")
CURE = "Debian and Ubuntu: apt install openjdk-17-jdk-headless junit5 junit4 libapiguardian-java libopentest4j-java libunivocity-parsers-java libasm-java."
JUNIT = tuple(
    JARS / f"{name}.jar"
    for name in (
        "junit-jupiter-api",
        "junit-jupiter-engine",
        "junit-jupiter-params",
        "junit-platform-commons",
        "junit-platform-engine",
        "junit-platform-launcher",
        "junit-vintage-engine",
        "junit4",
        "hamcrest",
        "opentest4j",
        "apiguardian-api",
        "univocity-parsers",
    )
)
PROBES = (JARS / "asm.jar", JARS / "asm-tree.jar")


@functools.cache
def home() -> Path:
    """The folder of the JDK. Raises MissingError."""
    javac = shutil.which("javac")
    if javac is None:
        raise MissingError("there is no Java compiler (javac) here.", CURE)
    return Path(javac).resolve().parent.parent


@functools.cache
def version() -> str:
    """What `javac -version` says, such as "javac 17.0.15"."""
    said = subprocess.run([home() / "bin/javac", "-version"], capture_output=True, text=True, timeout=60)
    return (said.stdout + said.stderr).strip()


@functools.cache
def runner() -> Path:
    """The folder of our runner's class files, compiled once for these sources and this JDK. Raises MissingError."""
    import platformdirs

    lacking = [jar.name for jar in (*JUNIT, *PROBES) if not jar.exists()]
    if lacking:
        raise MissingError(f"{JARS} lacks {', '.join(lacking)}.", CURE)
    major = re.search(r"\d+", version())
    if not major or int(major[0]) < 17:
        raise MissingError(f"the Java compiler is {version()}, and 17 is needed.", CURE)
    sources = sorted(Path(__file__).with_name("jvm").rglob("*.java"))
    digest = hashlib.sha256("\0".join([version(), *(source.read_text() for source in sources)]).encode()).hexdigest()
    built = platformdirs.user_cache_path("steelyard") / "java" / digest[:16]
    if built.is_dir():
        return built
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        os.chmod(folder, 0o755)
        for part, where, jars in (("runner", "--module-path", PROBES), ("judge", "--class-path", JUNIT)):
            texts = [str(source) for source in sources if source.parent.name == part]
            path = ":".join(map(str, jars))
            done = subprocess.run(
                [home() / "bin/javac", "-d", f"{folder}/{part}", where, path, *texts], capture_output=True, text=True
            )
            if done.returncode:
                raise MissingError(f"the Java runner does not compile here: {done.stderr.strip()[:500]}", CURE)
        try:
            os.rename(folder, built)
        except OSError:
            if not built.is_dir():  # another process was quicker
                raise
        else:
            os.mkdir(folder)  # for the context manager to remove
    return built
