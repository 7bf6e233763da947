"""Unpacks archives of strangers: no file outside the folder, no links, no devices, no bombs."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from steelyard.core.errors import InputError

MOST_BYTES, MOST_FILES = 100_000_000, 20_000


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a .tar.* or .zip into the new folder `into`, without the one folder that all of it lies in; returns `into`.

    Links, devices and the like are left out. Raises InputError for a path that leaves the folder, for more than
    100 MB or 20,000 files, and for an archive that is torn. `into` exists only when all went well.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        left = MOST_BYTES
        for count, (name, content) in enumerate(_members(archive), 1):
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
                raise InputError(f"{archive.name}: member {name!r} leaves the folder.", "It was not unpacked.")
            target = part.joinpath(*path.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as out:
                while chunk := content.read(min(left + 1, 1 << 20)):
                    left -= len(chunk)
                    if left < 0:
                        raise InputError(f"{archive.name}: unpacks to more than {MOST_BYTES / 1e6:.0f} MB.")
                    out.write(chunk)
            if count > MOST_FILES:
                raise InputError(f"{archive.name}: holds more than {MOST_FILES} files.")
        inside = list(part.iterdir())
        whole = inside[0] if len(inside) == 1 and inside[0].is_dir() else part
        _open_to_all(whole)
        try:
            os.rename(whole, into)
        except OSError:  # another process was first
            if not into.is_dir():
                raise
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise InputError(f"{archive.name}: cannot be unpacked ({error}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return into


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(name, content) of each plain file."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                mode = entry.external_attr >> 16
                if not entry.is_dir() and (stat.S_ISREG(mode) or stat.S_IFMT(mode) == 0):
                    yield entry.filename, zipped.open(entry)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isreg() and (content := tar.extractfile(member)) is not None:
                yield member.name, content


def _open_to_all(folder: Path) -> None:
    """The sandbox's user is another one: let it read."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
