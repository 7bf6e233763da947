"""NaturalCodeBench's problems: read from the official files, the two natural languages of a problem joined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from steelyard.benchmarks.code.records import read_records
from steelyard.core.errors import InputError, MissingError

FIELDS = ("_id", "prompt", "problem", "testcases", "setup_code", "reference_solution", "classification")
LANGUAGES, NATURAL = ("python", "java"), ("en", "zh")
FILES = "input_files"  # beside the problems: input_files/LANGUAGE/ID/... is copied into the case's folder
DOMAINS = {
    "软件工程": "Software Engineering",
    "数据科学": "Data Science",
    "人工智能": "Artificial Intelligence",
    "操作系统": "Operation System",
    "算法和数据结构": "Algorithm and Data Structure",
    "前端开发": "Front-End",
    "后端开发": "Back-End",
    "数据库技术": "Database Technology",
    "网络编程": "Network Programming",
    "其他": "Other",
}
_NAME = re.compile(rf"({'|'.join(LANGUAGES)})_({'|'.join(NATURAL)})\.jsonl(\.gz)?$")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem in one natural language. domain: in English; twin_domain: its label in the other language, "" unknown."""

    number: str
    language: str
    natural: str
    prompt: str
    problem: str
    tests: str
    setup: str
    reference: str
    domain: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    twin_domain: str = ""

    @property
    def id(self) -> str:
        return f"{self.language}/{self.natural}/{self.number}"

    @property
    def pair(self) -> str:
        """What both natural languages of a problem share."""
        return f"{self.language}/{self.number}"


def read(data: Path) -> list[Problem]:
    """The problems of a folder of ncb_LANGUAGE_NATURAL.jsonl files (gzipped or not), or of one such file.

    Raises InputError naming file, line and field; MissingError for a path that is not there.
    """
    paths = sorted(path for path in data.iterdir() if _NAME.search(path.name)) if data.is_dir() else [data]
    if not paths:
        raise InputError(f"{data}: holds no problems.", "Its files are named like ncb_python_en.jsonl.gz.")
    problems = [problem for path in paths for problem in _file(path)]
    domains = {(problem.pair, problem.natural): problem.domain for problem in problems}
    other = {"en": "zh", "zh": "en"}
    return [replace(p, twin_domain=domains.get((p.pair, other[p.natural]), "")) for p in problems]


def _file(path: Path) -> Iterator[Problem]:
    named = _NAME.search(path.name)
    if not path.is_file():
        raise MissingError(f"{path}: no such file or folder.", "Give --data the folder of the ncb_*.jsonl.gz files.")
    if not named:
        raise InputError(f"{path}: its name does not say the languages.", "Name it like ncb_python_en.jsonl.")
    language, natural = named[1], named[2]
    for record in read_records(path, FIELDS, "_id"):
        number = str(record.fields["_id"])  # a number in the released files
        texts = [record.text(name) for name in FIELDS[1:]]
        if not texts[2].strip():
            raise InputError(f"{record.where}: field 'testcases' is empty.")
        domain = DOMAINS.get(texts[5], texts[5])
        yield Problem(number, language, natural, *texts[:5], domain, _inputs(path.parent / FILES / language / number))


def _inputs(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
