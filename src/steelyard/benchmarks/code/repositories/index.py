"""Source distributions on the package index: which there are, when they were uploaded; fetched once, checked, kept."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from steelyard.core.errors import InputError, MissingError

_SIMPLE = "application/vnd.pypi.simple.v1+json"
_VERSION = re.compile(r"-(\d[^-]*)\.(?:tar\.gz|tgz|tar\.bz2|zip)$")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
MOST_BYTES = 20_000_000  # a source distribution larger than this is data, not a small project


@dataclass(frozen=True, slots=True)
class Release:
    """One source distribution. uploaded: the day the index received it. sha256: of the archive, as the index states it."""

    name: str
    version: str
    file: str
    sha256: str
    uploaded: date
    size: int = 0
    url: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def folder() -> Path:
    """$STEELYARD_REPOSITORIES, else a folder in the user's cache."""
    if chosen := os.environ.get("STEELYARD_REPOSITORIES"):
        return Path(chosen)
    import platformdirs

    return platformdirs.user_cache_path("steelyard") / "repositories"


def normalised(name: str) -> str:
    """A project's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def releases(name: str, since: date | None = None, until: date | None = None) -> list[Release]:
    """The source distributions of a project uploaded from `since` to `until` (both inclusive), oldest first; not yanked ones.

    Raises InputError where the index has no such project or does not say when files came, MissingError where it cannot be reached.
    """
    found = []
    for entry in _listing(normalised(name)):
        version = _VERSION.search(entry["filename"])
        if not version or entry.get("yanked") or not entry.get("hashes", {}).get("sha256"):
            continue
        if "upload-time" not in entry:
            cure = "It must serve the simple API of PEP 700; choose one with PIP_INDEX_URL."
            raise InputError("the package index does not say when a file was uploaded.", cure)
        day = datetime.fromisoformat(entry["upload-time"]).astimezone(UTC).date()
        if (since is None or day >= since) and (until is None or day <= until):
            file, size, url = entry["filename"], entry.get("size") or 0, urljoin(f"{address()}/{name}/", entry["url"])
            found.append(Release(normalised(name), version[1], file, entry["hashes"]["sha256"], day, size, url))
    return sorted(found, key=lambda r: (r.uploaded, r.file))


def fetch(release: Release) -> Path:
    """The archive on this machine, its sha256 checked. Raises MissingError: not to be had, or not what it should be."""
    if not _FILE.fullmatch(release.file) or not re.fullmatch(r"[0-9a-f]{64}", release.sha256):
        raise InputError(f"{release.file!r} with sha256 {release.sha256!r} is no source distribution.")
    kept = folder() / "archives" / f"{release.sha256[:16]}-{release.file}"
    if kept.is_file() and _sha256(kept) == release.sha256:
        return kept
    url = release.url or next((r.url for r in releases(release.name) if r.sha256 == release.sha256), "")
    if not url:
        raise MissingError(f"the package index no longer has {release.file}.", "Build a slice from other releases.")
    if release.size > MOST_BYTES:
        raise InputError(f"{release.file} has {release.size / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f}.")
    kept.parent.mkdir(parents=True, exist_ok=True)
    content = _get(url)
    if hashlib.sha256(content).hexdigest() != release.sha256:
        raise MissingError(f"{release.file} is not the file it should be: its sha256 differs.", "It was not kept.")
    part = kept.with_name(f"{kept.name}.{os.getpid()}")
    part.write_bytes(content)
    os.replace(part, kept)
    return kept


@functools.lru_cache(maxsize=256)
def _listing(name: str) -> list[dict[str, Any]]:
    return list(json.loads(_get(f"{address()}/{name}/", _SIMPLE)).get("files", []))


def _get(url: str, accept: str = "*/*") -> bytes:
    import httpx

    try:
        answer = httpx.get(url, headers={"Accept": accept}, timeout=60.0, follow_redirects=True)
    except httpx.HTTPError as error:
        raise MissingError(
            f"the package index cannot be reached ({type(error).__name__}).", "Check the network."
        ) from error
    if answer.status_code == 404:
        raise InputError(f"the package index has no {url.rstrip('/').rpartition('/')[2]!r}.", "Check the name.")
    if answer.status_code != 200:
        raise MissingError(f"the package index answers {answer.status_code}.", "Try again later.")
    return answer.content


@functools.cache
def address() -> str:
    """The index that pip is set up for, as pip itself tells it. Raises MissingError where pip is not here."""
    done = subprocess.run(
        [*pip(), "download", "--help"], capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}
    )
    found = re.search(r"--index-url <url>.*?\(default\s+(\S+?)\)", done.stdout, re.DOTALL)
    if not found:
        raise MissingError("pip does not say which package index it uses.", "Set PIP_INDEX_URL.")
    return found[1].rstrip("/")


def pip() -> list[str]:
    """The command that is pip for this interpreter. Raises MissingError where there is none."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    path = shutil.which("pip")
    if path is None:
        raise MissingError("pip is not installed.", "python -m ensurepip")
    return [path, "--python", sys.executable]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
