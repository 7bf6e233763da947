"""The ten domains, and a label by rules."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence

DOMAINS = (
    "Scientific/Engineering", "Software Development", "Multimedia", "Database", "Internet", "Text Processing", "System",
    "Security", "Communications", "Utilities",
)  # fmt: skip
_IMPORTS = {
    "Scientific/Engineering": "numpy scipy pandas math statistics fractions decimal cmath sympy networkx sklearn torch random",
    "Software Development": "ast inspect logging unittest pytest traceback dis importlib types typing abc functools",
    "Multimedia": "PIL wave colorsys audioop pygame cv2 imageio mutagen",
    "Database": "sqlite3 sqlalchemy psycopg2 pymongo redis peewee dbm shelve csv duckdb",
    "Internet": "http urllib requests httpx aiohttp flask django socket socketserver websockets html webbrowser ipaddress",
    "Text Processing": "re textwrap string difflib unicodedata json markdown xml lxml docutils yaml toml tomllib markdown_it",
    "System": "os subprocess pathlib shutil platform signal multiprocessing threading psutil tempfile ctypes",
    "Security": "hashlib hmac secrets ssl cryptography jwt bcrypt nacl",
    "Communications": "smtplib email imaplib poplib telnetlib ftplib asyncio mailbox paho serial",
    "Utilities": "argparse datetime calendar time itertools collections click getpass",
}
_BY_IMPORT = {module: domain for domain, modules in _IMPORTS.items() for module in modules.split()}
_WORDS = {
    "Scientific/Engineering": ("math", "scien", "statistic", "physic", "numeric", "graph", "geometr", "unit"),
    "Software Development": ("test", "lint", "debug", "packag", "depend", "compiler", "type hint", "developer"),
    "Multimedia": ("image", "audio", "video", "colour", "color", "music"),
    "Database": ("sql", "database", "storage", "query"),
    "Internet": ("http", "web", "url", "internet", "api client", "browser"),
    "Text Processing": ("text", "pars", "markdown", "string", "toml", "yaml", "json", "template", "word"),
    "System": ("file", "process", "system", "shell", "terminal"),
    "Security": ("secur", "crypt", "password", "hash", "token"),
    "Communications": ("email", "mail", "chat", "message", "protocol"),
    "Utilities": ("utilit", "helper", "tool", "date", "time", "command"),
}


def label(source: str, classifiers: Sequence[str] = (), summary: str = "") -> str:
    """The domain of a function by votes: its file's imports (1 each), the project's trove topics (2) and its summary (1).

    A topic of Software Development says for most libraries only that they are one: it counts half a vote. A tie goes to
    the more special domain, in the order of `DOMAINS` after Software Development and Utilities were put last.
    """
    votes: Counter[str] = Counter()
    for module in _modules(source):
        if module in _BY_IMPORT:
            votes[_BY_IMPORT[module]] += 2
    for text in classifiers:
        if text.startswith("Topic :: "):
            topic = text.split(" :: ")[1]
            if topic in DOMAINS:
                votes[topic] += 1 if topic == "Software Development" else 4
    for domain, words in _WORDS.items():
        votes[domain] += 2 * any(word in summary.lower() for word in words)
    order = sorted(DOMAINS, key=lambda d: (d in ("Software Development", "Utilities"), DOMAINS.index(d)))
    best = max(order, key=lambda d: votes[d])
    return best if votes[best] else "Utilities"


def _modules(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def by_domain(values: Mapping[str, float], domain_of: Mapping[str, str]) -> dict[str, list[float]]:
    """Domain -> values of its cases, in the order of `DOMAINS`, then of whatever other labels there are."""
    found: dict[str, list[float]] = {}
    for case, value in values.items():
        found.setdefault(domain_of.get(case, ""), []).append(value)
    return dict(sorted(found.items(), key=lambda item: (*DOMAINS, item[0]).index(item[0])))
