"""Opens a causal language model of the Llama, Mistral, Qwen or Gemma 3 families: folder, hub name, GGUF or short name."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from steelyard.catalog.models import find_model, path_of
from steelyard.core.errors import InputError, MissingError
from steelyard.lab import recall
from steelyard.lab.counts import Counts

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")
RECALL = {"recall": "full", "recall-hybrid": "hybrid"}  # our own small models, trained by recall_training
DTYPES = {
    "fp32": torch.float32, "float32": torch.float32, "bf16": torch.bfloat16, "bfloat16": torch.bfloat16,
    "fp16": torch.float16, "float16": torch.float16,
}  # fmt: skip


@dataclass
class LabModel:
    """An open model. model: the library's own object, untouched. counts: of everything computed with it so far.

    orders: of a copy with rearranged key channels, for each layer (heads, D): the original channel at each place.
    """

    name: str
    model: Any
    tokenizer: Any = None
    counts: Counts = field(default_factory=Counts)
    orders: list[torch.Tensor] | None = None

    @property
    def config(self) -> Any:
        return self.model.config

    @property
    def layers(self) -> Any:
        return self.model.model.layers

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def context(self) -> int:
        """Tokens it was made for."""
        return int(self.config.max_position_embeddings)

    @cached_property
    def windows(self) -> list[int | None]:
        """The sliding window of each layer (tokens), None where it attends to everything."""
        config = self.config
        kinds = getattr(config, "layer_types", None)
        window = getattr(config, "sliding_window", None)
        if kinds is None:
            return [window if config.model_type == "mistral" else None] * config.num_hidden_layers
        return [window if kind == "sliding_attention" else None for kind in kinds]

    @cached_property
    def flops_per_token(self) -> int:
        """Of all matrices of one token, without attention scores and without the output layer."""
        weights = sum(p.numel() for layer in self.layers for p in layer.parameters() if p.dim() == 2)
        return 2 * weights

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights, dtype and configuration: what keys and values depend on besides the tokens."""
        digest = hashlib.sha256(self.config.to_json_string().encode() + str(self.dtype).encode())
        for weight in self.model.parameters():
            digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy())
        return digest.hexdigest()

    def clock(self) -> float:
        """Seconds, as time.perf_counter has them, once the device has done all that was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def encode(self, text: str) -> list[int]:
        """Token ids of a text as it stands: nothing is added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    @property
    def stop_ids(self) -> set[int]:
        """Tokens that end an answer."""
        named = getattr(self.model.generation_config, "eos_token_id", None)
        named = named if isinstance(named, list) else [named]
        return {i for i in [*named, getattr(self.tokenizer, "eos_token_id", None)] if i is not None}


def open_model(name: str, dtype: str = "fp32", device: str = "cpu", threads: int = 1) -> LabModel:
    """Open a model for study.

    name: a folder, a GGUF file, a hub name, a short name of `steelyard models`, recall or recall-hybrid. dtype: fp32, bf16 or fp16.
    threads: of PyTorch on a CPU; with one, results and counts repeat exactly.
    Raises InputError for a family, dtype or device that is not known, MissingError for a model that is not here.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}.", f"It may be {', '.join(DTYPES)}.")
    check_device(device)
    torch.set_num_threads(threads)
    _hush()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if name in RECALL:
        from steelyard.lab.recall_training import weights

        model = AutoModelForCausalLM.from_pretrained(weights(RECALL[name]), dtype=DTYPES[dtype])
        return from_model(model.to(device), recall.WordTokenizer(), name)
    place = _folder_of(name)
    try:
        model = AutoModelForCausalLM.from_pretrained(place, dtype=DTYPES[dtype])
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise MissingError(f"the model {name!r} cannot be opened: {first}", "Give a folder, a GGUF file, or a hub name that can be reached.") from error  # fmt: skip
    return from_model(model.to(device), tokenizer, name)


def check_device(device: str) -> None:
    """Raises InputError for a device that is not known, MissingError for one that is not here."""
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise InputError(f"device is {device!r}.", "It may be cpu, cuda, or cuda:0 and so on.")
    if device != "cpu" and not torch.cuda.is_available():
        raise MissingError("this machine has no GPU that PyTorch can use.", "Leave device out (cpu), or run it where there is one.")  # fmt: skip


def from_model(model: Any, tokenizer: Any = None, name: str = "model") -> LabModel:
    """The same from a library's object, made or trained by yourself."""
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise InputError(f"{name} is of the family {kind!r}.", f"The lab opens {', '.join(FAMILIES)}.")
    return LabModel(name, model.eval().requires_grad_(False), tokenizer)


def _folder_of(name: str) -> str:
    """Where the library finds it. A GGUF file is dequantised once into a folder of the user's cache."""
    local = find_model(name)
    gguf = path_of(local) if local else Path(name)
    if gguf.suffix != ".gguf":
        return name
    if not gguf.is_file():
        raise MissingError(f"there is no file {gguf}.", "`steelyard models pull smollm2` fetches the default model.")
    import platformdirs

    stamp = local.sha256 if local else hashlib.sha256(f"{gguf.resolve()} {gguf.stat()}".encode()).hexdigest()
    folder = platformdirs.user_cache_path("steelyard") / "lab" / f"{gguf.stem}-{stamp[:12]}"
    if not folder.is_dir():
        _convert(gguf, folder)
    return str(folder)


def _convert(gguf: Path, folder: Path) -> None:
    """Quantised values are multiplied out in fp32 and kept so, which loses nothing."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar cannot be switched off
        model = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
    model.config.__dict__.pop("quantization_config", None)
    model.hf_quantizer = None
    model.is_quantized = False
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    model.save_pretrained(fresh)
    AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(fresh)
    try:
        fresh.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(fresh)


def _hush() -> None:
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
