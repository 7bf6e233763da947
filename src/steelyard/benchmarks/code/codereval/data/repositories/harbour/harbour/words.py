"""Names and texts."""

import hashlib
import re
import unicodedata
from datetime import date

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version


def initials(name):
    """Return the initials of a name, each followed by a dot; "van" and "de" are skipped."""
    parts = [part for part in name.split() if part.lower() not in ("van", "de")]
    return "".join(part[0].upper() + "." for part in parts)


def shorten(text, width):
    """Cut a text to width characters, with "..." at its end where something was cut off."""
    if len(text) <= width:
        return text
    return text[: max(0, width - 3)] + "..."


def run_lengths(items):
    """Run-length encode a sequence: a list of [item, count]."""
    runs = []
    for item in items:
        if runs and runs[-1][0] == item:
            runs[-1][1] += 1
        else:
            runs.append([item, 1])
    return runs


def slug(name):
    """Turn a name into a slug: ASCII letters without accents, lower case, other characters as single hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def checksum(lines):
    """The first eight hexadecimal digits of the SHA-256 of the lines, each ended by a line feed."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()[:8]


def weekday(text):
    """The English name of the day of the week of an ISO date."""
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    return names[date.fromisoformat(text).weekday()]


def newest(versions):
    """The newest of some version strings by PEP 440; what is no version is skipped. None if there is none."""
    found = []
    for text in versions:
        try:
            found.append(Version(text))
        except InvalidVersion:
            continue
    return str(max(found)) if found else None


def allowed(specifier, versions):
    """The versions that a PEP 440 specifier set allows, in the order given."""
    return list(SpecifierSet(specifier).filter(versions))


def extras_of(requirement):
    """The extras that a PEP 508 requirement asks for, sorted."""
    return sorted(Requirement(requirement).extras)
